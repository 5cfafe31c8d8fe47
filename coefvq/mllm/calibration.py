"""From a raw margin to a probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Platt:
    """``sigmoid(slope * margin + intercept)`` (Platt 1999). The slope is never negative."""

    slope: float
    intercept: float

    def __call__(self, margin: ArrayLike) -> Array:
        """Probabilities, 0..1, in the shape of ``margin``."""
        raw = self.slope * np.asarray(margin, dtype=np.float64) + self.intercept
        return 1.0 / (1.0 + np.exp(-np.clip(raw, -30.0, 30.0)))


def fit_platt(margin: ArrayLike, label: ArrayLike, *, steps: int = 50) -> Platt:
    """Fit by Newton's method on Platt's smoothed targets.

    Args:
        margin: float (n,).
        label: 0 or 1 (n,); both must occur.

    Raises:
        ValueError: If only one label occurs.
    """
    x, y = np.asarray(margin, dtype=np.float64), np.asarray(label, dtype=np.float64)
    positives, negatives = float(y.sum()), float((1 - y).sum())
    if not positives or not negatives:
        raise ValueError("Calibration needs both labels.")
    target = np.where(y > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale = float(np.abs(x).mean()) or 1.0
    design = np.stack([x / scale, np.ones_like(x)], axis=1)
    weights = np.array([0.0, np.log(positives / negatives)])
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30.0, 30.0)))
        gradient = design.T @ (p - target) + 1e-6 * weights
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        weights = weights - np.linalg.solve(hessian, gradient)
    return Platt(max(0.0, float(weights[0]) / scale), float(weights[1]))


def cross_fitted(margin: ArrayLike, label: ArrayLike, fold: Sequence[int]) -> Array:
    """Probabilities where each fold is calibrated on the other folds only."""
    x, y, f = np.asarray(margin, dtype=np.float64), np.asarray(label), np.asarray(fold)
    result = np.zeros(len(x))
    for held in np.unique(f):
        result[f == held] = fit_platt(x[f != held], y[f != held])(x[f == held])
    return result
