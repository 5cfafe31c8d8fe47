"""Cases: open them with a video, give them verdicts, send them where they belong."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.domain import Route, RouteName, TaskResult
from coefvq.errors import StoreError
from coefvq.store import ageing, codec, queues, videos
from coefvq.store.tables import (
    AssessmentRow,
    CaseRow,
    CaseState,
    SkipRow,
    VerdictRow,
    VideoRow,
    utcnow,
)

_FOR_PEOPLE = {RouteName.HUMAN, RouteName.MLLM}
"""``mllm`` is where the MLLM was due and could not run: a person decides instead."""


def open_pending(session: Session, video_id: str, tasks: Iterable[str]) -> list[CaseRow]:
    """Open one case a task for a new video."""
    rows = [CaseRow(video_id=video_id, task=task) for task in tasks]
    session.add_all(rows)
    session.flush()
    return rows


def get(session: Session, case_id: str) -> CaseRow:
    """Look one case up.

    Raises:
        StoreError: There is no such case.
    """
    return _known(session.get(CaseRow, case_id), case_id)


def locked(session: Session, case_id: str) -> CaseRow:
    """Look one case up to change it: others who change it wait.

    Whoever needs a case and its lease locks the case first, so that no two wait for one another.

    Raises:
        StoreError: There is no such case.
    """
    query = select(CaseRow).where(CaseRow.id == case_id).with_for_update()
    found = session.scalars(query.execution_options(populate_existing=True)).first()
    return _known(found, case_id)


def of_video(session: Session, video_id: str) -> dict[str, CaseRow]:
    """The cases of a video, by task."""
    rows = session.scalars(select(CaseRow).where(CaseRow.video_id == video_id))
    return {row.task: row for row in rows}


def add_verdict(
    session: Session,
    case: CaseRow,
    result: TaskResult,
    *,
    prefilter_id: str,
    mllm_id: str | None,
    expensive_extractor: str | None,
    models: dict[str, str | None],
) -> VerdictRow:
    """Store the machine's answer on a case; the case points to it from now on."""
    row = VerdictRow(
        case_id=case.id,
        prefilter_id=prefilter_id,
        mllm_id=mllm_id,
        expensive_extractor=expensive_extractor,
        verdict=result.verdict.value,
        probability=result.probability,
        policies=codec.finals_to(result),
        route=codec.route_to(result.route),
        first_route=codec.route_to(result.first_route) if result.first_route else None,
        models=dict(models),
    )
    session.add(row)
    session.flush()
    _repeat(case, row)
    return row


def send(
    session: Session, case: CaseRow, route: Route, urgency: float, now: datetime | None = None
) -> None:
    """Put a scored case where its route says. What a person decided stays decided.

    An automatic outcome that was drawn for an audit waits for a person as well.

    Args:
        urgency: How urgent it is for a person, without its age; see ``store.ageing``.
    """
    moment = now or utcnow()
    case.priority = ageing.ranked(urgency, case.queued_at)
    case.updated_at = moment
    if case.state == CaseState.DECIDED.value:
        return
    if route.name in _FOR_PEOPLE or route.audit:
        queue(session, case, moment)
    elif not case.second_look and case.rule != queues.LABEL_NEXT:
        case.state, case.queued_at, case.due_at = CaseState.AUTO.value, None, None
        case.priority = urgency


def queue(session: Session, case: CaseRow, now: datetime | None = None) -> None:
    """Let the case wait for a person; one that waits already keeps its age.

    Stamps its queue, its place in the order and until when it is promised.

    Raises:
        StoreError: Its video was deleted: nobody can review it.
    """
    if video_of(session, case).status == videos.DELETED:
        raise StoreError(f"The video of case {case.id} was deleted; nobody can review it again.")
    if case.state != CaseState.QUEUED.value:
        urgency, moment = ageing.urgency_of(case), now or utcnow()
        case.state, case.queued_at = CaseState.QUEUED.value, moment
        case.priority = ageing.ranked(urgency, moment)
    queues.stamp(session, case)


def set_aside(session: Session, video_id: str) -> None:
    """Take the undecided cases of a video that cannot be scored out of the queue."""
    for case in of_video(session, video_id).values():
        if case.state == CaseState.PENDING.value:
            case.state, case.updated_at = CaseState.SET_ASIDE.value, utcnow()


def bring_back(session: Session, video_id: str) -> None:
    """Let cases that were set aside wait for their score again."""
    for case in of_video(session, video_id).values():
        if case.state == CaseState.SET_ASIDE.value:
            case.state, case.updated_at = CaseState.PENDING.value, utcnow()


def note_skip(
    session: Session, case_id: str, reviewer: str, reason: str = "", now: datetime | None = None
) -> None:
    """Remember that a reviewer passed the case over, and why."""
    moment = now or utcnow()
    row = SkipRow(case_id=case_id, reviewer=reviewer, reason=reason, skipped_at=moment)
    session.merge(row)


def counts(session: Session) -> dict[str, int]:
    """Number of cases by state; every state is there."""
    rows = session.execute(select(CaseRow.state, func.count()).group_by(CaseRow.state)).all()
    found: dict[str, int] = {str(state): int(number) for state, number in rows}
    return {state.value: found.get(state.value, 0) for state in CaseState}


def _known(row: CaseRow | None, case_id: str) -> CaseRow:
    if row is None:
        raise StoreError(f"There is no case {case_id}. Its video may have been deleted.")
    return row


def _repeat(case: CaseRow, verdict: VerdictRow) -> None:
    case.verdict_id = verdict.id
    case.verdict, case.top_policy = verdict.verdict, queues.top_policy(verdict)
    case.probability = verdict.probability
    case.route = verdict.route["name"]
    case.routing_version = verdict.route["version"]
    case.audit = bool(verdict.route["audit"])


def explained(session: Session, verdict: VerdictRow) -> bool:
    """Whether the verdict's MLLM answer has a rationale."""
    row = session.get(AssessmentRow, verdict.mllm_id) if verdict.mllm_id else None
    return row is not None and row.rationale is not None


def video_of(session: Session, case: CaseRow) -> VideoRow:
    """The video of a case."""
    return session.get_one(VideoRow, case.video_id)


def length_of(session: Session, case: CaseRow) -> float | None:
    """How long a case's video is, seconds; ``None`` where nobody has looked into the file yet."""
    info = video_of(session, case).media.info
    return info["duration_s"] if info else None
