"""A lead's trials of a routing policy on live traffic: start, stop, and what came of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from coefvq import taxonomy
from coefvq.errors import RoutingError, SettingsError, StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.store import events, replay_rows, routing_policies, routing_state, trials
from coefvq.store.session import Store
from coefvq.store.tables import TrialRow
from coefvq.store.trials import SHADOW, SPLIT
from coefvq.work.routing_versions import check, needed_note, take_turn
from coefvq.work.trial_figures import ShadowReport, SplitReport, shadow_report, split_report

KINDS = (SHADOW, SPLIT)
MOST = 0.5
"""A split gives the tried policy at most so much: what is in force decides for the others."""
VIEWS_COLUMNS = ("video_id", "views")
VIEWS_IMPORTED = "views.imported"
_LARGEST = 2**62


@dataclass(frozen=True)
class TrialView:
    """One trial. ``against``: what was in force when it began, a version or ``SETTINGS``."""

    id: str
    kind: str
    task: str
    version: str
    against: str
    share: float
    note: str
    started_by: str
    started_at: datetime
    ended_by: str | None
    ended_at: datetime | None

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.ended_at is None


@dataclass(frozen=True)
class ViewsImport:
    """What an import of views did: how many counts were kept, and which lines were not."""

    kept: int
    refused: tuple[str, ...]


def start(
    store: Store,
    actor: Actor,
    task: str,
    kind: str,
    version: str,
    note: str,
    *,
    share: float = 0.0,
    expected: str | None = None,
) -> TrialView:
    """Begin a trial; workers follow before their next video.

    Args:
        kind: ``shadow`` (it decides nothing) or ``split`` (it decides for a share of uploaders).
        share: Of the uploaders, for a split: above 0 and at most ``MOST``.
        expected: What was in force when the actor looked; ``None``: whatever is.

    Raises:
        NotAllowed: The actor is no lead.
        RoutingError: One of this kind runs, the version is in force or cannot be used, the share
            does not fit, or there is no note.
        InForceChanged: Something else is in force by now.
        StoreError: There is no such version.
    """
    require(actor, Permission.LEAD)
    taxonomy.task(task)
    said = needed_note(note, "Say what is tried and why")
    _check_share(kind, share)
    with store.write() as session:
        against = take_turn(session, task, expected)
        check(routing_policies.get(session, version), task)
        if version == against:
            raise RoutingError(f"{version} is in force for {task}: there is nothing to try.")
        same = next((row for row in trials.running(session, task) if row.kind == kind), None)
        if same is not None:
            raise RoutingError(
                f"A {kind} of {same.version} runs for {task} since "
                f"{same.started_at:%Y-%m-%d %H:%M} UTC. Stop it first: there is at most one of a "
                "kind."
            )
        row = TrialRow(
            kind=kind, task=task, version=version, against=against, note=said,
            share=share if kind == SPLIT else 0.0, started_by=actor.name,
        )  # fmt: skip
        return _view(trials.start(session, row))


def stop(store: Store, actor: Actor, trial_id: str, note: str = "") -> TrialView:
    """End a trial: all traffic is the policy's in force from the next video on.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such trial, or it ended already.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = session.get(TrialRow, trial_id, with_for_update=True)
        if row is None:
            raise StoreError(f"There is no trial {trial_id}.")
        if row.ended_at is not None:
            raise StoreError(f"This trial ended already, by {row.ended_by}.")
        trials.end(session, row, actor.name, note.strip()[:2000])
        return _view(row)


def of_task(store: Store, actor: Actor, task: str) -> tuple[TrialView, ...]:
    """All trials of a task, newest first.

    Raises:
        NotAllowed: The actor is no lead.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        return tuple(_view(row) for row in trials.history(session, task))


def report(store: Store, actor: Actor, trial_id: str) -> ShadowReport | SplitReport:
    """What came of a trial so far.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such trial.
    """
    require(actor, Permission.LEAD)
    salt = routing_state.audit_salt(store)
    with store.read() as session:
        row = session.get(TrialRow, trial_id)
        if row is None:
            raise StoreError(f"There is no trial {trial_id}.")
        if row.kind == SHADOW:
            seen = shadow_report(trials.shadowed(session, row.id))
            titles = replay_rows.titles(session, [each.case_id for each in seen.cases])
            named = (replace(each, title=titles.get(each.case_id)) for each in seen.cases)
            return replace(seen, cases=tuple(named))
        found = trials.routed(session, row.task, row.started_at, row.ended_at)
        return split_report(found, row.id, row.share, salt, row.version, row.against)


def import_views(store: Store, actor: Actor, path: Path) -> ViewsImport:
    """Read how often videos were seen, in place of what was known: ``video_id,views`` by line.

    Raises:
        NotAllowed: The actor is no lead.
        SettingsError: The file is missing, is no CSV in UTF-8 or lacks a column.
    """
    require(actor, Permission.LEAD)
    counts, refused = _read_views(path)
    with store.write() as session:
        missing = trials.put_views(session, ((v, n) for v, (_, n) in counts.items()))
        kept = len(counts) - len(missing)
        events.append(session, actor.name, VIEWS_IMPORTED, "views", path.name[:200], {"kept": kept})
    refused += [(counts[video][0], f"there is no video {video[:64]}") for video in missing]
    return ViewsImport(kept, tuple(f"line {line}: {why}" for line, why in sorted(refused)))


def _read_views(path: Path) -> tuple[dict[str, tuple[int, int]], list[tuple[int, str]]]:
    """Line and count by video, the last line of a video counts; and lines that cannot be used."""
    counts: dict[str, tuple[int, int]] = {}
    refused: list[tuple[int, str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or ())
            for row in reader:
                video, text = (str(row.get(name) or "").strip() for name in VIEWS_COLUMNS)
                number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
                if not video or not 0 <= number <= _LARGEST:
                    why = f"views must be a whole number from 0 on, got {text[:40]!r}"
                    refused.append((reader.line_num, why if video else "there is no video_id"))
                    continue
                counts[video] = (reader.line_num, number)
    except FileNotFoundError:
        raise SettingsError(f"No such file: {path}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} is not a CSV file in UTF-8: {error}") from None
    return counts, refused


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    missing = [name for name in VIEWS_COLUMNS if name not in columns]
    if missing:
        raise SettingsError(f"{path} needs the columns {', '.join(VIEWS_COLUMNS)}.")


def _check_share(kind: str, share: float) -> None:
    if kind not in KINDS:
        raise RoutingError(f"There is no trial of kind '{kind[:40]}': {' or '.join(KINDS)}.")
    if kind == SPLIT and not 0.0 < share <= MOST:
        raise RoutingError(
            f"The share is {share:g}: a split gives the tried policy more than 0 and at most "
            f"{MOST:.0%} of the uploaders. To give it more, publish it."
        )


def _view(row: TrialRow) -> TrialView:
    return TrialView(
        row.id, row.kind, row.task, row.version, row.against, row.share, row.note,
        row.started_by, row.started_at, row.ended_by, row.ended_at,
    )  # fmt: skip
