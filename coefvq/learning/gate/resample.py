"""Figures on resampled groups: the same draws for both models, so that differences are paired.

A draw takes whole groups (an uploader with its near duplicates) with replacement (the cluster
bootstrap, Field & Welsh 2007): videos of one uploader are alike, and one by one they would make
intervals too narrow. All functions take weights (R, n): row 0 is the sample as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
ROUNDS = 1000


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Strict JSON: what is no number is ``None``."""
        return {name: _number(value) for name, value in vars(self).items()}


def draws(groups: Sequence[Any], rounds: int = ROUNDS, seed: int = 0) -> Vector:
    """How often each item counts, (1 + rounds, n); row 0 is all ones."""
    _, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    count = int(member.max()) + 1 if len(member) else 0
    if not count:
        return np.ones((1 + rounds, 0))
    rng = np.random.default_rng(seed)
    taken = rng.multinomial(count, np.full(count, 1 / count), size=rounds).astype(np.float64)
    return np.concatenate([np.ones((1, len(member))), taken[:, member]])


def auc(weights: Vector, labels: Vector, scores: Vector) -> Vector:
    """Area under the ROC curve for every row of weights, (R,); ties as half.

    Sum over levels of the score: positives of the level times the negatives below it, plus half
    of those in it.
    """
    levels, member = np.unique(scores, return_inverse=True)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(len(levels)))
    good, bad = weights * (labels == 0), weights * (labels == 1)
    if not len(levels):
        return np.full(len(weights), np.nan)
    negatives = np.add.reduceat(good[:, order], starts, axis=1)
    positives = np.add.reduceat(bad[:, order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    ordered = (positives * (below + negatives / 2)).sum(1)
    return ratio(ordered, positives.sum(1) * negatives.sum(1))


def f1(weights: Vector, labels: Vector, scores: Vector, cut: float) -> Vector:
    """F1 of "violation from ``cut`` on" for every row of weights, (R,)."""
    called, bad = scores >= cut, labels == 1
    hits = weights @ (called & bad)
    return ratio(2 * hits, weights @ called + weights @ bad)


def brier(weights: Vector, labels: Vector, scores: Vector) -> Vector:
    """Mean squared difference of probability and outcome for every row of weights, (R,)."""
    return ratio(weights @ (scores - labels) ** 2, weights.sum(1))


def share(weights: Vector, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Vector:
    """Weight of ``part`` within ``whole`` for every row of weights, (R,)."""
    return ratio(weights @ (part & whole), weights @ whole)


def ratio(above: Vector, below: Vector) -> Vector:
    """A quotient; NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def figure(values: Vector) -> Figure:
    """Row 0 with the 2.5th and 97.5th percentile of the others."""
    return Figure(float(values[0]), bound(values, 0.025), bound(values, 0.975))


def bound(values: Vector, quantile: float) -> float:
    """A quantile of the resampled values; NaN where there are none."""
    known = values[1:][~np.isnan(values[1:])]
    return float(np.quantile(known, quantile)) if len(known) else float("nan")


def spread(values: Vector) -> float:
    """Standard error: the spread of the resampled values."""
    known = values[1:][~np.isnan(values[1:])]
    return float(known.std()) if len(known) else float("nan")


def _number(value: float) -> float | None:
    return None if value != value or value in (float("inf"), float("-inf")) else round(value, 5)
