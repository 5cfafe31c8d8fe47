"""Shares of traffic among rows of unequal weight: ranks, quantiles, and who fits into a room.

A row stands for ``weight`` videos of the traffic (1 / propensity), so a budget is a share of the
rows' weight, not of their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.budget import ROUNDING

Vector = NDArray[np.float64]


def ranks(values: Vector, weight: Vector) -> Vector:
    """Ranks as 0..1: the weight below a row and half of its own, as a share; ties by position."""
    order = np.argsort(values, kind="stable")
    found = np.empty(len(values))
    found[order] = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    return found


def lowest_of_top(values: Vector, weight: Vector, share: float, *, above: bool = False) -> float:
    """A score that at most about ``share`` of all weight lies above, one of ``values``.

    Args:
        share: 0..1.
        above: Take the value next above the quantile, not the one below it.
    """
    if np.ptp(weight) == 0:
        return float(np.quantile(values, 1 - share, method="higher" if above else "lower"))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    at = int(np.searchsorted(reached, 1 - share + ROUNDING, side="right"))
    return float(values[order][min(max(at - (not above), 0), len(values) - 1)])


def fitting(weight: Vector, room: float) -> int:
    """How many of the first rows fit into a room of so much weight."""
    return int(np.searchsorted(np.cumsum(weight), room + ROUNDING, side="right"))
