"""Labelled history and routing policies for tests, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from coefvq.routing.audit import AuditPlan
from coefvq.routing.combination import Combination
from coefvq.routing.features import FeatureScaling, fit_scaling
from coefvq.routing.first_stage import FirstStage
from coefvq.routing.objective import Objective
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.predictions import Predictions
from coefvq.routing.regress import PolynomialRidge
from coefvq.routing.scores import Entropy, EscalationScore, Gain
from coefvq.routing.stage import fit_stage


def history(
    n: int = 600, share: float = 0.2, seed: int = 0, strength: float = 3.0, **columns: Any
) -> Predictions:
    """Items whose MLLM sees more than their prefilter; scores are probabilities."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < share).astype(np.int8)
    prefilter = 1 / (1 + np.exp(-(1.5 * label - 1.5 + rng.normal(size=n))))
    mllm = 1 / (1 + np.exp(-(strength * label - 2.0 + rng.normal(size=n))))
    names = np.array([f"v{index:05d}" for index in range(n)], dtype=object)
    return Predictions.of(label, prefilter, mllm, item_id=names, **columns)


def policy_for(
    items: Predictions,
    *,
    score: EscalationScore | None = None,
    budget: float = 0.3,
    objective: Objective | None = None,
    audit: float = 0.0,
    band: float = 0.0,
    **changes: Any,
) -> RoutingPolicy:
    """A routing policy with calibrations fitted on ``items`` and a human band round the cut.

    Args:
        band: Half the width of the probabilities that go to a person.
    """
    goal = objective or Objective("f1")
    has = items.has_mllm
    first = fit_stage(items.prefilter, items.label)
    cut = goal.threshold(first(items.prefilter))
    made = RoutingPolicy(
        rule="entropy",
        objective=goal,
        budget=budget,
        first=FirstStage(first, FeatureScaling((), (), (), ())),
        score=score or Entropy(),
        mllm=fit_stage(items.mllm[has], items.label[has], name="mllm"),
        combination=Combination(-0.1, 0.4, 0.9),
        thresholds=Thresholds(0.0, cut, cut - band, cut + band),
        audit=AuditPlan(0.0, audit),
    )
    return replace(made, **changes)


def learned(items: Predictions, **options: Any) -> RoutingPolicy:
    """A policy with a small ridge as escalation score, on every feature of ``items``."""
    scaling = fit_scaling(items.feature_names, items.features)
    inputs = 1 + len(scaling.names) + sum(scaling.flagged)
    terms = tuple((column,) for column in range(inputs))
    weights = tuple(0.1 / (column + 1) for column in range(inputs))
    passed, flagged = (PolynomialRidge(terms, (*weights, constant)) for constant in (0.2, 0.0))
    gain = Gain(0.5, passed, flagged)
    policy = policy_for(items, score=gain, **options)
    return replace(policy, rule="learned", first=replace(policy.first, scaling=scaling))
