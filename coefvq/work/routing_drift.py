"""Has a task's traffic drifted from what its routing policy was fitted on?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.combine import final_scores, gaps, task_probability
from coefvq.errors import RoutingError
from coefvq.routing.calibration_drift import CalibrationDrift, calibration_drift
from coefvq.routing.drift import Baseline, DriftReport, ScoreDrift, drift_report, score_drift
from coefvq.routing.drift_levels import DriftLevel
from coefvq.routing.frozen import FrozenBaseline
from coefvq.routing.policy import RoutingPolicy
from coefvq.store import codec, routed_cases, routing_policies
from coefvq.store.session import Store
from coefvq.store.tables import AssessmentRow, utcnow
from coefvq.work.routing_history import VersionedPrefilter, row_of

FIRST = 500
"""Videos after a publication that the scores of single policies are compared with."""
MOST = 10_000
"""Newest videos of a window that are looked at."""
NOT_JUDGED = "not judged by the prefilter"
_ORDER = (DriftLevel.NOT_ENOUGH, DriftLevel.STABLE, DriftLevel.WATCH, DriftLevel.DRIFTED)
Answers = Sequence[tuple[AssessmentRow, str]]


@dataclass(frozen=True)
class TaskDrift:
    """How far a task is from its baseline.

    Attributes:
        version: Of the routing policy in force; ``None``: none is published.
        level: The worst of ``reports``.
        reports: The task's, then one for each of its policies that was scored.
        left_out: Videos and decisions that were not compared, by reason.
        advice: What to do, one line.
    """

    task: str
    version: str | None
    level: DriftLevel
    advice: str
    reports: tuple[DriftReport, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        head = {"task": self.task, "version": self.version, "level": str(self.level)}
        reports = [report.to_json() for report in self.reports]
        return head | {"advice": self.advice, "reports": reports, "left_out": self.left_out}


def drift(
    store: Store,
    task: str,
    prefilter: VersionedPrefilter,
    days: float = 7.0,
    now: datetime | None = None,
) -> TaskDrift:
    """Compare the videos of the last days with the baseline of the policy in force.

    The task's probability and its calibration are compared with what the policy was fitted on. The
    scores of single policies, which no fit has seen as such, are compared with the first ``FIRST``
    videos after the publication.

    Args:
        prefilter: The one in use; answers of another are left out.
        days: Length of the window; at most the newest ``MOST`` videos of it count.

    Raises:
        RoutingError: The policy in force cannot be read.
    """
    since = (now or utcnow()) - timedelta(days=days)
    with store.read() as session:
        published = next(iter(routing_policies.history(session, task)), None)
        if published is None:
            why = f"no routing policy is published for {task}: there is no baseline to drift from"
            return TaskDrift(task, None, DriftLevel.NOT_ENOUGH, why)
        document = routing_policies.get(session, published.version).document
        policy, left = RoutingPolicy.from_json(document), Counter[str]()
        window = routed_cases.assessed(session, task, prefilter.version, since, MOST)
        scores = _task_scores(task, prefilter, policy.baseline, window, left)
        decided = _calibration(session, task, prefilter, policy, since, left)
        begun = published.published_at
        first = routed_cases.assessed(session, task, prefilter.version, begun, FIRST, oldest=True)
    reports = (drift_report(task, scores, decided), *_by_policy(task, first, window))
    level = max((report.level for report in reports), key=_ORDER.index)
    advice = _advice(task, level, policy.baseline)
    return TaskDrift(task, published.version, level, advice, reports, dict(left))


def _task_scores(
    task: str,
    prefilter: VersionedPrefilter,
    baseline: FrozenBaseline | None,
    window: Answers,
    left: Counter[str],
) -> ScoreDrift:
    if baseline is None:
        return _silent("scores: the policy in force was fitted without a baseline")
    scores, names = [], []
    for row, uploader in window:
        finals = final_scores(task, codec.assessment_from(row))
        probability = task_probability(prefilter, task, finals)
        if probability is None or gaps(finals):
            left[NOT_JUDGED] += 1
            continue
        scores.append(probability)
        names.append(uploader)
    return score_drift(baseline.scores, scores, names)


def _calibration(
    session: Session,
    task: str,
    prefilter: VersionedPrefilter,
    policy: RoutingPolicy,
    since: datetime,
    left: Counter[str],
) -> CalibrationDrift:
    frozen = policy.baseline.calibration if policy.baseline else None
    if frozen is None:
        reason = "calibration: the fit had too few labels for a baseline"
        return CalibrationDrift(DriftLevel.NOT_ENOUGH, None, None, None, None, 0, 0, reason)
    rows, names = [], []
    for case in routed_cases.decided(session, task, since):
        row = row_of(case, task, prefilter, None, left)
        if row is not None:
            rows.append(row)
            names.append(case.video.uploader)
    predicted = policy.first.calibration(np.array([row.prefilter for row in rows]))
    labels, propensity = [row.label for row in rows], [1 / row.weight for row in rows]
    return calibration_drift(frozen, predicted, labels, propensity, names)


def _by_policy(task: str, first: Answers, window: Answers) -> list[DriftReport]:
    last = first[-1][0].id if len(first) == FIRST else None
    later = [each for each in window if last is not None and each[0].id > last]
    found = []
    for policy in taxonomy.task(task).policies:
        before, names = _scores(policy.id, first)
        if before:
            now = _scores(policy.id, later)
            found.append(drift_report(policy.id, _policy_drift(len(first), before, names, *now)))
    return found


def _policy_drift(
    seen: int,
    before: list[float],
    names_before: list[str | None],
    now: list[float],
    names: list[str | None],
) -> ScoreDrift:
    if seen < FIRST:
        return _silent(
            f"scores: {seen} of the first {FIRST} videos since the publication are there"
        )
    try:
        baseline = Baseline.from_scores(before, uploaders=names_before)
    except RoutingError as error:  # so few are covered that there is nothing to compare with
        return _silent(f"scores: {error}")
    return score_drift(baseline, now, names)


def _scores(policy: str, answers: Answers) -> tuple[list[float], list[str | None]]:
    """Probabilities of one policy where it was covered, and their uploaders."""
    found = [((row.scores.get(policy) or {}).get("probability"), name) for row, name in answers]
    kept = [(value, name) for value, name in found if value is not None]
    return [value for value, _ in kept], [name for _, name in kept]


def _silent(reason: str) -> ScoreDrift:
    return ScoreDrift(DriftLevel.NOT_ENOUGH, None, None, 0, 0, reason)


def _advice(task: str, level: DriftLevel, baseline: FrozenBaseline | None) -> str:
    again = (
        f"fit again: `coefvq routing predictions --task {task} --out predictions.csv`, "
        "`coefvq routing fit predictions.csv --out routing.json`, replay and publish"
    )
    if baseline is None:
        return f"there is no baseline; {again}"
    if level is DriftLevel.DRIFTED:
        return again
    if level is DriftLevel.WATCH:
        return "look again after more videos; fit again if it stays"
    if level is DriftLevel.STABLE:
        return "nothing to do"
    return "wait for more videos of more uploaders, and for decisions on them"
