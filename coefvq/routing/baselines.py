"""What a routing policy is held against: one stage alone, as many calls at random, hindsight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.arms import Arm, Sides, one_stage, oracle_choice, random_choice
from coefvq.routing.curves import EXACT_UP_TO, mixed_average_precision
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.tally import Measured, Tally

Vector = NDArray[np.float64]
DRAWS = 20
"""Random choices that are averaged."""


@dataclass(frozen=True)
class Stages:
    """Each stage alone, and the cascade on the same rows.

    Attributes:
        prefilter: The prefilter on all rows.
        weak: The prefilter on the rows that have an MLLM score.
        strong: The MLLM on those rows.
        fair: The cascade on those rows.
        rows: Which rows those are, (n,).
    """

    prefilter: Measured
    weak: Measured
    strong: Measured
    fair: Measured
    rows: NDArray[np.bool_]


def stages_alone(
    policy: RoutingPolicy, items: Predictions, p1: Vector, p2: Vector, cascade: Measured
) -> Stages:
    """Calibrated stages, each cut where its own probabilities expect the most of the objective.

    Args:
        p1: The prefilter's calibrated probabilities, (n,).
        p2: The MLLM's, NaN where it was not run.
        cascade: The policy's arm.
    """
    rows, goal = items.has_mllm, policy.objective
    some = items if rows.all() else items.take(rows)
    first = _alone(policy, p1, items, mllm=False)
    second = _alone(policy, p2 if rows.all() else p2[rows], some, mllm=True)
    prefilter = Measured(first, items, goal)
    strong = Measured(second, some, goal)
    if rows.all():
        return Stages(prefilter, prefilter, strong, cascade, rows)
    weak, fair = (Measured(arm.take(rows), some, goal) for arm in (first, cascade.arm))
    return Stages(prefilter, weak, strong, fair, rows)


def _alone(policy: RoutingPolicy, p: Vector, items: Predictions, *, mllm: bool) -> Arm:
    weights = items.weight if items.weighted else None
    cut = policy.objective.threshold(p, weights) if len(p) else 1.0
    return one_stage(p, cut, mllm=mllm)


def random(
    policy: RoutingPolicy,
    items: Predictions,
    sides: Sides,
    escalated: NDArray[np.bool_],
    seed: int,
) -> dict[str, float]:
    """As many escalations as the policy makes, at random among the rows with an MLLM score.

    The mean of ``DRAWS`` choices. Beyond ``EXACT_UP_TO`` rows, where the mean is that of the
    expected counts to three digits and more, those are used.
    """
    count = int(escalated.sum())
    if len(items) > EXACT_UP_TO:
        return _expected(policy, items, sides, count)
    found = [
        Measured(
            sides.choose(random_choice(items.has_mllm, count, seed * DRAWS + number)),
            items,
            policy.objective,
        ).measures()
        for number in range(DRAWS)
    ]
    return {name: float(np.mean([each[name] for each in found])) for name in found[0]}


def _expected(
    policy: RoutingPolicy, items: Predictions, sides: Sides, count: int
) -> dict[str, float]:
    rows, goal = items.has_mllm, policy.objective
    chance = np.where(rows, min(1.0, count / max(int(rows.sum()), 1)), 0.0)
    kept = Measured(sides.kept, items, goal).tally(items.weight * (1 - chance))
    made = Measured(sides.escalated, items, goal).tally(items.weight * chance)
    counted = Tally(kept.cells + made.cells, kept.spent + made.spent, kept.whole + made.whole)
    precision = mixed_average_precision(
        items.label, sides.kept.probability, sides.escalated.probability, chance, items.weight
    )
    return counted.measures(goal) | {"average_precision": precision}


def oracle(
    policy: RoutingPolicy, items: Predictions, sides: Sides, escalated: NDArray[np.bool_]
) -> dict[str, float]:
    """At most as many escalations as the policy makes, chosen with the labels known."""
    cut, count = policy.thresholds.call_from, int(escalated.sum())
    chosen = oracle_choice(sides, items, policy.objective, cut, count)
    return Measured(sides.choose(chosen), items, policy.objective).measures()
