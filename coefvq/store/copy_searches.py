"""Which videos were looked at for copies, which were not, and what has come in since."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.domain import CopyMatch
from coefvq.store import jobs, videos
from coefvq.store.originals import DO_NOT_MATCH, LIBRARY
from coefvq.store.tables import CopySearchRow, JobKind, OriginalRow, VideoRow, utcnow

IDENTICAL = 1.0
"""Score of the very same bytes."""


def note(session: Session, video_id: str, version: str, failed: str | None = None) -> None:
    """Note that a video was looked at just now, and how; the last time counts.

    Args:
        version: Of its fingerprint.
        failed: Why none could be made: a short code such as ``no_frames``.
    """
    row = session.get(CopySearchRow, video_id)
    if row is None:
        row = CopySearchRow(video_id=video_id)
        session.add(row)
    row.version, row.failed, row.searched_at = version, failed, utcnow()
    session.flush()


def searched(session: Session, video_id: str) -> bool:
    """Whether a video was looked at, and looked up, the last time that somebody tried."""
    row = session.get(CopySearchRow, video_id)
    return row is not None and row.failed is None


def enqueue_missing(session: Session, version: str) -> int:
    """Queue the videos of the library that were never looked at with this version.

    What could not be looked at with it before is not tried again: nothing has changed.

    Returns:
        How many; those that wait already count as well.
    """
    query = (
        select(VideoRow.id)
        .outerjoin(CopySearchRow, CopySearchRow.video_id == VideoRow.id)
        .where(
            VideoRow.status == videos.SCORED,
            CopySearchRow.version.is_(None) | (CopySearchRow.version != version),
        )
        .order_by(VideoRow.id)  # the oldest first: later ones are found to be their copies
    )
    waiting = list(session.scalars(query))
    for video_id in waiting:
        jobs.enqueue(session, JobKind.FINGERPRINT, video_id=video_id)
    return len(waiting)


def kept(session: Session, sha256: str, version: str) -> bytes | None:
    """The fingerprint that these bytes have in the library, made by this version."""
    query = select(OriginalRow.fingerprint).where(
        OriginalRow.sha256 == sha256,
        OriginalRow.bank == LIBRARY,
        OriginalRow.version == version,
        OriginalRow.removed_at.is_(None),
    )
    return session.scalars(query.limit(1)).first()


def first_upload(session: Session, video: VideoRow) -> str:
    """Id of the first upload of a video's bytes: it stands for all of them in the library."""
    return next(iter(videos.copies(session, video)), video.id)


def same_file(session: Session, video: VideoRow, duration_s: float, sound: bool) -> list[CopyMatch]:
    """Originals with a video's very bytes, as matches from the first to the last second.

    Of the library only earlier uploads; pictures of one colour, which no search finds, as well.
    """
    query = select(OriginalRow).where(
        OriginalRow.sha256 == video.sha256,
        OriginalRow.removed_at.is_(None),
        OriginalRow.bank != DO_NOT_MATCH,
    )
    return [
        CopyMatch(
            row.reference,
            row.bank,
            IDENTICAL,
            *(0.0, duration_s, 0.0, duration_s),
            by=("picture", "sound") if sound else ("picture",),
            video_id=row.video_id,
            sha256=row.sha256,
        )
        for row in session.scalars(query.order_by(OriginalRow.id))
        if row.video_id is None or row.video_id < video.id
    ]


def earlier_since(session: Session, video_id: str, newest: int) -> bool:
    """Whether an earlier upload has come into the library's originals after ``newest``."""
    query = select(OriginalRow.id).where(
        OriginalRow.id > newest, OriginalRow.bank == LIBRARY, OriginalRow.video_id < video_id
    )
    return session.scalar(query.limit(1)) is not None


def later_there(session: Session, video_id: str) -> bool:
    """Whether the library's originals hold a later upload."""
    query = select(OriginalRow.id).where(
        OriginalRow.bank == LIBRARY,
        OriginalRow.video_id > video_id,
        OriginalRow.removed_at.is_(None),
    )
    return session.scalar(query.limit(1)) is not None
