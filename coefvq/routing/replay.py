"""A routing policy on labelled history, beside each stage alone, chance, and hindsight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from coefvq.errors import RoutingError
from coefvq.routing.arms import Sides, as_routed, both_sides
from coefvq.routing.baselines import oracle, random, stages_alone
from coefvq.routing.curves import SHARES, DeferralCurve, apgr, cpt, deferral_curve, pgr
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.reliability import (
    ReliabilityRow,
    brier,
    debiased_ece,
    reliability_table,
)
from coefvq.routing.resample import Progress, intervals
from coefvq.routing.route import Routed, route
from coefvq.routing.tally import Measured

SHOWN = 5
"""Every fifth point of the deferral curve is printed."""
BINS = 15


@dataclass(frozen=True)
class Replay:
    """What a policy would have done. All rates and means are weighted by the rows' weights.

    Precision, recall, F1, average precision and error cost are of the machine's own answers, also
    where a person has the last word, so that they compare like for like with the other arms.
    The miss rate is that of outcomes: violations that end in ``auto_pass`` over all violations,
    because people catch what is sent to them. A row whose MLLM was due and has no score counts
    with the prefilter's answer and ends in ``mllm``, which is no miss.

    Attributes:
        n: Rows.
        positives: Rows labelled 1.
        measures: Of the policy: f1, precision, recall, average_precision, miss_rate, error_cost,
            escalation_rate, relative_cost (both stages' cost over that of the MLLM on every
            item), human_rate, auto_pass_rate, auto_flag_rate, false_removal_rate.
        arms: The same measures (without the outcomes' shares) of ``prefilter_only``,
            ``mllm_only``, ``random`` and ``oracle``.
        pgr: Share of the gap between the stages that is recovered, by the policy's objective.
        apgr: Its area over call rates 0..1.
        cpt: Call rate at which 50, 80 and 95 % of the gap are recovered.
        curve: Quality at each call rate.
        gap: Quality of the prefilter alone and of the MLLM alone.
        intervals: 95 % bootstrap intervals (low, high), empty if none were asked for.
        calibration: ``ece`` (debiased, 15 bins of equal mass) and ``brier`` of final probabilities.
        reliability: Ten groups of neighbouring final probabilities against the labels.
        system_risk: R = error + lambda_cost x cost + lambda_abstention x abstention.
        mllm_missing: Rows without an MLLM score.
        notes: What a reader must know, the policy's own notes first.
    """

    n: int
    positives: int
    measures: Mapping[str, float]
    arms: Mapping[str, Mapping[str, float]]
    pgr: float
    apgr: float
    cpt: Mapping[str, float]
    curve: DeferralCurve
    gap: tuple[float, float]
    intervals: Mapping[str, tuple[float, float]]
    calibration: Mapping[str, float]
    system_risk: Mapping[str, float]
    mllm_missing: int
    policy: RoutingPolicy
    reliability: tuple[ReliabilityRow, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As ``coefvq routing replay --json`` prints it; ``null`` for what is not defined."""
        policy, goal = self.policy, self.policy.objective
        certificate = None if policy.certificate is None else dict(policy.certificate)
        answer = {
            "n": self.n,
            "positives": self.positives,
            **self.measures,
            "pgr": self.pgr,
            "apgr": self.apgr,
            "cpt": self.cpt,
            "intervals": self.intervals,
            **self.arms,
            "certificate": certificate,
            "objective": {"name": goal.name, "cost_fn": goal.cost_fn, "cost_fp": goal.cost_fp},
            "curve": self._points(),
            "mllm_missing": self.mllm_missing,
            "system_risk": self.system_risk,
            "calibration": self.calibration,
            "reliability": [asdict(row) for row in self.reliability],
            "rule": policy.rule,
            "version": policy.version,
            "budget": policy.budget,
            "thresholds": policy.thresholds.to_json(),
            "notes": self.notes,
        }
        return {name: _plain(value) for name, value in answer.items()}

    def _points(self) -> list[dict[str, float]]:
        rates, quality = self.curve.rates[::SHOWN], self.curve.quality[::SHOWN]
        return [
            {"call_rate": float(rate), "quality": float(value), "pgr": pgr(value, *self.gap)}
            for rate, value in zip(rates, quality, strict=True)
        ]


def replay(
    policy: RoutingPolicy,
    items: Predictions,
    bootstrap: int = 0,
    seed: int = 0,
    *,
    lambda_cost: float = 0.0,
    lambda_abstention: float | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Route labelled history and measure what comes of it.

    The arms are cut without a look at the labels: the policy where it says, each stage alone
    where the expected F1 of its calibrated probabilities is largest (or at the costs' cut).
    ``random`` and ``oracle`` make as many escalations as the policy, among the rows with an MLLM
    score; ``mllm_only``, PGR, APGR and CPT are measured on those rows alone.

    Args:
        bootstrap: Resamples of the items for the intervals; 0 for none. Items are resampled with
            their routes: what is not in the intervals is the drawing of the budget's edge and the
            fit of the policy.
        seed: Of the resamples and of the random arm.
        lambda_cost: Price of the relative cost in the system risk.
        lambda_abstention: Price of a person in it; the policy's own where it has one, else 0.
        progress: Called with (done, all) resamples.

    Raises:
        RoutingError: There is no row, or a feature that the policy reads is missing.
    """
    if not len(items):
        raise RoutingError("There is no row to replay.")
    routed = route(policy, items)
    p1, p2 = routed.known.p1, policy.mllm(items.mllm)
    sides = both_sides(policy, items, routed, p2)
    cascade = Measured(as_routed(routed), items, policy.objective)
    stages = stages_alone(policy, items, p1, p2, cascade)
    counted, gap = cascade.tally(), (stages.weak.quality(), stages.strong.quality())
    measures = cascade.measures() | counted.outcomes()
    curve = _curve(policy, items, routed, sides)
    lambdas = lambda_cost, _abstention_price(policy, lambda_abstention)
    return Replay(
        n=len(items),
        positives=items.violations,
        measures=measures,
        arms={
            "prefilter_only": stages.prefilter.measures(),
            "mllm_only": stages.strong.measures(),
            "random": random(policy, items, sides, routed.escalated, seed),
            "oracle": oracle(policy, items, sides, routed.escalated),
        },
        pgr=pgr(stages.fair.quality(), *gap),
        apgr=apgr(curve, *gap),
        cpt={str(percent): cpt(curve, *gap, percent) for percent in SHARES},
        curve=curve,
        gap=gap,
        intervals=intervals(cascade, stages, bootstrap, seed, progress) if bootstrap else {},
        calibration=_calibration(cascade),
        system_risk=_system_risk(policy, cascade, lambdas),
        mllm_missing=int(len(items) - items.has_mllm.sum()),
        policy=policy,
        reliability=_reliability(cascade),
        notes=(*policy.notes, *_notes(items, routed, gap, bootstrap)),
    )


def _curve(
    policy: RoutingPolicy, items: Predictions, routed: Routed, sides: Sides
) -> DeferralCurve:
    rows = items.has_mllm
    pick = slice(None) if rows.all() else rows
    return deferral_curve(
        routed.score[pick],
        sides.kept.probability[pick],
        sides.escalated.probability[pick],
        items.label[pick],
        policy.objective,
        items.weight[pick] if items.weighted else None,
    )


def _calibration(cascade: Measured) -> dict[str, float]:
    """Debiased calibration error and Brier score of the probabilities that count."""
    weights = cascade.items.weight if cascade.items.weighted else None
    columns = cascade.items.label, cascade.arm.probability
    return {
        "ece": debiased_ece(*columns, bins=BINS, weights=weights),
        "brier": brier(*columns, weights),
    }


def _reliability(cascade: Measured) -> tuple[ReliabilityRow, ...]:
    """Ten rows of the reliability table."""
    weights = cascade.items.weight if cascade.items.weighted else None
    return reliability_table(cascade.items.label, cascade.arm.probability, weights=weights)


def _abstention_price(policy: RoutingPolicy, stated: float | None) -> float:
    if stated is not None:
        return stated
    return 0.0 if policy.human is None else policy.human.limit


def _system_risk(
    policy: RoutingPolicy, cascade: Measured, lambdas: tuple[float, float]
) -> dict[str, float]:
    """Fanconi & van der Schaar (arXiv 2506.11887): error is that of outcomes no person sees."""
    counted = cascade.tally()
    step, goal = policy.human, policy.objective
    costs = (goal.cost_fn, goal.cost_fp) if step is None else (step.cost_fn, step.cost_fp)
    error = counted.automatic_error(*costs)
    cost = counted.measures(goal)["relative_cost"]
    abstention = counted.outcomes()["human_rate"]
    return {
        "risk": error + (lambdas[0] * cost if lambdas[0] else 0.0) + lambdas[1] * abstention,
        "error": error,
        "cost": cost,
        "abstention": abstention,
        "lambda_cost": lambdas[0],
        "lambda_abstention": lambdas[1],
    }


def _notes(
    items: Predictions, routed: Routed, gap: tuple[float, float], bootstrap: int
) -> list[str]:
    found = []
    for value, word in ((1, "a violation"), (0, "no violation")):
        if not (items.label == value).any():
            found.append(f"No row is labelled {value} ({word}): figures that need one are null.")
    missing = ~items.has_mllm
    if missing.any():
        due = int((missing & routed.escalated).sum())
        found.append(
            f"{int(missing.sum())} of {len(items)} rows have no MLLM score, {due} of them were due "
            "for it and count with the prefilter's answer; mllm_only, pgr, apgr and cpt are of the "
            "other rows, which stand for all only if they were drawn at random."
        )
    if not math.isnan(gap[0]) and math.isnan(pgr(gap[0], *gap)):
        found.append(
            f"The MLLM alone is not clearly better than the prefilter alone by the objective "
            f"({gap[1]:.4g} against {gap[0]:.4g}): there is no gap to recover, pgr, apgr and cpt "
            "are null."
        )
    if bootstrap:
        found.append("Intervals resample items with their routes; the fit is held fixed.")
    return found


def _plain(value: Any) -> Any:
    """Plain JSON values, NaN as null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
