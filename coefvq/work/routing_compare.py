"""Two routing policies on the same labelled cases: figures with intervals, and who moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.audit import AuditPlan
from coefvq.routing.calibration import Calibrator
from coefvq.routing.combination import Combination
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.features import FeatureScaling
from coefvq.routing.first_stage import FirstStage
from coefvq.routing.objective import Objective
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import DUE, FLAG, HUMAN, PASS, Routed, route
from coefvq.routing.scores import Entropy
from coefvq.routing.stage import StageCalibration
from coefvq.work.clusters import ROUNDS, Figure, figure, ratio

_CLASSES = 64
"""Rows of more different weights than this are grouped by weight; sums stay what they are."""
_STATES = 16
"""Called or not, route, escalated or not."""
MEASURES = (
    "miss_rate", "precision", "recall", "escalation_rate", "human_rate", "due_rate",
    "auto_pass_rate", "auto_flag_rate", "false_removal_rate", "relative_cost",
)  # fmt: skip
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Figures of two policies, and of the second minus the first, by measure."""

    one: dict[str, Figure]
    other: dict[str, Figure]
    difference: dict[str, Figure]


def settings_policy(entropy: EntropyRouting) -> RoutingPolicy:
    """The settings' rule in the form of a policy: every probability as it is, no budget."""
    as_it_is = StageCalibration(on_log_odds=True, shift=0.0, scale=1.0, calibrator=Calibrator())
    return RoutingPolicy(
        rule="entropy",
        objective=Objective("f1"),
        budget=1.0,
        first=FirstStage(as_it_is, FeatureScaling((), (), (), ())),
        score=Entropy(),
        mllm=as_it_is,
        combination=Combination(),
        thresholds=Thresholds(entropy.threshold, 0.5, 0.5, 0.5, escalate_least=entropy.threshold),
        requested="entropy",
        audit=AuditPlan(people=0.0, mllm=0.0),
    )


def route_as_live(policy: RoutingPolicy, items: Predictions, entropy: EntropyRouting) -> Routed:
    """Route a batch as videos are routed one by one.

    Where the policy has no step of its own for people after the MLLM, the settings' threshold
    sends them what is still unsure, as it does for each video.

    Raises:
        RoutingError: A feature that the policy reads is missing.
    """
    found = route(policy, items)
    if policy.human is not None:
        return found
    answered = np.flatnonzero(found.escalated & ~np.isnan(found.final))
    ends = found.route.copy()
    ends[answered[bits(found.final[answered]) > entropy.human_threshold]] = HUMAN
    return replace(found, route=ends)


def bits(p: Vector) -> Vector:
    """Binary entropy of probabilities, as ``coefvq.routing.entropy`` has it of one."""
    inside = np.clip(p, 1e-12, 1 - 1e-12)
    return -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))


def compare(items: Predictions, one: Routed, other: Routed, seed: int = 0) -> Comparison:
    """Measure two ways of routing the same cases.

    Cases are resampled with their routes, the same ones for both, so that the difference's
    interval is that of pairs. A miss is a violation that ends in ``auto_pass``; precision and
    recall are of the machine's own answers, also where a person has the last word.
    """
    cells = _Cells.of(items, one, other)
    drawn = cells.resampled(seed)
    first, second = cells.measures(drawn, 0), cells.measures(drawn, 1)
    return Comparison(
        {name: figure(first[name]) for name in MEASURES},
        {name: figure(second[name]) for name in MEASURES},
        {name: figure(second[name] - first[name]) for name in MEASURES},
    )


@dataclass(frozen=True)
class _Cells:
    """Cases that no measure can tell apart, counted.

    Attributes:
        count: Cases, (k,).
        weight: That one of them stands for.
        label: 0 or 1.
        state: Of both ways, (2, k): called, route and escalated in one number.
        cost: Mean cost of both stages, (2, k).
    """

    count: Vector
    weight: Vector
    label: Vector
    state: NDArray[np.int64]
    cost: Vector

    @classmethod
    def of(cls, items: Predictions, one: Routed, other: Routed) -> _Cells:
        weights, group = _grouped(items.weight)
        codes = [_state(found) for found in (one, other)]
        whole = ((group * 2 + items.label) * _STATES + codes[0]) * _STATES + codes[1]
        kinds, member = np.unique(whole, return_inverse=True)
        count = np.bincount(member).astype(np.float64)
        costs = [
            np.bincount(member, cost) / count for cost in (items.prefilter_cost, items.mllm_cost)
        ]
        rest, second = np.divmod(kinds, _STATES)
        rest, first = np.divmod(rest, _STATES)
        place, label = np.divmod(rest, 2)
        return cls(count, weights[place], label.astype(np.float64), np.stack([first, second]),
                   np.stack(costs))  # fmt: skip

    def resampled(self, seed: int) -> Vector:
        """Weights by cell, (1 + rounds, k); the first row is as it was."""
        n = int(self.count.sum())
        drawn = np.random.default_rng(seed).multinomial(n, self.count / n, size=ROUNDS)
        return np.concatenate([self.count[None], drawn]) * self.weight

    def measures(self, w: Vector, way: int) -> dict[str, Vector]:
        """Each measure for every row of weights; NaN where there is nothing to be a share of."""
        state, bad = self.state[way], self.label == 1
        called, ended, asked = state // 8 == 1, state // 2 % 4, state % 2 == 1
        cost = self.cost[0] + np.where(asked, self.cost[1], 0.0)
        everything = np.ones(len(state), dtype=bool)
        pairs = {
            "miss_rate": (bad & (ended == PASS), bad),
            "precision": (bad & called, called),
            "recall": (bad & called, bad),
            "escalation_rate": (asked, everything),
            "human_rate": (ended == HUMAN, everything),
            "due_rate": (ended == DUE, everything),
            "auto_pass_rate": (ended == PASS, everything),
            "auto_flag_rate": (ended == FLAG, everything),
            "false_removal_rate": (~bad & (ended == FLAG), ~bad),
            "relative_cost": (cost, self.cost[1]),
        }
        return {name: ratio(w @ part, w @ whole) for name, (part, whole) in pairs.items()}


def _state(found: Routed) -> NDArray[np.int64]:
    code = found.called.astype(np.int64) * 4 + found.route
    return code * 2 + found.escalated


def _grouped(weight: Vector) -> tuple[Vector, NDArray[np.int64]]:
    """A few weights, and which one each row has."""
    values, group = np.unique(weight, return_inverse=True)
    if len(values) <= _CLASSES:
        return values, group.astype(np.int64)
    edges = np.quantile(weight, np.linspace(0, 1, _CLASSES + 1)[1:-1])
    place = np.searchsorted(np.unique(edges), weight, side="right").astype(np.int64)
    _, group = np.unique(place, return_inverse=True)
    return np.bincount(group, weight) / np.bincount(group), group.astype(np.int64)
