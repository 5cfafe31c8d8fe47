"""What becomes of every item with and without the MLLM, by the routing that is in force."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.policy import NO_LEAST, RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import DUE, FLAG, HUMAN, PASS, ends, route

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sides:
    """Both ways for n items.

    Attributes:
        name: Version of the routing.
        rule: Its rule.
        score: The higher, the sooner the MLLM is asked.
        floor: Score at or below which it is never asked.
        kept_called, mllm_called: The machine's own answer is "violation".
        kept_route, mllm_route: Codes into ``coefvq.routing.route.ROUTES``.
        in_force: Who is escalated as it stands.
        budget: Of the routing; ``None``: it has none.
        audits: Share of automatic outcomes that people check at random.
    """

    name: str
    rule: str
    score: Vector
    floor: float
    kept_called: Mask
    kept_route: NDArray[np.int8]
    mllm_called: Mask
    mllm_route: NDArray[np.int8]
    in_force: Mask
    budget: float | None
    audits: float


def by_policy(policy: RoutingPolicy, name: str, items: Predictions) -> Sides:
    """Under a published policy.

    Args:
        policy: With what was learnt of its thresholds.
        name: The version as published.

    Raises:
        RoutingError: A feature that the policy reads is missing.
    """
    known = policy.first.know(items.prefilter, items.feature_matrix(policy.features))
    final = policy.final(known.p1, items.mllm)
    answered = np.where(np.isnan(final), known.base, final)
    none = np.zeros(len(items), dtype=bool)
    cut = policy.thresholds.call_from
    return Sides(
        name=name,
        rule=policy.rule,
        score=policy.score(known),
        floor=policy.thresholds.escalate_least,
        kept_called=known.base >= cut,
        kept_route=ends(policy, known.p1, items.mllm, known.base, none),
        mllm_called=answered >= cut,
        mllm_route=ends(policy, known.p1, items.mllm, final, ~none),
        in_force=route(policy, items).escalated,
        budget=policy.budget,
        audits=policy.audit.people,
    )


def by_settings(rule: EntropyRouting, audits: float, items: Predictions) -> Sides:
    """Under the settings' entropy rule, where nothing is published."""
    doubt, unsure = bits(items.prefilter), bits(items.mllm)
    kept = items.prefilter >= 0.5
    called = np.where(np.isnan(items.mllm), kept, items.mllm >= 0.5)
    after = np.where(called, FLAG, PASS)
    after = np.where(unsure > rule.human_threshold, HUMAN, after)
    return Sides(
        name=rule.version,
        rule="entropy",
        score=doubt,
        floor=NO_LEAST,
        kept_called=kept,
        kept_route=np.where(kept, FLAG, PASS).astype(np.int8),
        mllm_called=called,
        mllm_route=np.where(np.isnan(items.mllm), DUE, after).astype(np.int8),
        in_force=doubt > rule.threshold,
        budget=None,
        audits=audits,
    )


def bits(probability: Vector) -> Vector:
    """Entropy of yes/no answers in bits, NaN where the probability is."""
    p = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), dtype=np.float64)
