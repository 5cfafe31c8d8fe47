"""Copies of originals of which only hashes are known, such as those that a partner sent.

There is no picture to compare with, so the hashes must say more: so many looks of the video must
have a hash of the original near them, in the original's order at one speed, most of the looks of a
span, and nearer there than elsewhere in the original. What is found is a span and whether it was
turned or mirrored; other edits cannot be told from hashes. The rule is vPDQ's (a share of frames
that match within 31 bits) with the order of time added to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.hashing import GOOD, NEAR_BITS, VARIANTS, hashes_of_small, turned
from coefvq.originality.near import Near

LEAST_LOOKS = 6
"""Agreeing looks that a match needs."""
LEAST_SHARE = 0.8
"""Share of a span's looks that must agree; vPDQ's usual threshold."""
MOST_BITS = 20.0
"""Median distance of the agreeing looks to the nearest hash on the line."""
LEAST_CONTRAST = 6.0
"""Bits by which other times of the original are further off: a still picture proves no order."""
PRECISION = 0.97
"""What a match by hashes alone is worth at most: 37/38, the rule of succession after 36 pairs that
were found and 0 wrong ones (docs/originality.md); few pairs, of few scenes."""
SPEEDS = (1.0, 0.8, 0.9, 1.1, 1.25)
_TOLERANCE_S = 1.1  # looks a second apart are half a second off at most, to both sides
_MIRRORED = 4  # from this variant on the picture is mirrored first
_MOST_LOOKS = 400

Floats = NDArray[np.float32]


class Searched(Protocol):
    """What is asked of an index."""

    def near_hashes(self, hashes: NDArray[np.uint8], most_bits: int = NEAR_BITS) -> Near:
        """Frames within so many bits."""
        ...


@dataclass(frozen=True)
class Agreement:
    """A span in which a video's hashes agree with an original's.

    Attributes:
        key: The original in the index.
        share: Looks of the span that agree, of all with a clear hash, 0..1.
        query_start_s: Seconds in the video asked about.
        reference_start_s: Seconds in the original.
        transform: ``mirror`` and ``rotate``, where it was turned.
        speed: Seconds of the original in a second of the video.
        looks: Agreeing looks.
    """

    key: int
    share: float
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    transform: tuple[str, ...]
    speed: float
    looks: int


def agreements(query: Fingerprint, index: Searched) -> list[Agreement]:
    """The best span of each original whose hashes agree, the surest first.

    Args:
        query: A whole fingerprint, or hashes alone; then it is not looked up mirrored or turned.
        index: Originals of which hashes are known.
    """
    clear = np.flatnonzero(query.quality >= GOOD)
    if len(clear) > _MOST_LOOKS:
        clear = clear[np.linspace(0, len(clear) - 1, _MOST_LOOKS).round().astype(int)]
    best: dict[int, Agreement] = {}
    for variant, hashes in _variants(query, clear):
        near = index.near_hashes(hashes, NEAR_BITS)
        for key in np.unique(near.key):
            found = _agreement(query.times_s[clear], near, int(key), variant)
            held = best.get(int(key))
            if found is not None and (held is None or found.looks > held.looks):
                best[int(key)] = found
    return sorted(best.values(), key=lambda one: (-one.share, -one.looks))


def _variants(
    query: Fingerprint, clear: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    if not len(clear):
        return
    yield 0, query.hashes[clear]
    if len(query.thumbs):
        thumbs = query.thumbs[clear]
        for variant in range(1, VARIANTS):
            yield variant, hashes_of_small(turned(thumbs, variant))


def _agreement(times: Floats, near: Near, key: int, variant: int) -> Agreement | None:
    mine = near.key == key
    look, there, bits = near.query[mine], near.time_s[mine], near.distance[mine]
    lines = [(speed, _line(times[look], there, look, speed)) for speed in SPEEDS]
    speed, on = max(lines, key=lambda line: len(np.unique(look[line[1]])))
    looks = np.unique(look[on])
    start, end = float(times[looks[0]]), float(times[looks[-1]])
    share = len(looks) / int(((times >= start) & (times <= end)).sum())
    if len(looks) < LEAST_LOOKS or share < LEAST_SHARE:
        return None
    nearest = np.array([_nearest(on[look[on] == each], bits) for each in looks])
    if not _proves(look, bits, on, nearest):
        return None
    offset = float(np.median(there[nearest] - speed * times[looks]))
    return Agreement(
        key=key,
        share=share,
        query_start_s=start,
        query_end_s=end,
        reference_start_s=max(0.0, speed * start + offset),
        reference_end_s=speed * end + offset,
        transform=("mirror",) * (variant >= _MIRRORED) + ("rotate",) * (variant % 4 != 0),
        speed=speed,
        looks=len(looks),
    )


def _nearest(pairs: NDArray[np.intp], bits: Floats) -> int:
    return int(pairs[np.argmin(bits[pairs])])


def _proves(
    look: NDArray[np.int32], bits: Floats, on: NDArray[np.intp], nearest: NDArray[np.intp]
) -> bool:
    """Whether the hashes are near on the line, and nearer than elsewhere in the original."""
    off = np.ones(len(look), bool)
    off[on] = False
    others = [bits[off & (look == look[each])] for each in nearest]
    elsewhere = np.array([np.median(far) if len(far) else NEAR_BITS + 1 for far in others])
    close = bool(np.median(bits[nearest]) <= MOST_BITS)
    return close and bool(np.median(elsewhere - bits[nearest]) >= LEAST_CONTRAST)


def _line(asked: Floats, there: Floats, look: NDArray[np.int32], speed: float) -> NDArray[np.intp]:
    """Pairs on the offset that most looks agree on at this speed."""
    offset = there - speed * asked
    order = np.argsort(offset, kind="stable")
    ends = np.searchsorted(offset[order], offset[order] + _TOLERANCE_S, side="right")
    starts = np.arange(len(order))
    widest = np.argsort(starts - ends, kind="stable")[:8]
    windows = [order[starts[at] : ends[at]] for at in widest]
    return max(windows, key=lambda pairs: len(np.unique(look[pairs])))
