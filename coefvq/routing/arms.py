"""Ways of answering the same items: as routed, one stage alone, other choices of escalations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.objective import Objective
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import FLAG, PASS, Routed, ends

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Arm:
    """What one way of answering says of n items.

    Attributes:
        probability: That counts; where the MLLM was due and has no score, the prefilter's.
        called: The machine's own answer is "violation".
        route: Code into ``coefvq.routing.route.ROUTES``: where the item ends.
        escalated: The MLLM was due.
        prefiltered: Whether the prefilter ran, and costs.
    """

    probability: Vector
    called: Mask
    route: NDArray[np.int8]
    escalated: Mask
    prefiltered: bool = True

    def take(self, rows: Mask) -> Arm:
        """Some of the items."""
        return Arm(
            self.probability[rows],
            self.called[rows],
            self.route[rows],
            self.escalated[rows],
            self.prefiltered,
        )


@dataclass(frozen=True)
class Sides:
    """What becomes of every item if it is not escalated, and if it is."""

    kept: Arm
    escalated: Arm

    def choose(self, chosen: Mask) -> Arm:
        """The arm that escalates the chosen rows."""
        one, other = self.escalated, self.kept
        return Arm(
            np.where(chosen, one.probability, other.probability),
            np.where(chosen, one.called, other.called),
            np.where(chosen, one.route, other.route),
            chosen,
        )


def as_routed(routed: Routed) -> Arm:
    """The policy's own arm."""
    answered = np.where(np.isnan(routed.final), routed.known.base, routed.final)
    return Arm(answered, routed.called, routed.route, routed.escalated)


def both_sides(
    policy: RoutingPolicy, items: Predictions, routed: Routed, p2: Vector | None = None
) -> Sides:
    """Every item with and without the MLLM, cut and sent on as the policy does.

    Args:
        p2: The MLLM's calibrated probabilities (n,), where they are known already.
    """
    base, none = routed.known.base, np.zeros(len(items), dtype=bool)
    p2 = policy.mllm(items.mllm) if p2 is None else p2
    final = policy.combination(routed.known.p1, p2)
    return Sides(
        _side(policy, items, routed, base, none), _side(policy, items, routed, final, ~none)
    )


def _side(
    policy: RoutingPolicy, items: Predictions, routed: Routed, final: Vector, escalated: Mask
) -> Arm:
    answered = np.where(np.isnan(final), routed.known.base, final)
    called = answered >= policy.thresholds.call_from
    route = ends(policy, routed.known.p1, items.mllm, final, escalated)
    return Arm(answered, called, route, escalated)


def one_stage(probability: Vector, cut: float, *, mllm: bool) -> Arm:
    """One stage answers everything automatically, without a person.

    Args:
        probability: (n,), no NaN.
        cut: From here an item is called a violation.
        mllm: Which stage: the MLLM on every item and no prefilter, or the prefilter alone.
    """
    called = probability >= cut
    route = np.where(called, FLAG, PASS).astype(np.int8)
    return Arm(probability, called, route, np.full(len(called), mllm), prefiltered=not mllm)


def random_choice(open_rows: Mask, count: int, seed: int) -> Mask:
    """``count`` rows at random among the open ones, or all of them if they are fewer."""
    rows = np.flatnonzero(open_rows)
    chosen = np.zeros(len(open_rows), dtype=bool)
    rng = np.random.default_rng(seed)
    chosen[rng.choice(rows, min(count, len(rows)), replace=False)] = True
    return chosen


def oracle_choice(
    sides: Sides, items: Predictions, objective: Objective, call_from: float, count: int
) -> Mask:
    """The escalations that help most, chosen with the labels known: an upper reference only.

    For ``cost`` and ``f1`` those that turn a wrong answer right, misses and false alarms weighed by
    the costs (near its best point F1 weighs them 1 - cut to cut); for ``ap`` those that bring the
    probability nearest to the label. Nothing is escalated that would not be helped, so the oracle
    may use less than ``count``. For F1 and AP, which are not sums over items, it is the greedy
    choice and not proven best.
    """
    y = items.label == 1
    nearer = np.abs(y - sides.kept.probability) - np.abs(y - sides.escalated.probability)
    gain = nearer if objective.name == "ap" else _saved(sides, y, objective, call_from, nearer)
    gain = np.where(items.has_mllm, gain, -np.inf)
    chosen = gain > 0
    if int(chosen.sum()) <= count:
        return chosen
    chosen[:] = False
    chosen[np.argpartition(-gain, count - 1)[:count] if count else []] = True
    return chosen


def _saved(sides: Sides, y: Mask, objective: Objective, call_from: float, nearer: Vector) -> Vector:
    """What each escalation saves; a trace of ``nearer`` settles ties among those that save."""
    cost = objective.name == "cost"
    miss, alarm = (objective.cost_fn, objective.cost_fp) if cost else (1 - call_from, call_from)
    each = np.where(y, miss, alarm)
    wrong_now, wrong_then = sides.kept.called != y, sides.escalated.called != y
    saved = each * (wrong_now.astype(np.float64) - wrong_then)
    return np.where(saved > 0, saved * (1 + 1e-6 * nearer), saved)
