"""Routing policies built by hand, whose numbers can be followed on paper."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from coefvq.routing.audit import AuditPlan
from coefvq.routing.calibration import Calibrator
from coefvq.routing.combination import Combination
from coefvq.routing.features import FeatureScaling
from coefvq.routing.first_stage import FirstStage
from coefvq.routing.human import HumanStep
from coefvq.routing.objective import Objective
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.scores import Entropy
from coefvq.routing.stage import StageCalibration

AS_IT_IS = StageCalibration(on_log_odds=True, shift=0.0, scale=1.0, calibrator=Calibrator())
"""Probabilities stay what they are."""
NO_AUDIT = AuditPlan(people=0.0, mllm=0.0)
CERTIFICATE = {
    "method": "learn_then_test",
    "confidence": 0.9,
    "miss_rate": 0.05,
    "n": 100,
    "feasible": True,
    "risks": [{"name": "miss_rate", "target": 0.05}],
}


def policy(features: tuple[str, ...] = (), **changes: Any) -> RoutingPolicy:
    """Entropy over 0.6 bits is escalated; the MLLM alone counts then; one half is the cut."""
    count = len(features)
    scaling = FeatureScaling(features, (0.0,) * count, (1.0,) * count, (True,) * count)
    made = RoutingPolicy(
        rule="entropy",
        objective=Objective("f1"),
        budget=0.5,
        first=FirstStage(AS_IT_IS, scaling),
        score=Entropy(),
        mllm=AS_IT_IS,
        combination=Combination(),
        thresholds=Thresholds(0.6, call_from=0.5, pass_below=0.5, flag_from=0.5),
        requested="entropy",
        audit=NO_AUDIT,
        fitted_on={"n": 100, "violations": 20, "digest": "0" * 12},
    )
    return replace(made, **changes)


def certified(**changes: Any) -> RoutingPolicy:
    """The same under a certificate: its threshold may not move."""
    return policy(certificate=CERTIFICATE, **changes)


def human_step(limit: float = 0.2, disagreement: float = 0.0) -> HumanStep:
    """Ask a person where the chance of a wrong answer is above ``limit``."""
    return HumanStep(1.0, 1.0, 0.5, disagreement, limit)


def with_features(*names: str) -> RoutingPolicy:
    """A policy whose probability without the MLLM reads features: log-odds + sum of features."""
    made = policy(names)
    weights = (2.0, *(1.0 for _ in names), *(0.0 for _ in names), 0.0)
    return replace(made, first=replace(made.first, base="features", logistic=weights))


def odds(probability: float) -> float:
    """Log-odds."""
    return math.log(probability / (1 - probability))
