"""Store what the cascade answered on a video: signals, assessments, verdicts, cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from sqlalchemy.orm import Session

from coefvq.domain import CascadeResult, Rationale, TaskResult
from coefvq.errors import StoreError
from coefvq.store import (
    assessments,
    cases,
    codec,
    embeddings,
    events,
    search,
    signals_cache,
    trials,
    videos,
)
from coefvq.store.tables import AssessmentRow, CaseRow, CaseState, VerdictRow, VideoRow, new_id

Priority = Callable[[TaskResult], float]


@dataclass(frozen=True)
class Recorded:
    """Where a result went: assessment ids, and case ids by task."""

    prefilter_id: str
    mllm_id: str | None
    case_ids: dict[str, str]


def record(
    session: Session,
    video: VideoRow,
    result: CascadeResult,
    *,
    payloads: Mapping[tuple[str, str], bytes],
    priority: Priority,
    actor: str,
    open_cases: bool = True,
    keep_decided: bool = False,
) -> Recorded:
    """Store one result in the transaction at hand.

    Args:
        payloads: Bytes of new signals by (sha256, extractor version).
        priority: How urgent a task's case is for a person.
        actor: Who scored: the worker's name.
        open_cases: False stores signals and assessments only.
        keep_decided: Leave decided cases with the verdict that they have.
    """
    _store_signals(session, result, payloads)
    _make_findable(session, video, result)
    if result.info is not None:
        videos.set_info(video.media, replace(result.info, warnings=result.warnings))
    cost = asdict(result.cost)
    first = assessments.add(session, video.id, result.prefilter, cost)
    second = assessments.add(session, video.id, result.mllm, cost) if result.mllm else None
    by_task: dict[str, str] = {}
    if open_cases:
        by_task = _judge(session, video, result, first, second, priority, keep_decided)
        video.status = videos.SCORED
    data = {"routes": {task: each.route.name.value for task, each in result.tasks.items()}}
    events.append(session, actor, "video.scored", "video", video.id, data)
    return Recorded(first.id, second.id if second else None, by_task)


def add_rationale(session: Session, case: CaseRow, rationale: Rationale, actor: str) -> VerdictRow:
    """Store a rationale made later: a new assessment row, and a verdict that points to it.

    Raises:
        StoreError: The MLLM has not looked at the case, so there is nothing to explain.
    """
    old = session.get(VerdictRow, case.verdict_id) if case.verdict_id else None
    if old is None or old.mllm_id is None:
        raise StoreError(f"Case {case.id}: the MLLM has not looked at it; nothing to explain.")
    said = codec.assessment_from(assessments.get(session, old.mllm_id))
    row = assessments.add(session, case.video_id, replace(said, rationale=rationale))
    for sibling in cases.of_video(session, case.video_id).values():
        verdict = session.get(VerdictRow, sibling.verdict_id) if sibling.verdict_id else None
        if verdict is not None and verdict.mllm_id == old.mllm_id:
            sibling.verdict_id = _with_mllm(session, verdict, row.id).id
    events.append(session, actor, "case.explained", "case", case.id, {"assessment": row.id})
    session.flush()
    return session.get_one(VerdictRow, case.verdict_id)


def _with_mllm(session: Session, verdict: VerdictRow, mllm_id: str) -> VerdictRow:
    kept = ("case_id", "prefilter_id", "expensive_extractor", "verdict", "probability")
    rest = ("policies", "route", "first_route", "models")
    values = {name: getattr(verdict, name) for name in (*kept, *rest)}
    row = VerdictRow(id=new_id(), mllm_id=mllm_id, **values)
    session.add(row)
    session.flush()
    return row


def _store_signals(
    session: Session, result: CascadeResult, payloads: Mapping[tuple[str, str], bytes]
) -> None:
    for (sha256, extractor), payload in payloads.items():
        expensive = result.expensive
        mine = expensive is not None and expensive.extractor == extractor
        readable = codec.readable_to(expensive) if expensive is not None and mine else None
        signals_cache.put(session, sha256, extractor, payload, readable)


def _make_findable(session: Session, video: VideoRow, result: CascadeResult) -> None:
    """By its words and by what it looks like."""
    if video.status != videos.KEPT:
        search.index(session, video, result.expensive)
    cheap = result.cheap
    if cheap is not None and cheap.frame_embeddings is not None:
        embeddings.put(session, video.sha256, cheap.extractor, cheap.frame_embeddings)


def _judge(
    session: Session,
    video: VideoRow,
    result: CascadeResult,
    first: AssessmentRow,
    second: AssessmentRow | None,
    priority: Priority,
    keep_decided: bool,
) -> dict[str, str]:
    known = cases.of_video(session, video.id)
    for task, answer in result.tasks.items():
        if task not in known:
            known[task] = cases.open_pending(session, video.id, [task])[0]
        if keep_decided and known[task].state == CaseState.DECIDED.value:
            continue
        row = cases.add_verdict(
            session,
            known[task],
            answer,
            prefilter_id=first.id,
            mllm_id=second.id if second else None,
            expensive_extractor=result.expensive.extractor if result.expensive else None,
            models=result.models,
        )
        if answer.shadow is not None:
            trials.keep_shadow(session, row.id, answer.shadow)
        cases.send(session, known[task], answer.route, priority(answer))
    return {task: known[task].id for task in result.tasks}
