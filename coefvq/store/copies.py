"""Which videos show footage of an original, what people said of it, who was looked at when.

A **pair** is two files, by digest, whichever of them is the copy. The newest answer on a pair
counts, also for matches that are found later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from coefvq.domain import CopyMatch
from coefvq.errors import StoreError
from coefvq.store import copy_searches
from coefvq.store.copy_searches import searched as searched
from coefvq.store.tables import (
    CopyAnswerRow,
    CopyMatchRow,
    OriginalRow,
    VideoRow,
    new_id,
    utcnow,
)
from coefvq.store.text import storable

_SPAN = ("query_start_s", "query_end_s", "reference_start_s", "reference_end_s")


class Said(StrEnum):
    """What a person says of a match."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Answer:
    """One person's answer on a pair of files.

    Attributes:
        match_id: The match that was on the screen.
    """

    match_id: str
    said: Said
    note: str
    reviewer: str
    answered_at: datetime


@dataclass(frozen=True)
class StoredMatch:
    """All that one video shares with one original.

    Attributes:
        original_id: Row of the original, which may have been removed since.
        video_id: The video looked at; its ``sha256`` is ``query_sha256``.
        spans: One a contiguous span, the best first; each has this ``match_id``.
        answer: The newest answer on the pair; ``None`` where nobody has said anything.
        replaced_at: When a later search took its place.
    """

    match_id: str
    original_id: int
    video_id: str
    query_sha256: str
    reference_sha256: str
    score: float
    spans: tuple[CopyMatch, ...]
    answer: Answer | None
    version: str
    found_at: datetime
    replaced_at: datetime | None


def put_matches(
    session: Session, video_id: str, matches: Sequence[CopyMatch], version: str
) -> list[str]:
    """Keep what a search found in the place of what the one before had found.

    The spans of one original become one row; a match with an original that is not in the store
    any more is passed over.

    Args:
        matches: As ``Originals.query`` returns them; empty where nothing was found.
        version: Of the fingerprint that was looked up.

    Returns:
        Ids of the rows, the best first.
    """
    now = utcnow()
    session.execute(
        update(CopyMatchRow)
        .where(CopyMatchRow.video_id == video_id, CopyMatchRow.replaced_at.is_(None))
        .values(replaced_at=now)
    )
    copy_searches.note(session, video_id, version)
    rows = []
    for spans in _by_original(matches):
        original = _original(session, spans[0])
        if original is not None:
            rows.append(_row(video_id, original, spans, version, now))
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def matches_of(session: Session, video_id: str) -> list[CopyMatch]:
    """A video's present matches, a span each, the best first: what its score is made of.

    Without what people rejected, and without originals that are in no bank any more.
    """
    found = stored_of(session, video_id)
    live = _live(session, {stored.reference_sha256 for stored in found})
    return [
        span
        for stored in found
        if stored.reference_sha256 in live
        and (stored.answer is None or stored.answer.said is not Said.REJECTED)
        for span in stored.spans
    ]


def _live(session: Session, digests: Collection[str]) -> set[str]:
    query = select(OriginalRow.sha256).where(
        OriginalRow.sha256.in_(digests), OriginalRow.removed_at.is_(None)
    )
    return set(session.scalars(query))


def stored_of(session: Session, video_id: str) -> list[StoredMatch]:
    """A video's present matches with people's answers, the best first."""
    rows = session.execute(
        _joined()
        .where(CopyMatchRow.video_id == video_id, CopyMatchRow.replaced_at.is_(None))
        .order_by(CopyMatchRow.score.desc(), CopyMatchRow.id)
    ).all()
    if not rows:
        return []
    known = _newest(session, rows[0][2], {original.sha256 for _, original, _ in rows})
    return [
        _stored(match, original, sha256, known.get(original.sha256))
        for match, original, sha256 in rows
    ]


def get(session: Session, match_id: str) -> StoredMatch:
    """Look one match up, also one that a later search replaced.

    Raises:
        StoreError: There is no such match.
    """
    row = session.execute(_joined().where(CopyMatchRow.id == match_id)).first()
    if row is None:
        raise StoreError(f"There is no match {match_id}. Open the video again to see its matches.")
    match, original, sha256 = row
    return _stored(
        match, original, sha256, _newest(session, sha256, {original.sha256}).get(original.sha256)
    )


def answer(
    session: Session, match_id: str, said: Said | str, note: str | None, reviewer: str
) -> Answer:
    """Add a person's answer on the match's pair; the caller appends the event.

    Raises:
        StoreError: There is no such match, or the answer is none of ``Said``.
    """
    match = get(session, match_id)
    if said not in list(Said):
        raise StoreError(f"Match {match_id}: '{said}' is no answer; say confirmed or rejected.")
    row = CopyAnswerRow(
        id=new_id(),
        match_id=match_id,
        query_sha256=match.query_sha256,
        reference_sha256=match.reference_sha256,
        answer=Said(said).value,
        note=storable(note) or "",
        reviewer=reviewer,
        answered_at=utcnow(),
    )
    session.add(row)
    session.flush()
    return _answer(row)


