"""What people answered, as plain columns: what dataset snapshots are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from coefvq.store.copies import Said
from coefvq.store.decisions import stands
from coefvq.store.tables import (
    CachedSignalsRow,
    CaseRow,
    CaseState,
    CopyAnswerRow,
    CopyMatchRow,
    DecisionRow,
    EmbeddingRow,
    EventRow,
    GoldenRow,
    LookKind,
    LookRow,
    OriginalRow,
    QueueRow,
    VerdictRow,
    VideoRow,
)
from coefvq.store.videos import KEPT

_AT_ONCE = 5000  # values of one query

CHOSEN = "case.label_next"
"""Event: a case was chosen for labelling; its data hold ``propensity``."""


class Decided(NamedTuple):
    """A decision that stands.

    Attributes:
        labels: By policy ``violation`` or ``ok``.
        route: Of the verdict that was on the screen; ``None`` where there was none.
        shown: By policy the scores that were on the screen.
    """

    video_id: str
    case_id: str
    task: str
    decision_id: str
    reviewer: str
    role: str
    kind: str
    labels: dict[str, str]
    at: datetime
    start_s: float | None
    end_s: float | None
    taxonomy: str | None
    route: dict[str, Any] | None
    shown: dict[str, Any] | None


class Second(NamedTuple):
    """A second, independent answer on a case."""

    video_id: str
    case_id: str
    task: str
    reviewer: str
    labels: dict[str, str]
    at: datetime


class Golden(NamedTuple):
    """A case whose answer is known; ``retired``: it is shown to nobody any more."""

    video_id: str
    case_id: str
    task: str
    labels: dict[str, str]
    start_s: float | None
    end_s: float | None
    retired: bool
    at: datetime


class CopyAnswer(NamedTuple):
    """What a person said of a match, newest of the pair: whether the video is a copy."""

    video_id: str
    reviewer: str
    confirmed: bool
    at: datetime


class Upload(NamedTuple):
    """A video of the library. Title and caption are hostile."""

    video_id: str
    sha256: str
    uploader: str
    title: str | None
    caption: str | None


class Undecided(NamedTuple):
    """A case that could be labelled. Title, caption and name are hostile.

    Attributes:
        policies: By policy what both stages said of it.
    """

    case_id: str
    video_id: str
    state: str
    probability: float | None
    policies: dict[str, Any]
    sha256: str
    title: str | None
    caption: str | None
    name: str


def restricted() -> Select[str]:
    """Ids of the videos of which a case is in a restricted queue: they may be illegal to have."""
    names = select(QueueRow.id).where(QueueRow.restricted)
    return select(CaseRow.video_id).where(CaseRow.queue.in_(names))


def decided(session: Session) -> Iterator[Decided]:
    """All decisions that stand on videos that may be kept, by video, oldest first."""
    query = (
        select(
            CaseRow.video_id, CaseRow.id, DecisionRow.task, DecisionRow.id, DecisionRow.reviewer,
            DecisionRow.role, DecisionRow.kind, DecisionRow.labels, DecisionRow.decided_at,
            DecisionRow.start_s, DecisionRow.end_s, DecisionRow.taxonomy_version,
            DecisionRow.snapshot["route"].label("route"),
            DecisionRow.snapshot["policies"].label("shown"),
        )
        .join(CaseRow, CaseRow.id == DecisionRow.case_id)
        .where(stands(), CaseRow.video_id.not_in(restricted()))
        .order_by(CaseRow.video_id, DecisionRow.id)
    )  # fmt: skip
    for row in session.execute(query.execution_options(yield_per=2000)):
        yield Decided(*row)


def seconds(session: Session) -> list[Second]:
    """All second answers whose first decision stands, oldest first."""
    query = (
        select(
            CaseRow.video_id, CaseRow.id, LookRow.task, LookRow.reviewer, LookRow.labels,
            LookRow.answered_at,
        )
        .join(CaseRow, CaseRow.id == LookRow.case_id)
        .join(DecisionRow, DecisionRow.id == LookRow.decision_id)
        .where(LookRow.kind == LookKind.SECOND.value, LookRow.answered_at.is_not(None), stands())
        .where(CaseRow.video_id.not_in(restricted()))
        .order_by(LookRow.answered_at, LookRow.id)
    )  # fmt: skip
    return [Second(*row) for row in session.execute(query)]


def golden(session: Session) -> list[Golden]:
    """All golden cases that ever were, oldest first."""
    query = (
        select(
            CaseRow.video_id, CaseRow.id, CaseRow.task, GoldenRow.labels, GoldenRow.start_s,
            GoldenRow.end_s, GoldenRow.retired_at.is_not(None), GoldenRow.added_at,
        )
        .join(CaseRow, CaseRow.id == GoldenRow.case_id)
        .order_by(GoldenRow.id)
    )  # fmt: skip
    return [Golden(*row) for row in session.execute(query)]


def copy_answers(session: Session) -> list[CopyAnswer]:
    """What people said of the matches that stand, the newest answer on each pair of files.

    Where the original is a later upload than the video, the video is no copy of it: such matches
    are passed over. A rejection says nothing of a video with another match that nobody answered.
    """
    newest = _newest_answers(session)
    found, unanswered = [], set()
    for video, mine, theirs in session.execute(_matches()):
        said = newest.get(frozenset((mine, theirs)))
        if said is None:
            unanswered.add(video)
            continue
        confirmed = said.answer == Said.CONFIRMED.value
        found.append(CopyAnswer(video, said.reviewer, confirmed, said.answered_at))
    kept = [each for each in found if each.confirmed or each.video_id not in unanswered]
    return sorted(kept, key=lambda each: (each.video_id, each.at))


def rejected_files(session: Session) -> set[frozenset[str]]:
    """Pairs of files of which people say that neither is a copy of the other."""
    newest = _newest_answers(session)
    return {pair for pair, row in newest.items() if row.answer == Said.REJECTED.value}


def matched_files(session: Session) -> list[tuple[str, str]]:
    """Present matches as (video id, digest of the original), without rejected pairs."""
    rejected = rejected_files(session)
    query = (
        select(CopyMatchRow.video_id, VideoRow.sha256, OriginalRow.sha256)
        .join(OriginalRow, OriginalRow.id == CopyMatchRow.original_id)
        .join(VideoRow, VideoRow.id == CopyMatchRow.video_id)
        .where(CopyMatchRow.replaced_at.is_(None))
    )
    return [
        (video, theirs)
        for video, mine, theirs in session.execute(query)
        if frozenset((mine, theirs)) not in rejected
    ]


def uploads(session: Session) -> Iterator[Upload]:
    """All videos of the library."""
    query = select(
        VideoRow.id, VideoRow.sha256, VideoRow.uploader, VideoRow.title, VideoRow.caption
    ).where(VideoRow.status != KEPT)
    for row in session.execute(query.execution_options(yield_per=5000)):
        yield Upload(*row)


def chosen(session: Session) -> dict[str, list[tuple[datetime, float]]]:
    """By case, when it was chosen for labelling and with which probability, oldest first."""
    query = select(EventRow.subject_id, EventRow.at, EventRow.data).where(EventRow.kind == CHOSEN)
    found: dict[str, list[tuple[datetime, float]]] = {}
    for case_id, at, data in session.execute(query.order_by(EventRow.seq)):
        found.setdefault(case_id, []).append((at, float(data["propensity"])))
    return found


def vectors(session: Session, digests: Collection[str]) -> Iterator[tuple[str, str, bytes]]:
    """What media look like: digest, version, float16 bytes; see ``store.embeddings``."""
    row = EmbeddingRow
    for some in _few(digests):
        query = select(row.sha256, row.version, row.vector).where(row.sha256.in_(some))
        for sha256, version, vector in session.execute(query):  # noqa: UP028 - plain tuples
            yield sha256, version, vector


def speech(session: Session, digests: Collection[str]) -> dict[str, str]:
    """By digest, what was heard, where it was understood; hostile."""
    row = CachedSignalsRow
    found: dict[str, str] = {}
    for some in _few(digests):
        query = select(row.sha256, row.readable).where(
            row.sha256.in_(some), row.extractor.startswith("expensive-")
        )
        for sha256, readable in session.execute(query.order_by(row.created_at)):
            lines = (readable or {}).get("speech") or []
            if (readable or {}).get("speech_understood") is not False:
                found[sha256] = " ".join(str(line["text"]) for line in lines)
    return found


def _few(digests: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(digests)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


def candidates(session: Session, task: str) -> Iterator[Undecided]:
    """Scored cases of a task that nobody has decided, and that were not chosen yet.

    Restricted queues are left out, and golden cases, for no training sees them.
    """
    aside = exists().where(GoldenRow.case_id == CaseRow.id)
    chosen_before = exists().where(EventRow.kind == CHOSEN, EventRow.subject_id == CaseRow.id)
    query = (
        select(
            CaseRow.id, CaseRow.video_id, CaseRow.state, CaseRow.probability,
            VerdictRow.policies, VideoRow.sha256, VideoRow.title, VideoRow.caption,
            VideoRow.original_name,
        )
        .join(VerdictRow, VerdictRow.id == CaseRow.verdict_id)
        .join(VideoRow, VideoRow.id == CaseRow.video_id)
        .where(CaseRow.task == task, CaseRow.decision_id.is_(None), ~aside)
        .where(CaseRow.state.in_((CaseState.AUTO.value, CaseState.QUEUED.value)))
        .where(~chosen_before)
        .where(CaseRow.video_id.not_in(restricted()), VideoRow.status != KEPT)
        .order_by(CaseRow.id)
    )  # fmt: skip
    for row in session.execute(query.execution_options(yield_per=2000)):
        yield Undecided(*row)


def decided_videos(session: Session, task: str, limit: int) -> list[Upload]:
    """Videos with a decided case of a task, those decided last first."""
    query = (
        select(VideoRow.id, VideoRow.sha256, VideoRow.uploader, VideoRow.title, VideoRow.caption)
        .join(CaseRow, CaseRow.video_id == VideoRow.id)
        .where(CaseRow.task == task, CaseRow.decision_id.is_not(None))
        .order_by(CaseRow.decision_id.desc())
    )
    return [Upload(*row) for row in session.execute(query.limit(limit))]


def count_decided(session: Session, task: str) -> int:
    """Decided cases of a task."""
    mine = (CaseRow.task == task, CaseRow.decision_id.is_not(None))
    return session.scalar(select(func.count()).select_from(CaseRow).where(*mine)) or 0


def count_restricted(session: Session) -> int:
    """Videos with a decision that stands that are left out, for they are in a restricted queue."""
    query = select(func.count(CaseRow.video_id.distinct())).join(
        DecisionRow, DecisionRow.case_id == CaseRow.id
    )
    return session.scalar(query.where(stands(), CaseRow.video_id.in_(restricted()))) or 0


def _newest_answers(session: Session) -> dict[frozenset[str], CopyAnswerRow]:
    rows = session.scalars(
        select(CopyAnswerRow).order_by(CopyAnswerRow.answered_at, CopyAnswerRow.id)
    )
    return {frozenset((row.query_sha256, row.reference_sha256)): row for row in rows}


def _matches() -> Any:
    """Video, its file, the original's file; only of originals that were there before."""
    source = aliased(VideoRow)
    return (
        select(CopyMatchRow.video_id, VideoRow.sha256, OriginalRow.sha256)
        .join(OriginalRow, OriginalRow.id == CopyMatchRow.original_id)
        .join(VideoRow, VideoRow.id == CopyMatchRow.video_id)
        .outerjoin(source, source.id == OriginalRow.video_id)
        .where(CopyMatchRow.replaced_at.is_(None), VideoRow.id.not_in(restricted()))
        .where(or_(source.id.is_(None), source.uploaded_at <= VideoRow.uploaded_at))
    )
