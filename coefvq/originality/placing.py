"""Look-alike frames of two videos laid over each other, about: which originals are worth more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from coefvq.originality.candidates import Pairs
from coefvq.originality.fingerprint import MOTION_SIDE, Fingerprint
from coefvq.originality.hashing import turned
from coefvq.originality.proof import Small
from coefvq.originality.register import Box, placed

REGISTERED = 5
"""Pairs of frames that one box is found for."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Side:
    """A fingerprint turned one way, its small pictures prepared once.

    Attributes:
        fingerprint: Of the whole video.
        variant: How it is turned; see ``hashing.turned``.
        span: Seconds outside of which its small pictures are left out; ``None``: all are there.
    """

    fingerprint: Fingerprint
    variant: int = 0
    span: tuple[float, float] | None = None

    @cached_property
    def small(self) -> Small:
        """Its small pictures."""
        held = self.fingerprint
        times, pictures = held.motion_times_s, held.motion
        if not len(pictures):  # made without: a look a second has to do
            size = (MOTION_SIDE, MOTION_SIDE)
            resized = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in held.thumbs]
            times, pictures = held.times_s, np.asarray(np.stack(resized), np.uint8)
        if self.span is not None:
            inside = (times >= self.span[0]) & (times < self.span[1])
            times, pictures = times[inside], pictures[inside]
        return Small.of(times, np.asarray(turned(pictures, self.variant), np.uint8))

    def thumbs(self, times_s: Floats) -> NDArray[np.uint8]:
        """The thumbs nearest to these times."""
        rows = nearest(self.fingerprint.times_s, times_s)
        return np.asarray(turned(self.fingerprint.thumbs[rows], self.variant), np.uint8)


@dataclass(frozen=True)
class Placed:
    """One way to lay a query over an original, as its look-alike frames say.

    Attributes:
        query: Turned.
        reference: The original.
        pairs: Look-alike frames.
        mine: uint8 (n, 48, 48), thumbs of some of them.
        theirs: Their partners.
        box: Where the first lie in the second, about.
        score: Correlation of the thumbs so laid, less for small parts; -1..1.
    """

    query: Side
    reference: Side
    pairs: Pairs
    mine: NDArray[np.uint8]
    theirs: NDArray[np.uint8]
    box: Box
    score: float


def place(query: Side, reference: Side, pairs: Pairs) -> Placed:
    """Lay the best pairs of frames over each other."""
    rows = _distinct(pairs)
    mine = query.thumbs(pairs.query_s[rows])
    theirs = reference.thumbs(pairs.reference_s[rows])
    return Placed(query, reference, pairs, mine, theirs, *placed(mine, theirs))


def _distinct(pairs: Pairs) -> list[int]:
    """The best pair of each of a few frames of the query."""
    seen: dict[float, int] = {}
    for row, time_s in enumerate(pairs.query_s.tolist()):
        seen.setdefault(time_s, row)
        if len(seen) == REGISTERED:
            break
    return list(seen.values())


def nearest(times_s: Floats, wanted_s: Floats) -> NDArray[np.intp]:
    """Rows of ``times_s``, ascending, that are nearest to the wanted times."""
    right = np.clip(np.searchsorted(times_s, wanted_s), 0, len(times_s) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(times_s[left] - wanted_s) < np.abs(times_s[right] - wanted_s)
    return np.where(closer, left, right)
