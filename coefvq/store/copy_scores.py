"""What a video's score as a copy is made of, and which videos are scored again when it changes.

A video is not scored again under somebody's hands: the job waits while any of its cases is open
(``jobs.claim_next``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from coefvq.domain import CopyMatch
from coefvq.store import copies, copy_searches, jobs, videos
from coefvq.store.originals import DO_NOT_MATCH
from coefvq.store.tables import (
    CopyMatchRow,
    JobKind,
    JobRow,
    JobState,
    OriginalRow,
    VideoRow,
)

FOUND, ANSWERED = "copies", "answer"
"""Why a video is scored again: a search found something else, or a person said something. After an
answer, cases that are decided keep what the machine had said before: else it would be credited
with what it was told."""
BEHIND = -1
"""Priority of what a change of a bank brings about: uploads go first."""

Known = tuple[CopyMatch, ...] | None


@dataclass(frozen=True)
class Before:
    """What counted before an answer on a pair, or before a change of a bank.

    Attributes:
        sha256: Digest of the original.
        live: Whether it was in a bank.
        known: By video that an answer on the pair is about, what its score was made of.
    """

    sha256: str
    live: bool
    known: dict[str, Known]


def known(session: Session, video_id: str) -> Known:
    """What the store knows of a video's copies: ``None`` where nobody could look."""
    if not copy_searches.searched(session, video_id):
        return None
    return tuple(copies.matches_of(session, video_id))


def differ(one: Known, other: Known) -> bool:
    """Whether two answers of ``known`` say different things; ids of rows do not count."""
    return (one is None) != (other is None) or plain(one) != plain(other)


def plain(found: Collection[CopyMatch] | None) -> list[CopyMatch]:
    """Matches without the ids of their rows; that nothing was found changes no verdict."""
    return [replace(match, match_id=None) for match in found or ()]


def before_change(
    session: Session, original_sha256: str, query_sha256: str | None = None
) -> Before:
    """Note what counts now.

    Args:
        query_sha256: The other file of the pair that somebody says something of.
    """
    pair = _of_pair(session, original_sha256, query_sha256) if query_sha256 else []
    counted = {video_id: known(session, video_id) for video_id in pair}
    return Before(original_sha256, _is_live(session, original_sha256), counted)


def queue_changed(session: Session, before: Before, banks: Collection[str] = ()) -> list[str]:
    """Queue what scores or searches differently after a change; return the videos' ids.

    Args:
        banks: Banks that the change has put something into or taken something out of: with
            ``do_not_match``, videos that ever matched the original are searched again.
    """
    due = {each for each, was in before.known.items() if differ(was, known(session, each))}
    if before.live != _is_live(session, before.sha256):
        due |= _matched(session, before.sha256, ever=False)
    for video_id in sorted(due):
        again(session, JobKind.SCORE, video_id, ANSWERED)
    searched = _matched(session, before.sha256, ever=True) if DO_NOT_MATCH in banks else set()
    for video_id in sorted(searched):
        again(session, JobKind.FINGERPRINT, video_id, ANSWERED, priority=BEHIND)
    return sorted(due | searched)


def again(
    session: Session, kind: JobKind, video_id: str, why: str, priority: int | None = None
) -> JobRow:
    """Queue a video once more, for when nobody has a case of it open.

    Also where such a job runs just now: it may have read what was there before.

    Args:
        why: ``FOUND`` or ``ANSWERED``.
        priority: Default: the kind's.
    """
    scored = videos.has_answer(session, video_id)
    row = session.scalars(
        select(JobRow).where(
            JobRow.kind == kind.value,
            JobRow.video_id == video_id,
            JobRow.state == JobState.QUEUED.value,
        )
    ).first()
    if row is None:
        row = JobRow(
            kind=kind.value, video_id=video_id, payload={jobs.AGAIN: why} if scored else {}
        )
        row.priority = jobs.PRIORITY[kind] if priority is None else priority
        session.add(row)
        session.flush()
    elif scored and why == ANSWERED:
        row.payload = row.payload | {jobs.AGAIN: why}
    return row


def _of_pair(session: Session, one: str, other: str) -> list[str]:
    """Videos of either file that have a match with the other one, oldest first."""
    query = (
        select(CopyMatchRow.video_id)
        .join(OriginalRow, OriginalRow.id == CopyMatchRow.original_id)
        .join(VideoRow, VideoRow.id == CopyMatchRow.video_id)
        .where(
            CopyMatchRow.replaced_at.is_(None),
            or_(
                and_(VideoRow.sha256 == other, OriginalRow.sha256 == one),
                and_(VideoRow.sha256 == one, OriginalRow.sha256 == other),
            ),
        )
    )
    return sorted(set(session.scalars(query)))


def _matched(session: Session, sha256: str, ever: bool) -> set[str]:
    """Videos with a match of an original, also those that a later search replaced."""
    query = (
        select(CopyMatchRow.video_id)
        .join(OriginalRow, OriginalRow.id == CopyMatchRow.original_id)
        .where(OriginalRow.sha256 == sha256)
    )
    if not ever:
        query = query.where(CopyMatchRow.replaced_at.is_(None))
    return set(session.scalars(query.distinct()))


def _is_live(session: Session, sha256: str) -> bool:
    query = select(OriginalRow.id).where(
        OriginalRow.sha256 == sha256, OriginalRow.removed_at.is_(None)
    )
    return session.scalar(query.limit(1)) is not None
