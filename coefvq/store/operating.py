"""Operating figures straight from rows: what waits, what the last hour did, what it cost.

Each query walks a short stretch of an index, so that it may be asked every few seconds however
large the store is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Integer, cast, func, select
from sqlalchemy.orm import Session

from coefvq.domain import RouteName, Stage
from coefvq.store.periods import made_in
from coefvq.store.tables import (
    AssessmentRow,
    CaseRow,
    DecisionRow,
    JobRow,
    JobState,
    VerdictRow,
)

PARTS = ("media", "prefilter", "copies", "expensive_signals", "mllm")
"""Of a run of the cascade; each has a ``PART_ms`` in its cost."""
NEWEST = 2000
"""So many runs at the most are read for latencies."""
_NOT_DONE = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.SET_ASIDE.value)


@dataclass(frozen=True)
class Routed:
    """What was routed for one task in a time; ``failed``: the MLLM was due and did not answer."""

    task: str
    version: str
    number: int
    escalated: int
    failed: int


@dataclass(frozen=True)
class Spent:
    """Runs of the cascade in a time, and their tokens."""

    runs: int
    tokens_in: int
    tokens_out: int


def jobs_by_state(session: Session) -> list[tuple[str, str, int]]:
    """(state, kind, number) of jobs that are not done: those that are would take long to count."""
    keys = (JobRow.state, JobRow.kind)
    query = select(*keys, func.count()).where(JobRow.state.in_(_NOT_DONE)).group_by(*keys)
    return [(str(state), str(kind), int(number)) for state, kind, number in session.execute(query)]


def routed(session: Session, since: datetime) -> list[Routed]:
    """Verdicts given since a moment, by task and routing version."""
    first = VerdictRow.first_route["escalated"].as_boolean()
    only = VerdictRow.route["escalated"].as_boolean()
    failed = VerdictRow.route["name"].as_string() == RouteName.MLLM.value
    version = VerdictRow.route["version"].as_string()
    query = (
        select(
            CaseRow.task,
            version,
            func.count(),
            func.sum(cast(func.coalesce(first, only), Integer)),
            func.sum(cast(failed, Integer)),
        )
        .select_from(VerdictRow)
        .join(CaseRow, CaseRow.id == VerdictRow.case_id)
        .where(made_in(VerdictRow.id, VerdictRow.created_at, since))
        .group_by(CaseRow.task, version)
    )
    return [
        Routed(str(task), str(name), int(number), int(escalated or 0), int(lost or 0))
        for task, name, number, escalated, lost in session.execute(query)
    ]


def spent(session: Session, since: datetime) -> Spent:
    """Runs since a moment; rationales written later are no runs."""
    tokens = [AssessmentRow.cost[name].as_integer() for name in ("tokens_in", "tokens_out")]
    query = select(func.count(), *(func.sum(each) for each in tokens)).where(*_runs(since))
    runs, tokens_in, tokens_out = session.execute(query).one()
    return Spent(int(runs), int(tokens_in or 0), int(tokens_out or 0))


def milliseconds(session: Session, since: datetime) -> dict[str, list[float]]:
    """By part: what the newest runs since a moment took, where the part ran at all."""
    query = select(AssessmentRow.cost).where(*_runs(since))
    costs = list(session.scalars(query.order_by(AssessmentRow.id.desc()).limit(NEWEST)))
    found = {}
    for part in PARTS:
        values = [float(cost.get(f"{part}_ms") or 0.0) for cost in costs if cost]
        found[part] = [value for value in values if value > 0]
    return found


def decided(session: Session, since: datetime) -> int:
    """Decisions given since a moment, undone ones among them."""
    query = select(func.count()).select_from(DecisionRow).where(DecisionRow.decided_at >= since)
    return int(session.scalar(query) or 0)


def _runs(since: datetime) -> list[ColumnElement[bool]]:
    made = made_in(AssessmentRow.id, AssessmentRow.created_at, since)
    first = AssessmentRow.stage == Stage.PREFILTER.value
    return [made, first, AssessmentRow.cost["media_ms"].as_float().is_not(None)]
