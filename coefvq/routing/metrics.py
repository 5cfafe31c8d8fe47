"""Measures of probabilities and of calls against labels; weights count rows more than once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Confusion:
    """Weighted counts of calls against labels."""

    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float

    @property
    def precision(self) -> float:
        """Share of calls that are right; NaN without a call."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of violations that are called; NaN without a violation."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN where there is neither a violation nor a call."""
        wrong = self.false_positive + self.false_negative
        return _ratio(2 * self.true_positive, 2 * self.true_positive + wrong)


def confusion(labels: ArrayLike, called: ArrayLike, weights: ArrayLike | None = None) -> Confusion:
    """Count calls against labels.

    Args:
        labels: (n,) 0/1, or probabilities: the counts are then expected counts.
        called: (n,) boolean.
        weights: (n,), default 1.
    """
    y, hit = np.asarray(labels, dtype=np.float64), np.asarray(called, dtype=bool)
    w = None if weights is None else np.asarray(weights, dtype=np.float64)
    mass = y if w is None else y * w
    both, yes = float(mass[hit].sum()), float(mass.sum())
    calls = float(hit.sum() if w is None else w[hit].sum())
    total = float(len(y) if w is None else w.sum())
    return Confusion(both, calls - both, yes - both, total - calls - yes + both)


def f1_score(labels: ArrayLike, called: ArrayLike, weights: ArrayLike | None = None) -> float:
    """F1 of calls, 0..1; NaN where undefined."""
    return confusion(labels, called, weights).f1


def error_cost(
    labels: ArrayLike,
    called: ArrayLike,
    cost_fn: float,
    cost_fp: float,
    weights: ArrayLike | None = None,
) -> float:
    """Mean cost of wrong calls an item."""
    found = confusion(labels, called, weights)
    total = len(np.asarray(labels)) if weights is None else float(np.asarray(weights).sum())
    return (cost_fn * found.false_negative + cost_fp * found.false_positive) / total


def average_precision(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Area under precision over recall, summed at each distinct score: sum (R_k - R_k-1) P_k.

    Equal scores are one step. Without weights two sorts of plain numbers do, which is several
    times faster than ordering rows.

    Returns:
        0..1; NaN without a violation.
    """
    y, s = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if weights is not None:
        return Ranking(y, s)(np.asarray(weights, dtype=np.float64))
    found, every = np.sort(s[y == 1]), np.sort(s)
    if not len(found):
        return float("nan")
    hits = len(found) - np.searchsorted(found, found, side="left")
    return float((hits / (len(every) - np.searchsorted(every, found, side="left"))).mean())


class Ranking:
    """Rows ordered once by score; average precision for any weights afterwards."""

    def __init__(self, labels: ArrayLike, scores: ArrayLike):
        """Order n rows.

        Args:
            labels: (n,) 0/1.
            scores: (n,) higher first, no NaN.
        """
        s = np.asarray(scores, dtype=np.float64)
        self._order = np.argsort(-s, kind="stable")
        self._violation = (np.asarray(labels) == 1)[self._order]
        self._ends = np.flatnonzero(np.append(np.diff(s[self._order]) != 0, True)[: len(s)])

    def __call__(self, weights: NDArray[np.float64]) -> float:
        """Average precision with rows weighted (n,), >= 0; NaN without weight on a violation."""
        w = weights[self._order]
        hits = np.cumsum(w * self._violation)[self._ends]
        if not len(hits) or hits[-1] <= 0:
            return float("nan")
        called = np.cumsum(w)[self._ends]
        gained = np.diff(hits, prepend=0.0)
        return float(gained @ (hits / np.where(called > 0, called, 1.0)) / hits[-1])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
