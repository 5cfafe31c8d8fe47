"""Which originals a video shows footage of, with the seconds, as far as somebody may know it.

A match is the machine's answer: whoever answers a case before they see that answer is not shown
the pair either. What another person said of a pair is left out wherever decisions are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.review import blinding, looks, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.copy_views import (
    BANK,
    LIBRARY,
    REMOVED,
    RESTRICTED,
    AnswerView,
    CopyOf,
    CopyPair,
    OriginalView,
    SameFootage,
    SpanView,
)
from coefvq.review.video_views import video_view
from coefvq.settings import Settings
from coefvq.store import cases, originals, videos
from coefvq.store import copies as rows_of
from coefvq.store.copies import Said, StoredMatch
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, CopyMatchRow, OriginalRow, VideoRow

MOST_LATER = 50
"""So many later copies of a video are listed."""


@dataclass(frozen=True)
class VideoCopies:
    """What is known of one video's copies.

    Attributes:
        pairs: Originals that it shows footage of, the likeliest first.
        later: Later videos that show footage of it.
        searched: Somebody has looked for originals of it at all.
        left_out: The actor answers a case of it before they see what the machine found.
    """

    pairs: tuple[CopyPair, ...] = ()
    later: tuple[CopyOf, ...] = ()
    searched: bool = True
    left_out: bool = False


def of_video(store: Store, settings: Settings, actor: Actor, video_id: str) -> VideoCopies:
    """What is known of a video's copies, both ways. Leads are told before they answer, too.

    Raises:
        StoreError: There is no such video.
        NotAllowed: A case of it is in a restricted queue that is closed to the actor.
    """
    require(actor, Permission.VIEW)
    blinding.prepare(store, settings)
    with store.read() as session:
        video = videos.get(session, video_id)
        queues.require_open_video(session, actor, video_id)
        later = later_of(session, settings, actor, video)
        found = list(cases.of_video(session, video_id).values())
        if not told(session, settings, actor, found):
            return VideoCopies((), later, left_out=True)
        pairs = pairs_of(session, settings, actor, video)
        if looks.concealed(session, actor, [case.id for case in found]):
            pairs = without_others(pairs, actor)
        return VideoCopies(pairs, later, rows_of.searched(session, video_id))


def pairs_of(
    session: Session, settings: Settings, actor: Actor, video: VideoRow
) -> tuple[CopyPair, ...]:
    """The originals of a video, one pair a file: what is confirmed first, what is rejected last.

    It does not ask who is blind: that is for whoever shows it (``told``, ``blinding.masked``).
    """
    best: dict[str, StoredMatch] = {}  # a file may be in several banks
    for stored in rows_of.stored_of(session, video.id):
        if stored.spans[0].bank != originals.DO_NOT_MATCH:
            best.setdefault(stored.reference_sha256 or stored.match_id, stored)
    made = [_pair(session, settings, actor, stored) for stored in best.values()]
    return tuple(sorted(made, key=lambda pair: (pair.rejected, not pair.confirmed, -pair.score)))


def later_of(
    session: Session, settings: Settings, actor: Actor, video: VideoRow
) -> tuple[CopyOf, ...]:
    """Later videos that show footage of this one, as far as the actor may know, newest first."""
    query = (
        select(CopyMatchRow.video_id, CopyMatchRow.id)
        .join(OriginalRow, OriginalRow.id == CopyMatchRow.original_id)
        .join(VideoRow, VideoRow.id == CopyMatchRow.video_id)
        .where(
            CopyMatchRow.replaced_at.is_(None),
            OriginalRow.sha256 == video.sha256,
            OriginalRow.bank != originals.DO_NOT_MATCH,
            VideoRow.id != video.id,
            VideoRow.status.not_in(videos.UNLISTED),
            *queues.hidden_videos(session, actor),
        )
    )
    best = dict(session.execute(query.order_by(CopyMatchRow.score)).tuples().all())
    newest = sorted(best, reverse=True)[:MOST_LATER]
    found = (rows_of.get(session, best[video_id]) for video_id in newest)
    return tuple(_later(session, settings, actor, found))


def footage_with(
    session: Session, settings: Settings, actor: Actor, video: VideoRow
) -> dict[str, SameFootage]:
    """The library's videos that share footage with this one, by id, as far as the actor may know.

    What people said is no copy is not among them.
    """
    found = {
        each.video_id: SameFootage(each.score, longest(each.spans), each.transform, earlier=False)
        for each in later_of(session, settings, actor, video)
    }
    if told(session, settings, actor, list(cases.of_video(session, video.id).values())):
        for pair in pairs_of(session, settings, actor, video):
            original = pair.original.video
            if original is not None and not pair.rejected:
                found[original.id] = SameFootage(pair.score, longest(pair.spans), pair.transform)
    return found


def longest(spans: Sequence[SpanView]) -> SpanView:
    """The span with the most footage."""
    return max(spans, key=lambda span: span.query_end_s - span.query_start_s)


def told(
    session: Session,
    settings: Settings,
    actor: Actor,
    found: Sequence[CaseRow],
    *,
    leads: bool = True,
) -> bool:
    """Whether the actor may know what the machine found in the video of these cases.

    Args:
        leads: Leads may, as everywhere outside of Review.
    """
    if leads and actor.may(Permission.LEAD):
        return True
    if blinding.among(session, settings, actor, found):
        return False
    asked = looks.concealed(session, actor, [case.id for case in found])
    waiting = [case for case in found if case.id in asked]
    return not blinding.among(session, settings, actor, waiting, as_look=True)


def without_others(pairs: Iterable[CopyPair], actor: Actor) -> tuple[CopyPair, ...]:
    """The pairs without what other people said of them."""
    return tuple(
        pair
        if pair.answer is None or pair.answer.reviewer == actor.name
        else replace(pair, answer=None)
        for pair in pairs
    )


def spans_of(stored: StoredMatch) -> tuple[SpanView, ...]:
    """The stretches of footage of a stored match, by start."""
    made = (
        SpanView(
            span.query_start_s,
            span.query_end_s,
            span.reference_start_s,
            span.reference_end_s,
            span.speed,
            span.score,
        )
        for span in stored.spans
    )
    return tuple(sorted(made, key=lambda span: span.query_start_s))


def transform_of(stored: StoredMatch) -> tuple[str, ...]:
    """Every kind of edit that some span shows, the best span's first."""
    return tuple(dict.fromkeys(kind for span in stored.spans for kind in span.transform))


