"""How much each decision counts: the traffic's own shares, with corrections kept in bounds.

Governed replay (PinSieve): what a refit learns from may lean towards corrections only as far as
its share of positives and its score bins stay within a set distance of the natural traffic.
Learning from corrections alone is known to collapse: they are all the parent's mistakes and none
of what it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.learning.dataset.items import LabelledVideo

Floats = NDArray[np.float64]
BINS = 10
RAREST = 1e-3
"""Propensities below count as this much."""


@dataclass(frozen=True)
class Replay:
    """Weights of one policy's decisions, and how far they are from the traffic.

    Attributes:
        weights: float64 (n,), mean 1.
        lean: 0: as the traffic; 1: as decided, with corrections emphasised.
        share: Of positives in what is learnt from.
        natural_share: Of positives in the traffic, by propensities.
        divergence: Jensen-Shannon divergence of the score bins, bits.
    """

    weights: Floats
    lean: float
    share: float
    natural_share: float
    divergence: float

    def to_json(self) -> dict[str, Any]:
        """For the candidate's figures."""
        return {
            "lean": round(self.lean, 3),
            "share": round(self.share, 4),
            "natural_share": round(self.natural_share, 4),
            "divergence": round(self.divergence, 4),
        }


def trust(items: Sequence[LabelledVideo], policy: str) -> Floats:
    """float64 (n,): 0..1, the share of votes that agree; what is no number counts as 0."""
    given = np.asarray([item.weights.get(policy, 1.0) for item in items], dtype=np.float64)
    return np.clip(np.nan_to_num(given, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)


def per_video(items: Sequence[LabelledVideo], policy: str, heaviest: float = 1 / RAREST) -> Floats:
    """float64 (n,): for how many videos of the traffic each stands, at most ``heaviest``."""
    given = [item.propensities.get(policy, item.propensity) for item in items]
    chance = np.asarray(given, dtype=np.float64)
    chance = np.clip(np.nan_to_num(chance, nan=1.0), RAREST, 1.0)
    return np.minimum(1 / chance, heaviest)


def governed(
    items: Sequence[LabelledVideo],
    policy: str,
    labels: Floats,
    scores: Floats | None,
    *,
    emphasis: float,
    heaviest: float,
    distance: float,
) -> Replay:
    """The weights that lean furthest towards corrections and stay within ``distance``.

    Args:
        labels: float64 (n,), 0 or 1.
        scores: The parent's probabilities (n,); ``None`` where it does not know the policy.
        emphasis: A corrected decision's weight against a confirmed one's, at full lean.
        heaviest: Bound of 1 / propensity in what is learnt from.
        distance: Of the share of positives, and of the score bins in bits.
    """
    trusted = trust(items, policy)
    corrected = np.asarray([policy in item.corrected for item in items])
    traffic = _shares(trusted * per_video(items, policy))
    calm = _shares(trusted * per_video(items, policy, heaviest))
    leaning = _shares(trusted * np.where(corrected, emphasis, 1.0))
    bins = None if scores is None else np.minimum((scores * BINS).astype(int), BINS - 1)

    def off(weights: Floats) -> tuple[float, float]:
        return abs(float((weights - traffic) @ labels)), _divergence(weights, traffic, bins)

    lean = _furthest(lambda m: max(off((1 - m) * calm + m * leaning)) <= distance)
    weights = (1 - lean) * calm + lean * leaning
    return Replay(
        weights * len(items), lean, float(weights @ labels), float(traffic @ labels),
        _divergence(weights, traffic, bins),
    )  # fmt: skip


def _furthest(within: Callable[[float], bool]) -> float:
    """The largest lean in 0..1 that is within bounds, by halving; 0.0 where none is."""
    if within(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return low


def _shares(weights: Floats) -> Floats:
    total = float(weights.sum())
    return weights / total if total > 0 else weights


def _divergence(one: Floats, two: Floats, bins: NDArray[np.intp] | None) -> float:
    """Jensen-Shannon divergence of two weightings of the same binned scores, bits."""
    if bins is None:
        return 0.0
    p = np.bincount(bins, weights=one, minlength=BINS).astype(np.float64)
    q = np.bincount(bins, weights=two, minlength=BINS).astype(np.float64)
    middle = (p + q) / 2
    return float((_relative(p, middle) + _relative(q, middle)) / 2)


def _relative(p: Floats, q: Floats) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())


def picked_mistakes(labels: Floats, flagged: NDArray[np.bool_], weights: Floats) -> bool:
    """Whether decisions were picked for being mistakes: the machine's "no" has more violations.

    Even a machine that knows nothing is right as often as it is wrong. Where what it flagged holds
    fewer violations than what it passed, by two standard errors, the decisions that agree with it
    are missing, and how often it is wrong cannot be seen.

    Args:
        labels: 0 or 1 (n,).
        flagged: bool (n,): whether the parent's probability is at least 1/2.
    """
    if flagged.all() or not flagged.any():
        return False
    rates, errors = [], []
    for side in (flagged, ~flagged):
        mass = float(weights[side].sum())
        hits = float(weights[side] @ labels[side])
        rate = (hits + 1) / (mass + 2)
        rates.append(rate)
        errors.append(rate * (1 - rate) / (mass + 2))
    return rates[0] - rates[1] < -2 * float(np.sqrt(sum(errors)))
