"""What the figures are made of: ranking and calibration measures with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from coefvq.routing.reliability import (
    brier,
    debiased_ece,
    equal_mass_bins,
    plain_ece,
    squared_error_debiased,
)
from coefvq.routing.scores import entropy_bits

__all__ = [
    "Estimate",
    "Measure",
    "auc",
    "bootstrap",
    "brier",
    "debiased_ece",
    "entropy_bits",
    "equal_mass_bins",
    "plain_ece",
    "squared_error_debiased",
]

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
