"""Scored cases with their routes and what people decided: the history that routing learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from coefvq.domain import Route
from coefvq.store import codec
from coefvq.store.decisions import VIOLATION
from coefvq.store.periods import made_in
from coefvq.store.tables import AssessmentRow, CaseRow, DecisionRow, VerdictRow, VideoRow


@dataclass(frozen=True)
class RoutedCase:
    """One scored case.

    Attributes:
        route: By which it came to a person, if one decided; else the newest.
        violation: What people decided, by the newest decision that stands; ``None``: nobody has.
    """

    case_id: str
    route: Route
    violation: bool | None


@dataclass(frozen=True)
class DecidedCase:
    """A case that somebody decided, with what the stages said.

    Attributes:
        violation: By the newest decision that stands.
        route: By which it came to the person.
        models: Versions behind the newest verdict, by stage.
    """

    video: VideoRow
    violation: bool
    route: Route
    first: AssessmentRow
    second: AssessmentRow | None
    models: dict[str, Any]


def of_task(
    session: Session, task: str, since: datetime | None = None, until: datetime | None = None
) -> Iterator[RoutedCase]:
    """Every scored case of a task, oldest first; of those whose verdict is of a period."""
    # Not whole decisions: what was on the screen is long, and only its route counts here.
    seen = DecisionRow.snapshot["route"].as_json()
    query = _scored(select(CaseRow.id, VerdictRow.route, DecisionRow.labels, seen), task)
    query = query.where(made_in(VerdictRow.id, VerdictRow.created_at, since, until))
    query = query.outerjoin(DecisionRow, DecisionRow.id == CaseRow.decision_id)
    for case_id, newest, labels, route in session.execute(query.execution_options(yield_per=1000)):
        violation = None if labels is None else VIOLATION in labels.values()
        yield RoutedCase(case_id, codec.route_from(route or newest), violation)


def decided(session: Session, task: str, since: datetime | None = None) -> Iterator[DecidedCase]:
    """Every decided case of a task, oldest first; ``since``: whose first stage answered then."""
    first, second = aliased(AssessmentRow), aliased(AssessmentRow)
    query = _scored(select(VideoRow, VerdictRow, DecisionRow, first, second), task)
    query = (
        query.join(VideoRow, VideoRow.id == CaseRow.video_id)
        .join(DecisionRow, DecisionRow.id == CaseRow.decision_id)
        .join(first, first.id == VerdictRow.prefilter_id)
        .outerjoin(second, second.id == VerdictRow.mllm_id)
        .where(made_in(first.id, first.created_at, since))
    )
    rows = session.execute(query.execution_options(yield_per=500))
    for video, verdict, decision, one, two in rows:
        route = _route(verdict.route, decision)
        yield DecidedCase(video, _violated(decision), route, one, two, verdict.models)


def assessed(
    session: Session,
    task: str,
    model_version: str,
    since: datetime,
    limit: int,
    oldest: bool = False,
) -> list[tuple[AssessmentRow, str]]:
    """The prefilter's answers behind the newest verdicts of a task, with who uploaded.

    Args:
        model_version: Of the prefilter.
        since: Answers given from then on.
        limit: At most so many.
        oldest: The first of them in their order; else the last of them, newest first.
    """
    query = _scored(select(AssessmentRow, VideoRow.uploader), task).order_by(None)
    query = query.join(AssessmentRow, AssessmentRow.id == VerdictRow.prefilter_id).join(
        VideoRow, VideoRow.id == CaseRow.video_id
    )
    query = query.where(
        AssessmentRow.model_version == model_version, AssessmentRow.created_at >= since
    )
    order = AssessmentRow.id if oldest else AssessmentRow.id.desc()
    found = session.execute(query.order_by(order).limit(limit))
    return [(answer, uploader) for answer, uploader in found]


def _scored(query: Any, task: str) -> Any:
    joined = query.select_from(CaseRow).join(VerdictRow, VerdictRow.id == CaseRow.verdict_id)
    return joined.where(CaseRow.task == task).order_by(CaseRow.id)


def _route(newest: dict[str, Any], decision: DecisionRow | None) -> Route:
    seen = decision.snapshot.get("route") if decision is not None else None
    return codec.route_from(seen or newest)


def _violated(decision: DecisionRow) -> bool:
    return VIOLATION in decision.labels.values()
