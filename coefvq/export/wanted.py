"""What an export is asked for: format, filters, reviewers' names, videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from coefvq import taxonomy
from coefvq.errors import SettingsError, did_you_mean
from coefvq.learning.dataset.items import SPLITS
from coefvq.review.access import ROLES

NONE, LINK, COPY = "none", "link", "copy"
MEDIA = (NONE, LINK, COPY)
"""How an export holds its videos: by their path, as symbolic links, as copies."""

IMPORTED = "import"
"""The role of a decision whose file names none."""


@dataclass(frozen=True)
class Wanted:
    """What is exported and how.

    Attributes:
        format: A name out of ``formats.FORMATS``.
        since: Decisions from this moment on.
        until: Decisions before this moment.
        tasks: Of these tasks only; empty: all.
        policies: Labels of these policies only; empty: all.
        roles: Decisions by people in these roles only; empty: all.
        splits: Videos of these splits only; empty: all.
        seed: Deals groups to splits that were never dealt before.
        snapshot: Exactly the items of this dataset snapshot (id, its beginning, or number).
        names: Reviewers' names in place of pseudonyms.
        media: One of ``MEDIA``; empty: what the format needs.
        classes: For ``ms-swift``: rows for classification, too.
    """

    format: str
    since: datetime | None = None
    until: datetime | None = None
    tasks: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    seed: int = 0
    snapshot: str | None = None
    names: bool = False
    media: str = ""
    classes: bool = False

    def labels(self, policy: str) -> bool:
        """Whether labels on a policy are wanted."""
        return not self.policies or policy in self.policies

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        made = asdict(self)
        for name in ("since", "until"):
            moment = made[name]
            made[name] = None if moment is None else moment.astimezone(UTC).isoformat()
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in made.items()}  # fmt: skip


def wanted_from(data: Mapping[str, Any]) -> Wanted:
    """Inverse of ``Wanted.to_json``; keys of another version are passed over."""
    values = {field.name: data[field.name] for field in fields(Wanted) if field.name in data}
    for name in ("since", "until"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    for name in ("tasks", "policies", "roles", "splits"):
        values[name] = tuple(values.get(name) or ())
    return Wanted(**values)


def check(wanted: Wanted, formats: Mapping[str, object]) -> Wanted:
    """Refuse what cannot be exported.

    Raises:
        SettingsError: With the nearest known name.
    """
    if wanted.format not in formats:
        hint = did_you_mean(wanted.format, formats)
        raise SettingsError(f"Unknown format '{wanted.format}'.{hint}")
    known = taxonomy.tasks()
    _known("task", wanted.tasks, known)
    _known("policy", wanted.policies, taxonomy.policies())
    _known("role", wanted.roles, (*ROLES, IMPORTED))
    _known("split", wanted.splits, SPLITS)
    if wanted.media:
        _known("way to hold videos", (wanted.media,), MEDIA)
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise SettingsError(f"Nothing is since {wanted.since} and before {wanted.until}.")
    if wanted.snapshot and (wanted.since or wanted.until or wanted.roles):
        raise SettingsError(
            "A snapshot is exported as it is: leave out --since, --until and --role, which chose "
            "its decisions when it was made."
        )
    return wanted


def moment_from(text: str, *, end: bool = False) -> datetime | None:
    """Read a day or a moment; a day alone begins at midnight UTC, empty is ``None``.

    Args:
        end: A day alone counts to its end.

    Raises:
        SettingsError: It is neither.
    """
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SettingsError(f"'{text[:40]}' is no day such as 2026-11-23.") from error
    if end and len(text.strip()) == len("2026-11-23"):
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _known(what: str, names: tuple[str, ...], known: object) -> None:
    for name in names:
        if name not in known:  # type: ignore[operator]
            raise SettingsError(f"Unknown {what} '{name}'.{did_you_mean(name, known)}")  # type: ignore[arg-type]
