"""Originals as rows: files whose copies are looked for, each in a named bank."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, or_, select, text
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import events
from coefvq.store.tables import OriginalRow, utcnow
from coefvq.store.text import storable

LIBRARY = "library"
"""The library's own videos; the worker fills it."""
KNOWN = "originals"
"""Known originals: what the command line adds to where no bank is named."""
DO_NOT_MATCH = "do_not_match"
"""Footage that proves nothing, such as an opening that everybody uses."""

_BANK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_REFERENCE = 1024
_PG_LOCK = 0xC0EF0007
_AT_ONCE = 500


@dataclass(frozen=True)
class Original:
    """One row without its fingerprint. The reference is hostile text."""

    id: int
    bank: str
    reference: str
    sha256: str
    video_id: str | None
    version: str
    frames: int
    duration_s: float
    added_by: str
    added_at: datetime


@dataclass(frozen=True)
class Bank:
    """What is in a bank.

    Attributes:
        references: Names that originals were added under.
        files: Different files among them.
        frames: Looks of all references that their fingerprints hold.
        duration_s: Seconds of all references.
        outdated: References whose fingerprint another version made; they are found again once
            they are added again.
    """

    name: str
    references: int
    files: int
    frames: int
    duration_s: float
    outdated: int


def add(
    session: Session,
    *,
    bank: str,
    reference: str,
    sha256: str,
    fingerprint: bytes,
    version: str,
    frames: int,
    duration_s: float,
    added_by: str,
    video_id: str | None = None,
) -> tuple[Original, bool]:
    """Add an original and its event; one that is there already stays.

    The same file under another name is a second reference. A fingerprint of another version is
    replaced: the old row ends and a new one begins.

    Returns:
        The row, and whether it is new.

    Raises:
        StoreError: The bank's name or the reference cannot be used.
    """
    name, bank = storable_reference(reference), checked_bank(bank)
    _one_at_a_time(session)
    for known in _live(session, bank, name, sha256):
        if known.version == version:
            return _view(known), False
        _end(known)
    row = OriginalRow(
        bank=bank,
        reference=name,
        sha256=sha256,
        video_id=video_id,
        version=version,
        fingerprint=fingerprint,
        frames=frames,
        duration_s=duration_s,
        added_by=added_by,
    )
    session.add(row)
    session.flush()
    _tell(session, added_by, "original.added", row)
    return _view(row), True


def known(session: Session, bank: str, reference: str, sha256: str, version: str) -> bool:
    """Whether this file is in the bank under this name, with a fingerprint of this version."""
    rows = _live(session, bank, storable_reference(reference), sha256)
    return any(row.version == version for row in rows)


def remove(session: Session, original_id: int, actor: str) -> Original:
    """Take an original out: its fingerprint goes, its name stays for the matches it was found in.

    Raises:
        StoreError: There is no such original, or it was removed before.
    """
    row = session.get(OriginalRow, original_id, with_for_update=True)
    if row is None or row.removed_at is not None:
        raise StoreError(f"There is no original {original_id}. List them: coefvq originality banks")
    found = _view(row)
    _end(row)
    _tell(session, actor, "original.removed", row)
    return found


def forget_video(session: Session, video_id: str) -> None:
    """End every original that a deleted video is, in all banks; its name goes too."""
    for row in session.scalars(select(OriginalRow).where(OriginalRow.video_id == video_id)):
        if row.removed_at is None:
            _end(row)
        row.reference = video_id


def by_reference(session: Session, reference: str, bank: str | None = None) -> list[Original]:
    """Originals that were added under a name, in one bank or in all, oldest first."""
    query = select(OriginalRow).where(
        OriginalRow.reference == storable_reference(reference), OriginalRow.removed_at.is_(None)
    )
    if bank is not None:
        query = query.where(OriginalRow.bank == bank)
    return [_view(row) for row in session.scalars(query.order_by(OriginalRow.id))]


def in_bank(session: Session, bank: str) -> list[Original]:
    """All of a bank, oldest first."""
    query = select(OriginalRow).where(OriginalRow.bank == bank, OriginalRow.removed_at.is_(None))
    return [_view(row) for row in session.scalars(query.order_by(OriginalRow.id))]


def mark(session: Session) -> tuple[int, int]:
    """Changes whenever an original is added or removed."""
    live = OriginalRow.removed_at.is_(None)
    query = select(func.max(OriginalRow.id), func.count(case((live, 1))))
    newest, count = session.execute(query).one()
    return int(newest or 0), int(count)


