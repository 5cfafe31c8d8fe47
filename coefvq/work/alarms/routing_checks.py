"""Checks of routing: drift of scores and calibration, and escalations beside their budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.routing.calibration_drift import DRIFTED_ERROR, CalibrationDrift
from coefvq.routing.drift import DRIFTED_PSI, ScoreDrift
from coefvq.routing.drift_levels import DriftLevel
from coefvq.settings import Settings
from coefvq.store import routing_policies
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.periods import made_in
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, VerdictRow
from coefvq.work.alarms.finding import Finding, Level, unknown
from coefvq.work.alarms.statistics import ShareAbove, share_above
from coefvq.work.routing_drift import TaskDrift
from coefvq.work.routing_drift import drift as measure
from coefvq.work.routing_history import VersionedPrefilter

DRIFT_DAYS = 7.0
BUDGET_HOURS, LEAST_ROUTED = 24, 100
BUDGET_P = 1e-3
_LEVELS = {
    DriftLevel.DRIFTED: Level.OVER,
    DriftLevel.WATCH: Level.NEAR,
    DriftLevel.STABLE: Level.FINE,
    DriftLevel.NOT_ENOUGH: Level.UNKNOWN,
}
PrefilterOf = Callable[[], VersionedPrefilter]


def drift(store: Store, now: datetime, prefilter: PrefilterOf) -> Iterator[Finding]:
    """Drift of scores and of calibration, for each task with a published policy.

    Raises:
        RoutingError: A published policy cannot be read.
        ModelError: The prefilter cannot be loaded.
    """
    with store.read() as session:
        published = routing_policies.versions_in_force(session)
    for task in taxonomy.tasks():
        if task in published:
            yield from of_task(measure(store, task, prefilter(), DRIFT_DAYS, now))
        else:
            why = "no routing policy is published: there is nothing to drift from."
            yield unknown(AlarmKind.DRIFT, task, why)


def of_task(found: TaskDrift) -> Iterator[Finding]:
    """One finding for the scores of the task and each policy, one for the task's calibration."""
    for report in found.reports:
        whole = report.policy == found.task
        subject = found.task if whole else f"{found.task}/{report.policy}"
        yield _scores(subject, report.scores, found.advice)
        if report.calibration is not None:
            yield _calibration(subject, report.calibration, found.advice)


def _scores(subject: str, found: ScoreDrift, advice: str) -> Finding:
    data = {"value": found.psi, "limit": DRIFTED_PSI, "n": found.items, "noise": found.noise}
    level = _LEVELS[found.level]
    words = f"{subject}: the prefilter's {found.reason}. What to do: {advice}."
    return Finding(AlarmKind.DRIFT, subject, level, words, data)


def _calibration(subject: str, found: CalibrationDrift, advice: str) -> Finding:
    data = {"value": found.change, "limit": DRIFTED_ERROR, "n": found.items}
    words = f"{subject}: {found.reason}. What to do: {advice}."
    data |= {"low": found.low, "high": found.high}
    return Finding(
        AlarmKind.CALIBRATION, subject, _LEVELS[found.level], words, data, Severity.CRITICAL
    )


def budget(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Share of the last day's videos that were escalated, beside the budget of the policy."""
    for task, version in sorted(routing_policies.versions_in_force(session).items()):
        document = routing_policies.get(session, version).document
        limit = document.get("budget")
        if isinstance(limit, int | float) and 0.0 <= limit < 1.0:
            since = now - timedelta(hours=BUDGET_HOURS)
            yield judge_budget(task, *_escalated(session, task, version, since), float(limit))


def judge_budget(task: str, escalated: int, n: int, limit: float) -> Finding:
    """Escalations of a task beside its budget, a share of all."""
    kind = AlarmKind.BUDGET
    if n < LEAST_ROUTED:
        why = f"{LEAST_ROUTED - n} more videos in {BUDGET_HOURS} h are needed."
        return unknown(kind, task, why, n=n, limit=limit)
    found = share_above(escalated, n, limit)
    level = Level.OVER if found.p < BUDGET_P else Level.NEAR
    level = Level.FINE if found.value <= limit else level
    return Finding(kind, task, level, _budget_words(task, found), _budget_data(found))


def _budget_words(task: str, found: ShareAbove) -> str:
    return (
        f"{task}: {found.value:.1%} of {found.n} videos in {BUDGET_HOURS} h were escalated "
        f"({found.low:.1%} to {found.high:.1%}); the budget is {found.limit:.1%}. Fit again for "
        "this traffic, or publish a policy with another budget."
    )


def _budget_data(found: ShareAbove) -> dict[str, Any]:
    data = {"value": found.value, "limit": found.limit, "n": found.n, "p": found.p}
    return data | {"low": found.low, "high": found.high}


def _escalated(session: Session, task: str, version: str, since: datetime) -> tuple[int, int]:
    """Escalated and all, of the verdicts that this version has routed since then."""
    first = VerdictRow.first_route["escalated"].as_boolean()
    only = VerdictRow.route["escalated"].as_boolean()
    due = func.sum(cast(func.coalesce(first, only), Integer))
    query = (
        select(due, func.count())
        .select_from(VerdictRow)
        .join(CaseRow, CaseRow.id == VerdictRow.case_id)
        .where(
            CaseRow.task == task,
            made_in(VerdictRow.id, VerdictRow.created_at, since),
            VerdictRow.route["version"].as_string() == version,
        )
    )
    hits, n = session.execute(query).one()
    return int(hits or 0), int(n)
