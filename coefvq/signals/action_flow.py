"""Dense movement against the camera, and where in the picture it is liveliest.

Flow is measured in frame lengths a second, so that size and frame rate do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]

LONG_SIDE = 128  # pixels; flow is measured on pictures of this size
BLOCKS = 12  # blocks a side for what is measured by place
_LEAST_SIDE = 24  # a thin picture is made at least this thick
_SLOWEST_S = 1e-2  # guards a rate against equal time stamps
_BLUR = 4.0  # pixels; what lies this near moves as one
_REACH = 1.8  # a close-up reaches this many radii of the movement to each side
_LEAST_REACH, _MOST_REACH = 0.1, 0.5  # and this much of the picture's width
_PARTS = (0.75, 0.6)  # how much of the picture the camera's movement is fitted to


@dataclass(frozen=True)
class Fields:
    """What moved between ``t`` + 1 frames, seen h x w pixels large.

    Attributes:
        local: float32 (t, h, w, 2), flow less the camera's own, frame lengths a second.
        speed: float32 (t, h, w), its length.
        change: float32 (t, h, w), absolute difference of neighbouring frames, 0..255.
        weight: float32 (h, w), where it is lively: sums to 1.
        gaps_s: float32 (t,), seconds between neighbouring frames.
    """

    local: Floats
    speed: Floats
    change: Floats
    weight: Floats
    gaps_s: Floats


def measure(gray: Gray, times_s: NDArray[np.floating]) -> Fields:
    """Flow between neighbouring frames with the camera's movement taken off.

    Args:
        gray: uint8 (t + 1, height, width), t >= 1.
        times_s: (t + 1,), ascending.
    """
    small = [resized(frame) for frame in gray]
    gaps = np.maximum(np.diff(np.asarray(times_s, np.float64)), _SLOWEST_S).astype(np.float32)
    local = np.empty((len(gaps), *small[0].shape, 2), np.float32)
    for at, (before, after) in enumerate(pairwise(small)):
        flow = _flow(before, after) / np.float32(LONG_SIDE * gaps[at])
        local[at] = flow - camera_flow(flow)
    speed = np.hypot(local[..., 0], local[..., 1])
    return Fields(
        local=local,
        speed=speed,
        change=np.stack([cv2.absdiff(a, b) for a, b in pairwise(small)]).astype(np.float32),
        weight=_weight(speed),
        gaps_s=gaps,
    )


def resized(frame: Gray) -> Gray:
    """The picture with its longer side at LONG_SIDE pixels; small ones are enlarged."""
    height, width = frame.shape
    scale = LONG_SIDE / max(height, width)
    size = (max(round(width * scale), _LEAST_SIDE), max(round(height * scale), _LEAST_SIDE))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def by_block(values: Floats) -> Floats:
    """Means by place, float32 (BLOCKS, BLOCKS), of a field (h, w)."""
    return np.asarray(cv2.resize(values, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA))


def camera_flow(flow: Floats) -> Floats:
    """The part of the flow that one shift, zoom and turn of the picture explains.

    Least squares on a grid, three times: each time without what the last one fits worst,
    because that moves by itself.

    Args:
        flow: float32 (h, w, 2).

    Returns:
        float32 (h, w, 2).
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    place = np.stack([np.ones_like(x), x, y], axis=-1)
    points, moves = place[2::4, 2::4].reshape(-1, 3), flow[2::4, 2::4].reshape(-1, 2)
    fit = np.linalg.lstsq(points, moves, rcond=None)[0]
    for part in _PARTS:
        rest = np.square(moves - points @ fit).sum(axis=1)
        calm = rest <= np.quantile(rest, part)
        fit = np.linalg.lstsq(points[calm], moves[calm], rcond=None)[0]
    return np.asarray(place @ fit, np.float32)


def close_up(gray: Gray, fields: Fields) -> Gray:
    """Cut the liveliest place out of the frames, with room around it.

    The cut is about one group of people wide however far they are from the camera, which
    takes the distance out of what is measured in it.

    Args:
        gray: uint8 (k, height, width), the frames that ``fields`` were measured on.

    Returns:
        uint8 (k, height', width'), a view.
    """
    high, wide = fields.weight.shape
    y, x = np.mgrid[:high, :wide]
    at_y, at_x = float((y * fields.weight).sum()), float((x * fields.weight).sum())
    square = float((((y - at_y) ** 2 + (x - at_x) ** 2) * fields.weight).sum())
    reach = min(max(_REACH * square**0.5, _LEAST_REACH * wide), _MOST_REACH * wide)
    rows = _span(at_y, reach, high, gray.shape[1])
    return gray[:, rows, _span(at_x, reach, wide, gray.shape[2])]


def _span(middle: float, reach: float, small: int, large: int) -> slice:
    """Where ``middle`` +- ``reach`` of ``small`` pixels lies in ``large`` ones; never empty."""
    first = int(max(middle - reach, 0) * large / small)
    last = int(min(middle + reach, small) * large / small)
    first = min(first, large - 1)
    return slice(first, max(last, first + 1))


def _weight(speed: Floats) -> Floats:
    """Squared mean speed, blurred; even where nothing moves."""
    energy = np.square(cv2.GaussianBlur(speed.mean(axis=0), (0, 0), _BLUR))
    total = float(energy.sum())
    if total < 1e-9:
        return np.full(energy.shape, 1 / energy.size, np.float32)
    return np.asarray(energy / total, np.float32)


def _flow(before: Gray, after: Gray) -> Floats:
    """Displacement (h, w, 2) in pixels (Farneback 2003); zero where the frames are equal."""
    start = np.zeros((*before.shape, 2), np.float32)
    if np.array_equal(before, after):
        return start
    flow = cv2.calcOpticalFlowFarneback(before, after, start, 0.5, 3, 11, 2, 5, 1.1, 0)
    return np.asarray(flow, np.float32)
