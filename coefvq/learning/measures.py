"""What the figures are made of: ranking and calibration measures with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Measure = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
"""Takes labels (0/1) and scores, returns a number; NaN where it is not defined."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval.

    Attributes:
        n: Items.
        low: 2.5th percentile over resamples.
        high: 97.5th percentile.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n})"


def _pair(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, s = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if y.shape != s.shape or y.ndim != 1:
        raise ValueError(f"labels {y.shape} and scores {s.shape} must be equally long vectors")
    return y, s


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the share of pairs in the right order, ties as half.

    Returns:
        0..1, or NaN if there is only one class.
    """
    y, s = _pair(labels, scores)
    positives = int(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(s)
    above = ranks[y == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared difference of probability and outcome, 0 (best) .. 1."""
    y, p = _pair(labels, probabilities)
    return float(np.mean((p - y) ** 2))


def equal_mass_bins(probabilities: ArrayLike, bins: int) -> list[NDArray[np.intp]]:
    """Indices of ``bins`` groups of neighbouring probabilities, sizes equal within one.

    Ties are broken by position, so that a constant forecast still fills every bin.
    """
    order = np.argsort(np.asarray(probabilities), kind="stable")
    return [part for part in np.array_split(order, bins) if len(part) > 1]


def squared_error_debiased(labels: ArrayLike, probabilities: ArrayLike, bins: int = 5) -> float:
    """Kumar, Liang & Ma 2019 (arXiv 1909.10155), eq. for the debiased squared error.

    sum_b n_b/n * ((mean p - mean y)^2 - mean y (1 - mean y) / (n_b - 1)). May be below 0.
    """
    y, p = _pair(labels, probabilities)
    total = 0.0
    for part in equal_mass_bins(p, bins):
        rate, size = y[part].mean(), len(part)
        gap = (p[part].mean() - rate) ** 2 - rate * (1 - rate) / (size - 1)
        total += size / len(y) * gap
    return float(total)


def debiased_ece(labels: ArrayLike, probabilities: ArrayLike, bins: int = 5) -> float:
    """Expected calibration error, the root of Kumar et al.'s debiased squared error.

    The plain estimate is above zero for a perfect model, because each bin's rate is noisy;
    this one takes the noise's expected share off. Below zero counts as 0.
    """
    return float(np.sqrt(max(0.0, squared_error_debiased(labels, probabilities, bins))))


def plain_ece(labels: ArrayLike, probabilities: ArrayLike, bins: int = 5) -> float:
    """The usual, upward-biased estimate: mean absolute gap over equal-mass bins."""
    y, p = _pair(labels, probabilities)
    parts = equal_mass_bins(p, bins)
    return float(sum(len(b) / len(y) * abs(p[b].mean() - y[b].mean()) for b in parts))


def entropy_bits(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Binary entropy in bits, 0..1."""
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def bootstrap(
    measure: Measure,
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Estimate:
    """A figure with its 95 % percentile interval.

    Args:
        groups: Resample whole groups instead of items, where items of a group are alike.
        rounds: Resamples; those on which the measure is not defined are left out.
    """
    y, s = _pair(labels, scores)
    rng = np.random.default_rng(seed)
    draw = _item_draw(len(y)) if groups is None else _group_draw(groups)
    values = []
    for _ in range(rounds):
        picked = draw(rng)
        values.append(measure(y[picked], s[picked]))
    kept = np.asarray(values)[~np.isnan(values)]
    low, high = np.percentile(kept, [2.5, 97.5]) if len(kept) else (float("nan"),) * 2
    return Estimate(measure(y, s), float(low), float(high), len(y))


def _item_draw(count: int) -> Callable[[np.random.Generator], NDArray[np.intp]]:
    return lambda rng: rng.integers(0, count, count)


def _group_draw(groups: Sequence[str]) -> Callable[[np.random.Generator], NDArray[np.intp]]:
    names = np.asarray(groups)
    members = [np.flatnonzero(names == name) for name in sorted(set(groups))]

    def draw(rng: np.random.Generator) -> NDArray[np.intp]:
        picked = rng.integers(0, len(members), len(members))
        return np.concatenate([members[index] for index in picked])

    return draw
