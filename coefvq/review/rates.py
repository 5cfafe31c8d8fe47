"""A share with its interval: how often something happened, out of how many times."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Rate:
    """``hits`` out of ``n``, with the 95 % interval of Wilson (1927).

    Attributes:
        value: The share, 0..1; ``None`` with no case at all, as are the ends then.
    """

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


def rate(hits: int, n: int) -> Rate:
    """Make a rate.

    The interval is the set of shares p with |hits/n - p| <= z sqrt(p (1 - p) / n). It stays
    inside 0..1, and it holds for few cases and for shares near 0 or 1, where the usual one fails.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no share")
    if n == 0:
        return Rate(0, 0, None, None, None)
    share, square = hits / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    spread = math.sqrt(share * (1 - share) / n + square / (4 * n * n)) * _Z / (1 + square / n)
    low = 0.0 if hits == 0 else max(0.0, middle - spread)
    high = 1.0 if hits == n else min(1.0, middle + spread)
    return Rate(hits, n, share, low, high)


def difference(one: Rate, other: Rate) -> tuple[float, float, float] | None:
    """``one`` less ``other`` with its 95 % interval: value, low, high; ``None`` without cases.

    Both are taken to be independent. The interval is method 10 of Newcombe (1998), made from the
    two intervals of Wilson.
    """
    if one.value is None or other.value is None:
        return None
    assert one.low is not None and one.high is not None  # a rate has all three or none
    assert other.low is not None and other.high is not None
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return value, value - below, value + above