def is_open(session: Session, actor: Actor, video_id: str) -> bool:
    """Whether no case of a video is in a queue that is closed to the actor."""
    closed = queues.closed_to(session, actor)
    if not closed:
        return True
    return all(case.queue not in closed for case in cases.of_video(session, video_id).values())


def uploads(session: Session, stored: StoredMatch) -> list[VideoRow]:
    """The library's videos with the original's bytes: the one it was added as, then the oldest."""
    original = session.get_one(OriginalRow, stored.original_id)
    query = select(VideoRow).where(
        VideoRow.sha256 == original.sha256,
        VideoRow.id != stored.video_id,
        VideoRow.status.not_in(videos.UNLISTED),
    )
    found = session.scalars(query.order_by(VideoRow.id))
    return sorted(found, key=lambda video: video.id != original.video_id)


def banks_of(session: Session, sha256: str) -> set[str]:
    """The banks that hold a file, but for the one of what proves nothing."""
    query = select(OriginalRow.bank).where(
        OriginalRow.sha256 == sha256,
        OriginalRow.bank != originals.DO_NOT_MATCH,
        OriginalRow.removed_at.is_(None),
    )
    return set(session.scalars(query))


def _pair(session: Session, settings: Settings, actor: Actor, stored: StoredMatch) -> CopyPair:
    said = stored.answer
    return CopyPair(
        match_id=stored.match_id,
        video_id=stored.video_id,
        score=stored.score,
        spans=spans_of(stored),
        transform=transform_of(stored),
        by=tuple(dict.fromkeys(way for span in stored.spans for way in span.by)),
        found_at=stored.found_at,
        original=_original(session, settings, actor, stored),
        answer=AnswerView(said.said.value, said.reviewer, said.answered_at, said.note)
        if said
        else None,
    )


def _original(
    session: Session, settings: Settings, actor: Actor, stored: StoredMatch
) -> OriginalView:
    row = session.get_one(OriginalRow, stored.original_id)
    known = uploads(session, stored)
    seen = [video for video in known if is_open(session, actor, video.id)]
    where = LIBRARY if seen else RESTRICTED if known else REMOVED if row.removed_at else BANK
    return OriginalView(
        where=where,
        reference="" if where == RESTRICTED else row.reference,
        banks=tuple(sorted({row.bank, *banks_of(session, row.sha256)})),
        duration_s=row.duration_s,
        added_by=row.added_by,
        added_at=row.added_at,
        video=video_view(session, settings, seen[0]) if seen else None,
    )


def _later(
    session: Session, settings: Settings, actor: Actor, found: Iterable[StoredMatch]
) -> Iterable[CopyOf]:
    for stored in found:
        every = list(cases.of_video(session, stored.video_id).values())
        no_copy = stored.answer is not None and stored.answer.said is Said.REJECTED
        if no_copy or not told(session, settings, actor, every):
            continue
        video = videos.get(session, stored.video_id)
        yield CopyOf(
            match_id=stored.match_id,
            video_id=video.id,
            title=video.title or video.original_name,
            uploaded_at=video.uploaded_at,
            score=stored.score,
            spans=spans_of(stored),
            transform=transform_of(stored),
        )
