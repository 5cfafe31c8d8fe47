"""Dataset snapshots as rows: which there are, which videos are in them, which were removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store.tables import SnapshotRow, SnapshotVideoRow, utcnow

_PG_LOCK = 0xC0EF0009
_SHORTEST_PREFIX = 4
_LONGEST_NUMBER = 6


def add(
    session: Session,
    snapshot_id: str,
    number: int,
    document: Mapping[str, Any],
    splits: Mapping[str, str],
    labels: int,
    made_by: str,
    note: str = "",
) -> SnapshotRow:
    """Store a snapshot with the split of each of its videos.

    Args:
        number: ``newest_number`` + 1, read in the same transaction.
        splits: Video id to split.
        labels: How many labels all videos have together.
    """
    row = SnapshotRow(
        id=snapshot_id,
        number=number,
        document=dict(document),
        videos=len(splits),
        labels=labels,
        note=note,
        made_by=made_by,
    )
    session.add(row)
    session.flush()
    rows = [
        {"snapshot_id": snapshot_id, "video_id": video_id, "split": split, "removed_at": None}
        for video_id, split in sorted(splits.items())
    ]
    if rows:
        session.execute(SnapshotVideoRow.__table__.insert(), rows)  # type: ignore[attr-defined]
    return row


def get(session: Session, snapshot_id: str) -> SnapshotRow | None:
    """The snapshot of this id."""
    return session.get(SnapshotRow, snapshot_id)


def find(session: Session, wanted: str | int) -> SnapshotRow:
    """Look one up by id, the beginning of an id, or number.

    Raises:
        StoreError: There is none, or several begin so.
    """
    word = str(wanted).strip().lower().removeprefix("#")
    if word.isdecimal() and len(word) <= _LONGEST_NUMBER:
        query = select(SnapshotRow).where(SnapshotRow.number == int(word))
        if (row := session.scalars(query).first()) is not None:
            return row
    found = _beginning(session, word)
    if len(found) == 1:
        return found[0]
    if found:
        raise StoreError(f"Several snapshots begin with {word}: give more of the id.")
    raise StoreError(f"There is no snapshot {wanted}. `coefvq dataset list` shows them.")


def listed(session: Session) -> list[SnapshotRow]:
    """All snapshots, newest first."""
    return list(session.scalars(select(SnapshotRow).order_by(SnapshotRow.number.desc())))


def lock(session: Session) -> None:
    """Let other makers of snapshots wait until this transaction ends; SQLite does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})


def newest_number(session: Session) -> int:
    """Number of the newest snapshot; 0 where there is none."""
    return session.scalar(select(func.max(SnapshotRow.number))) or 0


def splits_so_far(session: Session) -> dict[str, frozenset[str]]:
    """By video, every split that it was ever in, also of videos that were removed since."""
    query = select(SnapshotVideoRow.video_id, SnapshotVideoRow.split).distinct()
    found: dict[str, set[str]] = {}
    for video_id, split in session.execute(query):
        found.setdefault(video_id, set()).add(split)
    return {video_id: frozenset(splits) for video_id, splits in found.items()}


def removed(session: Session, snapshot_id: str | None = None) -> frozenset[str]:
    """Videos that were removed from a snapshot; ``None``: from any."""
    query = select(SnapshotVideoRow.video_id).where(SnapshotVideoRow.removed_at.is_not(None))
    if snapshot_id is not None:
        query = query.where(SnapshotVideoRow.snapshot_id == snapshot_id)
    return frozenset(session.scalars(query.distinct()))


def removed_numbers(session: Session) -> dict[str, int]:
    """By snapshot, how many videos were removed from it; those without any are not there."""
    gone = SnapshotVideoRow.removed_at.is_not(None)
    query = select(SnapshotVideoRow.snapshot_id, func.count()).where(gone)
    return {
        str(snapshot_id): int(number)
        for snapshot_id, number in session.execute(query.group_by(SnapshotVideoRow.snapshot_id))
    }


def forget_video(session: Session, video_id: str, now: datetime | None = None) -> tuple[str, ...]:
    """Mark a video as removed from every snapshot, in the transaction that deletes it.

    From then on it is read no more and enters no snapshot. Its split stays known, so that what
    was held out is never learnt from by another name. Twice is as good as once. The files are
    rewritten after the transaction, by ``coefvq.learning.dataset.removal.clean``; until then
    readers pass the video over.

    Returns:
        Ids of the snapshots that it was in and is not marked as removed from yet.
    """
    mine = (SnapshotVideoRow.video_id == video_id, SnapshotVideoRow.removed_at.is_(None))
    ids = tuple(session.scalars(select(SnapshotVideoRow.snapshot_id).where(*mine)))
    if ids:
        session.execute(update(SnapshotVideoRow).where(*mine).values(removed_at=now or utcnow()))
    return ids


def of_video(session: Session, video_id: str) -> list[tuple[SnapshotRow, str]]:
    """The snapshots that a video is or was in, oldest first, with its split in each."""
    query = (
        select(SnapshotRow, SnapshotVideoRow.split)
        .join(SnapshotVideoRow, SnapshotVideoRow.snapshot_id == SnapshotRow.id)
        .where(SnapshotVideoRow.video_id == video_id)
        .order_by(SnapshotRow.number)
    )
    return [(row, str(split)) for row, split in session.execute(query)]


def _beginning(session: Session, word: str) -> list[SnapshotRow]:
    if len(word) < _SHORTEST_PREFIX or not set(word) <= set("0123456789abcdef"):
        return []
    query = select(SnapshotRow).where(SnapshotRow.id.startswith(word, autoescape=True))
    return list(session.scalars(query.limit(2)))


def numbers_of(session: Session, ids: Iterable[str]) -> dict[str, int]:
    """Id to number."""
    query = select(SnapshotRow.id, SnapshotRow.number).where(SnapshotRow.id.in_(list(ids)))
    return {str(snapshot_id): int(number) for snapshot_id, number in session.execute(query)}
