"""Intervals of rates whose cases come in clusters: one uploader's videos are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1000
MOST = 2000
"""Clusters that are resampled; more uploaders than that are put together at random first."""
LEVEL = (2.5, 97.5)
_LEAST_DEFINED = 0.9
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval; ``None`` where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def resampled(units: list[str], sums: Vector, seed: int = 0) -> Vector:
    """Column sums as they are, then of resampled clusters.

    Args:
        units: Whose each case is, (n,).
        sums: What each case adds to each column, (n, m).

    Returns:
        (1 + rounds, m).
    """
    if not units:
        return np.zeros((1 + ROUNDS, sums.shape[1]))
    _, owner = np.unique(np.array(units), return_inverse=True)
    count = int(owner.max()) + 1
    rng = np.random.default_rng(seed)
    if count > MOST:
        owner, count = rng.permutation(np.arange(count) % MOST)[owner], MOST
    table = np.stack([np.bincount(owner, column, count) for column in sums.T], axis=1)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=ROUNDS)
    return np.concatenate([table.sum(0)[None], drawn @ table])


def figure(values: Vector) -> Figure:
    """The first value with the percentiles of the others."""
    if not len(values) or not np.isfinite(values[0]):
        return Figure(None)
    kept = values[1:][np.isfinite(values[1:])]
    if len(kept) < _LEAST_DEFINED * (len(values) - 1):
        return Figure(float(values[0]))
    low, high = np.percentile(kept, LEVEL)
    return Figure(float(values[0]), float(low), float(high))


def ratio(part: Vector, whole: Vector) -> Vector:
    """NaN where there is nothing to be a share of."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