def answers_of(session: Session, video_id: str) -> list[Answer]:
    """All that was said of a video's matches, present and replaced, oldest first."""
    rows = session.scalars(
        select(CopyAnswerRow)
        .join(CopyMatchRow, CopyMatchRow.id == CopyAnswerRow.match_id)
        .where(CopyMatchRow.video_id == video_id)
        .order_by(CopyAnswerRow.answered_at, CopyAnswerRow.id)
    )
    return [_answer(row) for row in rows]


def rejected_pairs(session: Session, sha256: str) -> set[str]:
    """Digests of the files of which people say that this file is no copy, nor they of it."""
    found = _newest(session, sha256, None)
    return {other for other, each in found.items() if each.said is Said.REJECTED}


def confirmed_pairs(session: Session, sha256: str) -> set[str]:
    """Digests of the files of which people say that they share footage with this file."""
    found = _newest(session, sha256, None)
    return {other for other, each in found.items() if each.said is Said.CONFIRMED}


def _newest(session: Session, sha256: str, others: Collection[str] | None) -> dict[str, Answer]:
    """By the other file of the pair, the newest answer; all pairs where ``others`` is ``None``."""
    one, two = CopyAnswerRow.query_sha256, CopyAnswerRow.reference_sha256
    pair = or_(one == sha256, two == sha256)
    if others is not None:
        pair = or_(and_(one == sha256, two.in_(others)), and_(two == sha256, one.in_(others)))
    query = select(CopyAnswerRow).where(pair)
    found: dict[str, Answer] = {}
    for row in session.scalars(query.order_by(CopyAnswerRow.answered_at, CopyAnswerRow.id)):
        other = row.reference_sha256 if row.query_sha256 == sha256 else row.query_sha256
        found[other] = _answer(row)
    return found


def _joined() -> Any:
    return (
        select(CopyMatchRow, OriginalRow, VideoRow.sha256)
        .join(OriginalRow, OriginalRow.id == CopyMatchRow.original_id)
        .join(VideoRow, VideoRow.id == CopyMatchRow.video_id)
    )


def _by_original(matches: Iterable[CopyMatch]) -> list[list[CopyMatch]]:
    """Spans by original, best original and best span first."""

    def name(match: CopyMatch) -> tuple[str, str, str]:
        return match.bank, match.reference, match.sha256

    groups = groupby(sorted(matches, key=name), key=name)
    found = [sorted(group, key=lambda match: -match.score) for _, group in groups]
    return sorted(found, key=lambda group: -group[0].score)


def _original(session: Session, match: CopyMatch) -> OriginalRow | None:
    return session.scalars(
        select(OriginalRow)
        .where(
            OriginalRow.bank == match.bank,
            OriginalRow.reference == match.reference,
            OriginalRow.sha256 == match.sha256,
        )
        .order_by(OriginalRow.id.desc())
    ).first()


def _row(
    video_id: str, original: OriginalRow, spans: list[CopyMatch], version: str, now: datetime
) -> CopyMatchRow:
    kinds = dict.fromkeys(kind for span in spans for kind in span.transform)
    parts = [
        {"score": s.score, "transform": list(s.transform), "speed": s.speed, "by": list(s.by)}
        for s in spans
    ]
    return CopyMatchRow(
        id=new_id(),
        video_id=video_id,
        original_id=original.id,
        score=spans[0].score,
        spans=[[getattr(span, name) for name in _SPAN] for span in spans],
        transform=list(kinds),
        detail={"spans": parts},
        version=version,
        found_at=now,
    )


def _stored(
    row: CopyMatchRow, original: OriginalRow, sha256: str, said: Answer | None
) -> StoredMatch:
    plain = CopyMatch(
        original.reference,
        original.bank,
        row.score,
        0.0,
        0.0,
        0.0,
        0.0,
        video_id=original.video_id,
        sha256=original.sha256,
        match_id=row.id,
        confirmed=said is not None and said.said is Said.CONFIRMED,
    )
    return StoredMatch(
        match_id=row.id,
        original_id=original.id,
        video_id=row.video_id,
        query_sha256=sha256,
        reference_sha256=original.sha256,
        score=row.score,
        spans=tuple(
            replace(plain, **dict(zip(_SPAN, times, strict=True)), **_part(part))
            for times, part in zip(row.spans, row.detail["spans"], strict=True)
        ),
        answer=said,
        version=row.version,
        found_at=row.found_at,
        replaced_at=row.replaced_at,
    )


def _part(part: dict[str, Any]) -> dict[str, Any]:
    return {
        "score": float(part["score"]),
        "transform": tuple(part["transform"]),
        "speed": float(part["speed"]),
        "by": tuple(part["by"]),
    }


def _answer(row: CopyAnswerRow) -> Answer:
    said = Said(row.answer)
    return Answer(row.match_id, said, row.note, row.reviewer, row.answered_at)
