"""Synthetic histories whose truth is known, for tests that need many draws of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coefvq.routing.calibration import sigmoid
from coefvq.routing.metrics import average_precision, error_cost, f1_score
from coefvq.routing.objective import Objective
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import PASS, route


@dataclass(frozen=True)
class World:
    """Where items come from. Both stages see the label through normal noise, independently.

    Attributes:
        share: Of violations.
        prefilter: Distance of the classes in the prefilter's log-odds, in units of its noise.
        mllm: The same for the MLLM.
        feature: Distance of the classes in ``feature_hint``; ``None``: no feature.
        specialist: The MLLM sees nothing but noise where ``feature_field`` is 0, half of items.
        blind: Share of violations that the prefilter takes for ordinary, sure of itself.
        flipped: Share of labels that are wrong.
        missing: Share of items without an MLLM score.
    """

    share: float = 0.2
    prefilter: float = 1.5
    mllm: float = 3.0
    feature: float | None = None
    specialist: bool = False
    blind: float = 0.0
    flipped: float = 0.0
    missing: float = 0.0

    def draw(self, n: int, seed: int = 0) -> Predictions:
        """n items; another seed gives other items of the same world."""
        rng = np.random.default_rng(seed)
        yes = rng.random(n) < self.share
        blind = yes & (rng.random(n) < self.blind)
        field = rng.random(n) < 0.5
        sees = field if self.specialist else np.ones(n, dtype=bool)
        first = self.prefilter * yes - 1.5 + rng.normal(size=n)
        first[blind] = -5 + 0.5 * rng.normal(size=int(blind.sum()))
        second = np.where(sees, self.mllm * yes - self.mllm / 2, 0) + rng.normal(size=n)
        second[rng.random(n) < self.missing] = np.nan
        hint = (self.feature or 0.0) * yes + rng.normal(size=n)
        features = {"field": field.astype(float)} if self.specialist else {}
        if self.feature is not None:
            features["hint"] = hint
        label = yes ^ (rng.random(n) < self.flipped)
        names = np.array([f"{seed}-{index:06d}" for index in range(n)], dtype=object)
        return Predictions.of(
            label.astype(int), sigmoid(first), sigmoid(second), item_id=names, features=features
        )


PLAIN = World()
HINTED = World(feature=1.5)
NOISY = World(feature=1.0, flipped=0.05)
SPECIALIST = World(prefilter=2.5, mllm=4.0, specialist=True)
BLIND = World(prefilter=2.5, feature=5.0, blind=0.3)


def quality(policy: RoutingPolicy, items: Predictions) -> float:
    """The policy's own objective on fresh items."""
    routed = route(policy, items)
    goal: Objective = policy.objective
    if goal.name == "ap":
        return average_precision(items.label, routed.final)
    if goal.name == "f1":
        return f1_score(items.label, routed.called)
    return -error_cost(items.label, routed.called, goal.cost_fn, goal.cost_fp)


def miss_rate(policy: RoutingPolicy, items: Predictions) -> float:
    """Violations that end in ``auto_pass`` over all."""
    yes = items.label == 1
    return float((route(policy, items).route[yes] == PASS).mean())


def shuffled(items: Predictions, seed: int) -> Predictions:
    """The same rows in another order."""
    return items.take(np.random.default_rng(seed).permutation(len(items)))
