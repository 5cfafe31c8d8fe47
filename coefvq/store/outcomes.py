"""Counts over everything that was scored or decided: grouped by the database, small answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.store.tables import AssessmentRow, CaseRow, DecisionRow, EventRow, VerdictRow

CLAIMED = "case.claimed"


class Open(NamedTuple):
    """Scored cases that nobody decided, of one outcome and propensity.

    Attributes:
        numbers: How many were scored since each of the moments asked for.
    """

    route: str
    propensity: float
    audit: bool
    numbers: tuple[int, ...]


class Hour(NamedTuple):
    """What was scored in one hour.

    Attributes:
        hour: ``YYYY-MM-DD HH`` in UTC.
        seconds: By stage: media, prefilter, expensive signals, MLLM.
        calls: Runs of the MLLM.
    """

    hour: str
    videos: int
    seconds: tuple[float, float, float, float]
    calls: int
    tokens_in: int
    tokens_out: int


def undecided(session: Session, task: str, since: Sequence[datetime | None]) -> list[Open]:
    """Scored cases without a decision, by route, propensity and draw.

    Args:
        since: Moments; ``None``: from the beginning.
    """
    route = VerdictRow.route
    keys = (
        route["name"].as_string(), route["propensity"].as_float(), route["audit"].as_boolean()
    )  # fmt: skip
    numbers = [_number(VerdictRow.created_at, moment) for moment in since]
    query = (
        select(*keys, *numbers)
        .select_from(CaseRow)
        .join(VerdictRow, VerdictRow.id == CaseRow.verdict_id)
        .where(CaseRow.task == task, CaseRow.decision_id.is_(None))
        .group_by(*keys)
    )
    return [
        Open(str(name), float(propensity), bool(audit), tuple(int(each or 0) for each in rest))
        for name, propensity, audit, *rest in session.execute(query)
    ]


def scored_by_hour(session: Session) -> list[Hour]:
    """Runs of the cascade, oldest first. Rationales written later are no runs."""
    cost = AssessmentRow.cost
    parts = ("media_ms", "prefilter_ms", "expensive_signals_ms", "mllm_ms")
    spent = [cost[name].as_float() for name in parts]
    tokens = [cost[name].as_integer() for name in ("tokens_in", "tokens_out")]
    hour = _hour(session, AssessmentRow.created_at).label("hour")
    called = func.sum(case((spent[-1] > 0, 1), else_=0))
    query = (
        select(hour, func.count(), *(func.sum(each) for each in spent), called,
               *(func.sum(each) for each in tokens))
        .where(AssessmentRow.stage == Stage.PREFILTER.value, spent[0].is_not(None))
        .group_by(hour)
        .order_by(hour)
    )  # fmt: skip
    return [_hour_of(row) for row in session.execute(query)]


def decided_by_hour(session: Session) -> list[tuple[str, int]]:
    """Decisions given, undone ones among them, by hour, oldest first."""
    hour = _hour(session, DecisionRow.decided_at).label("hour")
    query = select(hour, func.count()).group_by(hour).order_by(hour)
    return [(str(at), int(number)) for at, number in session.execute(query)]


def claims(session: Session) -> list[tuple[str, str, datetime]]:
    """Who began to work on which case, and when, oldest first."""
    query = (
        select(EventRow.subject_id, EventRow.actor, EventRow.at)
        .where(EventRow.kind == CLAIMED)
        .order_by(EventRow.seq)
    )
    rows = session.execute(query.execution_options(yield_per=5000))
    return [(case_id, actor, at) for case_id, actor, at in rows]


def _number(at: Any, since: datetime | None) -> ColumnElement[Any]:
    return func.count() if since is None else func.sum(case((at >= since, 1), else_=0))


def _hour(session: Session, at: Any) -> Any:
    """A time's hour in UTC, whatever the zone of the database."""
    if session.get_bind().dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD HH24")
    return func.strftime("%Y-%m-%d %H", at)


def _hour_of(row: Any) -> Hour:
    at, videos, *seconds, calls, tokens_in, tokens_out = row
    media, first, signals, mllm = (float(each or 0.0) / 1000 for each in seconds)
    return Hour(
        str(at), int(videos), (media, first, signals, mllm),
        int(calls or 0), int(tokens_in or 0), int(tokens_out or 0),
    )  # fmt: skip
