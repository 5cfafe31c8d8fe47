"""Intervals for means over random splits of one data set, which overlap and are not independent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

OVERLAP = 1.0
"""Test rows over fitted rows of a half/half split: what the correction adds to 1 / splits."""


@dataclass(frozen=True)
class Interval:
    """A mean and its interval.

    Attributes:
        plain_low: Lower end as if the splits were independent: too narrow, so the stricter test
            of "not worse".
        plain_high: Its upper end.
        better: Share of splits with a value above 0, ties counted half.
    """

    mean: float
    low: float
    high: float
    plain_low: float
    plain_high: float
    better: float


def resampled_t(values: ArrayLike, overlap: float = OVERLAP, confidence: float = 0.95) -> Interval:
    """The corrected resampled t interval (Nadeau & Bengio 2003, section 3).

    The variance of a mean over J splits is taken as s^2 (1 / J + test rows / fitted rows): a mean
    over any number of splits of the same rows is hardly surer than one split.

    Args:
        values: (splits,), a figure or a paired difference of each split.
        overlap: Test rows / fitted rows.
        confidence: Two-sided.
    """
    from scipy.stats import t

    v = np.asarray(values, dtype=np.float64)
    reach = float(t.ppf((1 + confidence) / 2, len(v) - 1) * v.std(ddof=1))
    wide, narrow = (reach * float(np.sqrt(1 / len(v) + extra)) for extra in (overlap, 0.0))
    middle = float(v.mean())
    better = float((v > 0).mean() + (v == 0).mean() / 2)
    return Interval(middle, middle - wide, middle + wide, middle - narrow, middle + narrow, better)


def jackknife(
    curves: NDArray[np.float64], figure: Callable[[NDArray[np.float64]], float]
) -> NDArray[np.float64]:
    """Pseudo-values of a figure that is read off mean curves, one a split; for ``resampled_t``.

    Args:
        curves: (splits, ...).
        figure: (splits, ...) -> float.
    """
    whole, n = figure(curves), len(curves)
    without = [figure(np.delete(curves, split, axis=0)) for split in range(n)]
    return n * whole - (n - 1) * np.array(without)
