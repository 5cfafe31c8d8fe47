"""Where a stretch that agrees begins and ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BRIDGE_S = 1.3
_APART, _APART_LEAST = 2.5, 2.0
"""Times the median difference, and grey levels, from which on a picture is not of a stretch."""

Floats = NDArray[np.float32]


def longest(times_s: Floats, good: NDArray[np.bool_]) -> tuple[int, int] | None:
    """First and last row of the longest stretch, short gaps bridged."""
    rows = np.nonzero(good)[0]
    if not len(rows):
        return None
    breaks = np.nonzero(np.diff(times_s[rows]) > _BRIDGE_S)[0]
    firsts = np.concatenate([[0], breaks + 1])
    lasts = np.concatenate([breaks, [len(rows) - 1]])
    counts = lasts - firsts
    best = int(counts.argmax())
    return int(rows[firsts[best]]), int(rows[lasts[best]])


def trimmed(times_s: Floats, mine: Floats, theirs: Floats) -> tuple[int, int]:
    """Leave out what a stretch was cut from or to.

    In one scene pictures go on agreeing past a cut, but differ more than all others do.

    Args:
        times_s: float32 (n,), of the stretch.
        mine: float32 (n, side, side), grey levels.
        theirs: float32 (n, side, side), the original's of the same moments.

    Returns:
        First and last row; all where less than half would be left.
    """
    one, two = (p.reshape(len(p), -1) - p.mean(axis=(1, 2))[:, None] for p in (mine, theirs))
    gain = float(np.median(one.std(axis=1)) / max(1.0, float(np.median(two.std(axis=1)))))
    apart = np.abs(one - gain * two).mean(axis=1)
    off = np.nonzero(apart > _APART * np.median(apart) + _APART_LEAST)[0]
    early = off[times_s[off] - times_s[0] <= _BRIDGE_S]
    late = off[times_s[-1] - times_s[off] <= _BRIDGE_S]
    first = int(early.max()) + 1 if len(early) else 0
    last = int(late.min()) - 1 if len(late) else len(times_s) - 1
    return (first, last) if last - first >= len(times_s) // 2 else (0, len(times_s) - 1)


def smooth(values: Floats, reach: int) -> Floats:
    """Mean of the values around each."""
    window = min(2 * reach + 1, len(values))
    ones = np.ones(window, np.float32)
    total = np.convolve(values, ones, "same")
    return np.asarray(total / np.convolve(np.ones_like(values), ones, "same"), np.float32)
