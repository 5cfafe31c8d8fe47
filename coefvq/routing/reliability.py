"""Whether probabilities come true as often as they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ReliabilityRow:
    """Neighbouring probabilities against what people said of the same items.

    Attributes:
        n: Rows.
        probability: Their mean probability.
        rate: Share of them that are violations.
        low: Lower end of the rate's 95 % Wilson interval.
        high: Upper end.
    """

    n: int
    probability: float
    rate: float
    low: float
    high: float


def brier(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean squared difference of probability and outcome, 0 (best) .. 1; NaN without a row."""
    y, p, w = _columns(labels, probabilities, weights)
    return float(np.average((p - y) ** 2, weights=w)) if len(y) else float("nan")


def equal_mass_bins(
    probabilities: ArrayLike, bins: int, weights: ArrayLike | None = None
) -> list[NDArray[np.intp]]:
    """Indices of ``bins`` groups of neighbouring probabilities, of equal weight as near as may be.

    Ties are broken by position, so that a constant forecast still fills every bin. Groups of fewer
    than two rows are left out: they say nothing of a rate.
    """
    order = np.argsort(np.asarray(probabilities), kind="stable")
    if weights is None:
        parts = np.array_split(order, bins)
    else:
        mass = np.cumsum(np.asarray(weights, dtype=np.float64)[order])
        edges = np.searchsorted(mass, mass[-1:] * np.arange(1, bins) / bins * (1 + 1e-12), "right")
        parts = np.split(order, edges)
    return [part for part in parts if len(part) > 1]


def squared_error_debiased(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 5, weights: ArrayLike | None = None
) -> float:
    """Kumar, Liang & Ma 2019 (arXiv 1909.10155), eq. for the debiased squared error.

    sum_b n_b/n * ((mean p - mean y)^2 - mean y (1 - mean y) / (n_b - 1)). May be below 0. With
    weights n_b is the effective number of rows, (sum w)^2 / sum w^2.
    """
    mass, p, rate, size = _binned(labels, probabilities, bins, weights)
    gap = (p - rate) ** 2 - rate * (1 - rate) / np.maximum(size - 1, 1e-9)
    return float(mass @ gap)


def debiased_ece(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 5, weights: ArrayLike | None = None
) -> float:
    """Expected calibration error, the root of Kumar et al.'s debiased squared error.

    The plain estimate is above zero for a perfect model, because each bin's rate is noisy;
    this one takes the noise's expected share off. Below zero counts as 0.
    """
    return float(np.sqrt(max(0.0, squared_error_debiased(labels, probabilities, bins, weights))))


def plain_ece(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 5, weights: ArrayLike | None = None
) -> float:
    """The usual, upward-biased estimate: mean absolute gap over equal-mass bins."""
    mass, p, rate, _ = _binned(labels, probabilities, bins, weights)
    return float(mass @ np.abs(p - rate))


def reliability_table(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 10, weights: ArrayLike | None = None
) -> tuple[ReliabilityRow, ...]:
    """Mean probability against observed rate in bins of equal mass, rising; at most ``bins`` rows.

    With few rows there are fewer bins, so that each has five rows or more where possible.
    """
    y = np.asarray(labels)
    found = []
    for part in equal_mass_bins(probabilities, max(1, min(bins, len(y) // 5)), weights):
        _, p, rate, size = _means(part, *_columns(labels, probabilities, weights))
        found.append(ReliabilityRow(len(part), p, rate, *wilson(rate * size, size)))
    return tuple(found)


def wilson(hits: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), 95 % by default; stays inside 0..1.

    Args:
        hits: 0..n; with weights, rate times the effective number of rows.
        n: > 0.
        z: Normal quantile of the confidence.
    """
    rate = hits / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _binned(
    labels: ArrayLike, probabilities: ArrayLike, bins: int, weights: ArrayLike | None
) -> tuple[Vector, Vector, Vector, Vector]:
    """Of each bin: share of all weight, mean probability, rate, effective rows."""
    y, p, w = _columns(labels, probabilities, weights)
    parts = equal_mass_bins(p, bins, w)
    found = np.array([_means(part, y, p, w) for part in parts]).reshape(-1, 4)
    whole = float(len(y)) if w is None else float(w.sum())
    return found[:, 0] / whole, found[:, 1], found[:, 2], found[:, 3]


def _means(
    part: NDArray[np.intp], y: Vector, p: Vector, w: Vector | None
) -> tuple[float, float, float, float]:
    if w is None:
        return float(len(part)), float(p[part].mean()), float(y[part].mean()), float(len(part))
    inside = w[part]
    mass = float(inside.sum())
    size = mass**2 / float(inside @ inside)
    return mass, float(inside @ p[part]) / mass, float(inside @ y[part]) / mass, size


def _columns(
    labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None
) -> tuple[Vector, Vector, Vector | None]:
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise ValueError(f"labels {y.shape} and scores {p.shape} must be equally long vectors")
    return y, p, None if weights is None else np.asarray(weights, dtype=np.float64)
