"""The tests behind the alarms, over plain counts. Nothing here reads a store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, fisher_exact, nbinom

from coefvq.routing.reliability import wilson

LEAST_WINDOWS = 7
"""Windows of history before a jump can be told from an ordinary day."""
LEAST_COUNT = 5
"""A jump below so many uploaders is nobody's business yet."""
TIMES = 2.0
"""A jump is at least so many times the mean of its history."""
JUMP_P = 1e-5
JUMP_OVER_P = 1e-2
"""Once raised, it is over when the count is no rarer than this, or below ``TIMES`` / 1.33."""


@dataclass(frozen=True)
class Jump:
    """A window's count beside those of its history.

    Attributes:
        count: In the window.
        mean: Of the history.
        spread: Variance over mean of the history, at least 1 (1: Poisson).
        limit: The smallest count that would raise an alarm.
        p: Probability of ``count`` or more if nothing has changed.
        windows: How many there are in the history.
    """

    count: int
    mean: float
    spread: float
    limit: int
    p: float
    windows: int

    @property
    def raised(self) -> bool:
        """Whether it is a jump."""
        return self.count >= self.limit

    @property
    def over(self) -> bool:
        """Whether it is an ordinary count again."""
        return self.p > JUMP_OVER_P or self.count < max(LEAST_COUNT, TIMES / 1.33 * self.mean)


def jump(count: int, history: Sequence[int]) -> Jump | None:
    """Compare a count with its history; ``None`` for fewer than ``LEAST_WINDOWS`` windows.

    The next count of a calm series is taken as negative binomial with the mean m of the history
    and variance f m (1 + 1/w), f = max(1, s^2/m) and w windows: the second factor is what the
    estimate of m adds. Past jumps must not hide the next one, so that s^2 is of the history with
    its largest tenth cut down to the next largest. Alarm where P(N >= count) <= ``JUMP_P``, the
    count is at least ``LEAST_COUNT`` and at least ``TIMES`` the mean. How often a calm series
    rings: docs/alarms.md.

    Args:
        count: At least 0.
        history: Counts of windows of the same length, at least 0 each.
    """
    windows = len(history)
    if windows < LEAST_WINDOWS:
        return None
    kept = _cut(np.sort(np.asarray(history, dtype=np.float64)))
    mean = (float(kept.sum()) + 0.5) / windows
    spread = max(1.0, float(kept.var(ddof=1)) / mean)
    wide = spread * (1 + 1 / windows)
    size, share = mean / (wide - 1), 1 / wide
    limit = int(nbinom.isf(JUMP_P, size, share)) + 1
    least = max(limit, LEAST_COUNT, math.ceil(TIMES * mean))
    p = float(nbinom.sf(count - 1, size, share))
    return Jump(count, mean, spread, least, p, windows)


def _cut(rising: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = max(1, len(rising) // 10)
    return np.clip(rising, None, rising[-largest - 1])


@dataclass(frozen=True)
class ShareAbove:
    """A share beside the most it should be.

    Attributes:
        p: P(Binomial(n, limit) >= hits): how likely so many are where the limit is kept.
    """

    hits: int
    n: int
    limit: float
    p: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """hits / n."""
        return self.hits / self.n


def share_above(hits: int, n: int, limit: float) -> ShareAbove:
    """Is a share above its limit by more than chance? Exact one-sided binomial test.

    Args:
        hits: 0..n.
        n: At least 1.
        limit: 0..1.
    """
    p = float(binom.sf(hits - 1, n, limit))
    return ShareAbove(hits, n, limit, p, *wilson(hits, n))


@dataclass(frozen=True)
class Fall:
    """A share now beside what it was.

    Attributes:
        p: One-sided p-value of Fisher's exact test that nothing has fallen.
        low, high: 95 % Wilson interval of ``now``.
    """

    now: float
    before: float
    n_now: int
    n_before: int
    p: float
    low: float
    high: float

    @property
    def drop(self) -> float:
        """Before minus now."""
        return self.before - self.now


def fall(hits: int, n: int, hits_before: int, n_before: int) -> Fall:
    """Has a share fallen? Fisher's exact test of two proportions, one-sided.

    Args:
        hits: 0..n, now.
        n: At least 1.
        hits_before: 0..n_before.
        n_before: At least 1.
    """
    table = [[hits, n - hits], [hits_before, n_before - hits_before]]
    p = float(fisher_exact(table, alternative="less").pvalue)
    return Fall(hits / n, hits_before / n_before, n, n_before, p, *wilson(hits, n))