def live_ids(session: Session, version: str) -> dict[int, str]:
    """Ids of what can be matched, with the files' digests; a file once a bank.

    Args:
        version: Fingerprints of other versions are left out.
    """
    query = (
        select(func.min(OriginalRow.id), OriginalRow.sha256)
        .where(OriginalRow.removed_at.is_(None), OriginalRow.version == version)
        .group_by(OriginalRow.bank, OriginalRow.sha256)
    )
    return {int(found): str(sha256) for found, sha256 in session.execute(query)}


def not_before(session: Session, video_id: str) -> set[int]:
    """Ids of the originals that are this video, or uploads of the library after it."""
    later = and_(OriginalRow.bank == LIBRARY, OriginalRow.video_id > video_id)
    query = select(OriginalRow.id).where(
        or_(later, OriginalRow.video_id == video_id), OriginalRow.removed_at.is_(None)
    )
    return set(session.scalars(query))


def fingerprints(session: Session, ids: Collection[int]) -> dict[int, bytes]:
    """Fingerprints by id; what was removed in the meantime is not among them."""
    found: dict[int, bytes] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        query = select(OriginalRow.id, OriginalRow.fingerprint).where(
            OriginalRow.id.in_(wanted[start : start + _AT_ONCE]), OriginalRow.removed_at.is_(None)
        )
        found |= {int(key): data for key, data in session.execute(query)}
    return found


def described(session: Session, ids: Collection[int]) -> dict[int, Original]:
    """Rows by id; what was removed in the meantime is not among them."""
    query = select(OriginalRow).where(
        OriginalRow.id.in_(sorted(ids)), OriginalRow.removed_at.is_(None)
    )
    return {row.id: _view(row) for row in session.scalars(query)}


def banks(session: Session, version: str) -> list[Bank]:
    """Banks with something in them, by name; ``version``: of the fingerprints that are read."""
    row = OriginalRow
    query = (
        select(
            row.bank,
            func.count(),
            func.count(row.sha256.distinct()),
            func.sum(row.frames),
            func.sum(row.duration_s),
            func.count(case((row.version != version, 1))),
        )
        .where(row.removed_at.is_(None))
        .group_by(row.bank)
        .order_by(row.bank)
    )
    return [
        Bank(str(name), int(count), int(files), int(frames), float(seconds), int(outdated))
        for name, count, files, frames, seconds, outdated in session.execute(query)
    ]


def checked_bank(name: str) -> str:
    """Return the name of a bank.

    Raises:
        StoreError: It is no name for a bank.
    """
    if not _BANK.fullmatch(name):
        raise StoreError(
            f"'{name[:80]}' is no name for a bank. Take up to 64 letters, digits, '.', '_' or '-'."
        )
    return name


def storable_reference(reference: str) -> str:
    """The name as it is stored.

    Raises:
        StoreError: It is empty or too long.
    """
    name = storable(reference, _LONGEST_REFERENCE + 1)
    if name is None or len(name) > _LONGEST_REFERENCE:
        raise StoreError(
            f"An original's name has 1 to {_LONGEST_REFERENCE} characters; "
            f"this one is {'empty' if name is None else 'longer'}. Give it a shorter path."
        )
    return name


def _live(session: Session, bank: str, reference: str, sha256: str) -> list[OriginalRow]:
    query = select(OriginalRow).where(
        OriginalRow.bank == bank,
        OriginalRow.reference == reference,
        OriginalRow.sha256 == sha256,
        OriginalRow.removed_at.is_(None),
    )
    return list(session.scalars(query.order_by(OriginalRow.id)))


def _end(row: OriginalRow) -> None:
    row.removed_at, row.fingerprint = utcnow(), b""


def _one_at_a_time(session: Session) -> None:
    """Two processes that add the same file must not both miss the other's row.

    SQLite's writers wait for one another anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})


def _tell(session: Session, actor: str, kind: str, row: OriginalRow) -> None:
    data = {"bank": row.bank, "reference": row.reference, "sha256": row.sha256}
    events.append(session, actor, kind, "original", str(row.id), data)


def _view(row: OriginalRow) -> Original:
    return Original(
        row.id,
        row.bank,
        row.reference,
        row.sha256,
        row.video_id,
        row.version,
        row.frames,
        row.duration_s,
        row.added_by,
        row.added_at,
    )
