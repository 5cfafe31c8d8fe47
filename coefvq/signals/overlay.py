"""What was laid over or around a picture: bars at the edges, and marks that never move."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

EDGE = 40.0  # Sobel response (0..~1000) of a visible edge
_FLAT = 6.0  # standard deviation (0..255) along a row or column that counts as one colour
_MOST = 0.45  # a bar covers at most this share of the picture from one side
_MARGIN = 4  # pixels around a bar's own border that are left out of the overlay search
_STEADY = 0.85  # mean gradient vector against mean gradient length: 1 for an edge that never moves
_CORNER, _STRIP = 0.30, 0.18  # corner boxes and border strips as shares of a side

ZONES = ("corner_tl", "corner_tr", "corner_bl", "corner_br", "strip_top", "strip_bottom")
SIDES = ("top", "bottom", "left", "right")


class Gradients(NamedTuple):
    """Sobel gradients of grey frames: float32 (n, h, w) across and down, and their length."""

    across: Floats
    down: Floats
    length: Floats


def gradients(gray: NDArray[np.uint8]) -> Gradients:
    """Gradients of grey frames (n, h, w)."""
    across = np.stack([cv2.Sobel(frame, cv2.CV_32F, 1, 0) for frame in gray])
    down = np.stack([cv2.Sobel(frame, cv2.CV_32F, 0, 1) for frame in gray])
    length = np.stack([cv2.magnitude(x, y) for x, y in zip(across, down, strict=True)])
    return Gradients(across, down, length)


def flat_bars(gray: NDArray[np.uint8]) -> dict[str, float]:
    """Share of the picture's side that is one flat colour from each edge, in every frame."""
    rows = np.all([_deviation(frame, 1) < _FLAT for frame in gray], axis=0)
    columns = np.all([_deviation(frame, 0) < _FLAT for frame in gray], axis=0)
    if rows.mean() > 0.95:  # a blank picture has no bars
        return dict.fromkeys(SIDES, 0.0)
    runs = (_run(rows), _run(rows[::-1]), _run(columns), _run(columns[::-1]))
    return dict(zip(SIDES, runs, strict=True))


def _deviation(frame: NDArray[np.uint8], axis: int) -> Floats:
    """Standard deviation along one axis of a picture (h, w)."""
    count = frame.shape[axis]
    mean = cv2.reduce(frame, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    square = cv2.reduce(frame, axis, cv2.REDUCE_SUM2, dtype=cv2.CV_32F).ravel() / count
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)


def soft_bars(edges: Gradients) -> dict[str, float]:
    """Share of the side from each edge that has far less detail than the middle.

    Catches blurred copies of the picture that fill up another format; flat bars count too.
    """
    detail = edges.length.mean(axis=0)
    found: dict[str, float] = {}
    for axis, names in ((1, SIDES[:2]), (0, SIDES[2:])):
        profile = detail.mean(axis=axis)
        middle = np.median(profile[len(profile) // 3 : -(len(profile) // 3) or None])
        soft = profile < 0.2 * middle
        found |= {names[0]: _run(soft), names[1]: _run(soft[::-1])}
    return found


def _run(flags: Mask) -> float:
    """Length of the run of True at the start, as a share; 0 where it is too long for a bar."""
    length = len(flags) if flags.all() else int(np.argmin(flags))
    share = length / len(flags)
    return share if share <= _MOST else 0.0


def steady_edges(edges: Gradients, bars: dict[str, float]) -> Mask:
    """Edges that stay where they are in all frames but one at most.

    Args:
        edges: Of n >= 2 frames.
        bars: Of ``flat_bars``; their borders are no overlay.

    Returns:
        Mask (h, w).
    """
    mean = cv2.magnitude(edges.across.mean(axis=0), edges.down.mean(axis=0))
    typical = edges.length.mean(axis=0)
    frames = len(edges.length)
    usual = (edges.length > EDGE).sum(axis=0, dtype=np.uint8) * 2 >= frames
    always = (edges.length > EDGE / 2).sum(axis=0, dtype=np.uint8) >= frames - 1
    steady = (mean > _STEADY * typical) & always & usual  # one frame may hide it
    return np.asarray(steady & _inside(steady.shape, bars), bool)


def _inside(shape: tuple[int, ...], bars: dict[str, float]) -> Mask:
    """False near the picture's edge and near the borders of bars."""
    height, width = shape
    mask = np.ones((height, width), bool)
    for lines, names in ((mask, SIDES[:2]), (mask.T, SIDES[2:])):
        size = len(lines)
        lines[:2] = lines[-2:] = False
        for share, at in ((bars[names[0]], bars[names[0]]), (bars[names[1]], 1 - bars[names[1]])):
            if share > 0:
                lines[max(round(at * size) - _MARGIN, 0) : round(at * size) + _MARGIN] = False
    return mask


def zone_shares(mask: Mask) -> dict[str, float]:
    """Share of True in the corners, the top and bottom strips, and the centre."""
    height, width = mask.shape
    y, x = max(round(height * _CORNER), 1), max(round(width * _CORNER), 1)
    strip = max(round(height * _STRIP), 1)
    boxes = (
        mask[:y, :x], mask[:y, -x:], mask[-y:, :x], mask[-y:, -x:],
        mask[:strip], mask[-strip:],
    )  # fmt: skip
    found = {name: float(box.mean()) for name, box in zip(ZONES, boxes, strict=True)}
    centre = mask[y:-y, x:-x]
    return found | {"centre": float(centre.mean()) if centre.size else 0.0}


def densest(mask: Mask, blocks: int = 12) -> float:
    """Share of True in the fullest of blocks x blocks cells: a small mark stands out here."""
    cells = cv2.resize(mask.astype(np.float32), (blocks, blocks), interpolation=cv2.INTER_AREA)
    return float(cells.max())
