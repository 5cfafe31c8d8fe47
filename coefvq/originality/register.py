"""Where the query's picture lies in the original's, or the original's in the query's.

Both are thumbs squeezed to a square, so any crop, bar, border or picture in picture is a shift
and a scale along each axis. One transform must hold for all pairs of frames of a segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_COARSE = 24
_LEAST_SHARE = 0.42
"""Smallest part of a side that is still looked for."""
HOPELESS = 0.15
_STEPS = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Box:
    """Reference place = start + scale x query place, both 0..1 from the upper left corner.

    Attributes:
        x: Start along the width.
        y: Start along the height.
        width: Scale: below 1 the query shows a part; above 1 the original is a part of the query.
        height: Likewise along the height.
    """

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def common(self) -> tuple[float, float, float, float]:
        """The part of the query that shows the original: left, top, right, bottom, 0..1."""
        left, right = max(0.0, -self.x / self.width), min(1.0, (1.0 - self.x) / self.width)
        top, bottom = max(0.0, -self.y / self.height), min(1.0, (1.0 - self.y) / self.height)
        return left, top, right, bottom

    def in_reference(self, area: tuple[float, float, float, float]) -> tuple[float, ...]:
        """Where a part of the query lies in the reference."""
        left, top, right, bottom = area
        return (
            self.x + self.width * left,
            self.y + self.height * top,
            self.x + self.width * right,
            self.y + self.height * bottom,
        )


def normalised(pictures: NDArray[np.generic], sigma: float | None = None) -> Floats:
    """Pictures (n, S, S) with even local contrast: brightness, grading and tint drop out.

    ``sigma``: Cells around each that its contrast is taken in, a tenth of the side by default.
    """
    out = np.empty(pictures.shape, np.float32)
    sigma = sigma or pictures.shape[-1] / 10.0
    for row, picture in enumerate(pictures):
        grey = picture.astype(np.float32)
        high = grey - cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        power = cv2.GaussianBlur(high * high, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        out[row] = np.tanh(high / (np.sqrt(power) + 3.0))
    return out


def placed(query: NDArray[np.uint8], reference: NDArray[np.uint8]) -> tuple[Box, float]:
    """Find about where the query's thumbs lie over the reference's, trying all places and sizes.

    Args:
        query: uint8 (n, 48, 48), already turned; n pairs, a handful.
        reference: uint8 (n, 48, 48).

    Returns:
        The one box for all pairs, and the mean correlation of the better half of them, -1..1.
    """
    size = (_COARSE, _COARSE)
    small = [
        normalised(np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in side]))
        for side in (query, reference)
    ]
    return _coarse(*small)


def refined(query: NDArray[np.uint8], reference: NDArray[np.uint8], near: Box) -> tuple[Box, float]:
    """Climb from a box to the best one near it; arguments and answer as of ``placed``."""
    return _fine(near, normalised(query), normalised(reference))


def register(query: NDArray[np.uint8], reference: NDArray[np.uint8]) -> tuple[Box, float]:
    """Both: place, then climb, unless there is no hope."""
    box, score = placed(query, reference)
    return (box, score) if score < HOPELESS else refined(query, reference, box)


def _coarse(query: Floats, reference: Floats) -> tuple[Box, float]:
    best, best_score = Box(), -1.0
    for wide, high in _shares():
        for inside in (False, True):
            found = _placed(query, reference, wide, high, inside)
            # A part is easier to find by chance than the whole.
            score = found[1] - 0.12 * (1.0 - wide * high)
            if score > best_score:
                best, best_score = found[0], score
    return best, best_score


@cache
def _shares() -> tuple[tuple[float, float], ...]:
    """Sizes of the part, as shares of the width and the height."""
    both = [(share, share) for share in (1.0, *_STEPS)]
    flat = [(1.0, share) for share in _STEPS] + [(share, 1.0) for share in _STEPS]
    uneven = [(a, b) for a in _STEPS[1::3] for b in _STEPS[1::3] if a != b]
    return (*both, *flat, *uneven)


def _placed(
    query: Floats, reference: Floats, wide: float, high: float, inside: bool
) -> tuple[Box, float]:
    """Best place of a part of this size, the original inside the query or the other way."""
    whole, part = (query, reference) if inside else (reference, query)
    side = whole.shape[-1]
    size = (max(6, round(side * wide)), max(6, round(side * high)))
    held = np.empty((len(whole), side - size[1] + 1, side - size[0] + 1), np.float32)
    for number, (one, other) in enumerate(zip(whole, part, strict=True)):
        template = cv2.resize(other, size, interpolation=cv2.INTER_AREA)
        cv2.matchTemplate(one, template, cv2.TM_CCOEFF_NORMED, held[number])
    held.sort(axis=0)
    better = held[len(held) // 2 :]
    scores = better.sum(axis=0) / len(better)
    row, column = divmod(int(scores.argmax()), scores.shape[1])
    x, y, w, h = column / side, row / side, size[0] / side, size[1] / side
    box = Box(-x / w, -y / h, 1 / w, 1 / h) if inside else Box(x, y, w, h)
    return box, float(scores[row, column])


def _fine(box: Box, query: Floats, reference: Floats) -> tuple[Box, float]:
    """Climb: move and stretch in ever smaller steps while the correlation grows."""
    numbers, best = np.array([box.x, box.y, box.width, box.height]), -2.0
    best = _score(box, query, reference)
    for step in (0.03, 0.012):
        for _ in range(3):
            before = best
            for move in _moves(step):
                tried = numbers + move
                score = _score(Box(*tried), query, reference)
                if score > best + 1e-4:
                    numbers, best = tried, score
            if best <= before:
                break
    return Box(*(float(number) for number in numbers)), best


@cache
def _moves(step: float) -> tuple[NDArray[np.float64], ...]:
    shapes = ((1, 0, 0, 0), (0, 1, 0, 0), (-0.5, 0, 1, 0), (0, -0.5, 0, 1), (-0.5, -0.5, 1, 1))
    moves = [np.array(shape, np.float64) * step for shape in shapes]
    return tuple(move for pair in zip(moves, [-m for m in moves], strict=True) for move in pair)


def _score(box: Box, query: Floats, reference: Floats) -> float:
    if min(box.width, box.height) < _LEAST_SHARE or max(box.width, box.height) > 1 / _LEAST_SHARE:
        return -1.0
    one, other = overlaid(box, query, reference, 24)
    found = np.sort(correlations(one, other))
    return float(found[len(found) // 2 :].mean())


def overlaid(
    box: Box, query: NDArray[np.generic], reference: NDArray[np.generic], side: int
) -> tuple[Floats, Floats]:
    """Both sides' pictures of the common part, resampled to (n, side, side)."""
    area = box.common()
    return sampled(query, area, side), sampled(reference, box.in_reference(area), side)


