"""Media and videos: add, find, list, and the counts the library shows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from coefvq.domain import MediaInfo
from coefvq.errors import StoreError
from coefvq.store import codec
from coefvq.store import search as search_words
from coefvq.store.tables import AssessmentRow, CaseRow, MediaRow, VideoRow
from coefvq.store.text import MAX_LINE, storable
from coefvq.store.upsert import insert_missing

WAITING, SCORING, SCORED, FAILED = "waiting", "scoring", "scored", "failed"
KEPT = "kept"
"""A file that was scored on the command line: its answer is kept, it is not in the library."""
DELETED = "deleted"
"""What it showed and said is gone; see ``store.deletion``."""
UNLISTED = (KEPT, DELETED)
"""Not in the library."""


def ensure_media(session: Session, sha256: str, file_name: str, size_bytes: int) -> MediaRow:
    """Return the media of these bytes, adding it on first sight.

    ``file_name`` is empty where only signals are kept; the first upload fills it in.
    """
    insert_missing(session, MediaRow, sha256=sha256, file_name=file_name, size_bytes=size_bytes)
    row = session.get_one(MediaRow, sha256)
    row.file_name = row.file_name or file_name
    return row


def add_video(
    session: Session,
    media: MediaRow,
    *,
    uploader: str,
    original_name: str,
    title: str | None = None,
    caption: str | None = None,
    status: str = WAITING,
) -> VideoRow:
    """Add one upload. Texts are made storable, nothing more."""
    row = VideoRow(
        sha256=media.sha256,
        title=storable(title, MAX_LINE),
        caption=storable(caption),
        original_name=storable(original_name, MAX_LINE) or "unnamed",
        uploader=uploader,
        status=status,
    )
    row.media = media
    session.add(row)
    session.flush()
    if status != KEPT:
        search_words.index(session, row)
    return row


def get(session: Session, video_id: str) -> VideoRow:
    """Look one video up.

    Raises:
        StoreError: There is no such video.
    """
    row = session.get(VideoRow, video_id)
    if row is None:
        raise StoreError(f"There is no video {video_id}. The library lists all there are.")
    return row


def copies(session: Session, video: VideoRow) -> list[str]:
    """Ids of earlier uploads of the same bytes, oldest first."""
    same = (
        VideoRow.sha256 == video.sha256,
        VideoRow.id < video.id,
        VideoRow.status.not_in(UNLISTED),
    )
    return list(session.scalars(select(VideoRow.id).where(*same).order_by(VideoRow.id)))


def ensure_kept(
    session: Session, media: MediaRow, name: str, title: str | None, caption: str | None
) -> VideoRow:
    """The kept video of these bytes with these texts, adding it on first sight."""
    title, caption = storable(title, MAX_LINE), storable(caption)
    known = session.scalars(
        select(VideoRow).where(
            VideoRow.sha256 == media.sha256,
            VideoRow.status == KEPT,
            VideoRow.title.is_not_distinct_from(title),
            VideoRow.caption.is_not_distinct_from(caption),
        )
    ).first()
    if known is None:
        known = add_video(
            session,
            media,
            uploader=KEPT,
            original_name=name,
            title=title,
            caption=caption,
            status=KEPT,
        )
    return known


def has_answer(session: Session, video_id: str) -> bool:
    """Whether any stage has assessed the video."""
    return session.scalar(select(exists().where(AssessmentRow.video_id == video_id))) or False


def set_info(media: MediaRow, info: MediaInfo) -> None:
    """Keep what the probe found."""
    media.info = codec.media_info_to(info)


def search(
    session: Session,
    *,
    text: str = "",
    where: Sequence[ColumnElement[bool]] = (),
    offset: int = 0,
    limit: int = 60,
    most: int | None = None,
) -> tuple[list[VideoRow], int]:
    """List videos, newest first, and count all that fit.

    Args:
        text: Words that must all occur in title, caption, file name, speech or screen text; the
            last one may be the start of a word. Or an id.
        where: Further conditions on ``VideoRow``.
        most: Stop counting after this many and one more: counting all takes longer than finding.
    """
    query, newest = (
        select(VideoRow.id).where(VideoRow.status.not_in(UNLISTED), *where),
        VideoRow.id.desc(),
    )
    if text.strip():
        query, newest = search_words.narrow(session, query, text)
    rows: list[VideoRow] = []
    if limit:
        ids = list(session.scalars(query.order_by(newest).offset(offset).limit(limit)))
        rows = list(session.scalars(select(VideoRow).where(VideoRow.id.in_(ids))))
        rows.sort(key=lambda row: ids.index(row.id))
        if not offset and len(rows) < limit:
            return rows, len(rows)
    if most is not None:
        query = query.order_by(newest).limit(most + 1)
    return rows, session.scalar(select(func.count()).select_from(query.subquery())) or 0


def count_by_status(session: Session) -> dict[str, int]:
    """Number of videos by their own status; every status is there."""
    rows = session.execute(select(VideoRow.status, func.count()).group_by(VideoRow.status)).all()
    found: dict[str, int] = {str(status): int(number) for status, number in rows}
    return {status: found.get(status, 0) for status in (WAITING, SCORING, SCORED, FAILED)}


def cases_of(session: Session, video_ids: Sequence[str]) -> dict[str, list[CaseRow]]:
    """Cases by video, in the order of tasks' ids."""
    grouped: dict[str, list[CaseRow]] = {video_id: [] for video_id in video_ids}
    query = select(CaseRow).where(CaseRow.video_id.in_(video_ids)).order_by(CaseRow.task)
    for row in session.scalars(query):
        grouped[row.video_id].append(row)
    return grouped