def sampled(pictures: NDArray[np.generic], area: tuple[float, ...], side: int) -> Floats:
    """A part of pictures (n, S, S), given in shares of the sides, as (n, side, side)."""
    size = pictures.shape[-1]
    left, top, right, bottom = area
    columns = _weights(round(left, 4), round(right, 4), size, side)
    rows = _weights(round(top, 4), round(bottom, 4), size, side)
    return np.asarray(rows @ pictures.astype(np.float32) @ columns.T, np.float32)


@lru_cache(maxsize=4096)
def _weights(start: float, end: float, size: int, side: int) -> Floats:
    """Rows of weights (side, size) that average each target cell's stretch of source cells."""
    edges = (start + (end - start) * np.arange(side + 1) / side) * size
    # At least a cell wide: where the part is magnified, neighbours are blended.
    middle, half = (edges[1:] + edges[:-1]) / 2, np.maximum(np.diff(edges) / 2, 0.5)
    low, high = middle - half, middle + half
    cells = np.arange(size)
    held = np.minimum(high[:, None], cells + 1.0) - np.maximum(low[:, None], cells)
    held = np.maximum(held, 0.0)
    total = held.sum(axis=1, keepdims=True)
    return np.asarray(held / np.maximum(total, 1e-6), np.float32)


def correlations(one: Floats, other: Floats) -> Floats:
    """Correlation of each pair of pictures (n, side, side), float32 (n,), 0 for flat ones."""
    a = one.reshape(len(one), -1)
    b = other.reshape(len(other), -1)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    power = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.asarray((a * b).sum(axis=1) / np.maximum(power, 1e-6), np.float32)
