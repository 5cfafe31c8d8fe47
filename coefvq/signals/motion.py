"""Motion statistics of a video from short runs of consecutive grey frames.

Two sources: plain differences between neighbouring frames (what changed at all, including
cuts and flicker) and dense optical flow (Farneback 2003) on small frames (what moved where).
Flow is measured in frame lengths a second, so that size and frame rate do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]

LONG_SIDE = 96
_BLOCKS = 6  # blocks a side for what is measured by place
_STILL = 0.004  # mean difference (0..1) below which two frames count as the same picture
_CHANGED = 0.06  # difference (0..1) above which a pixel counts as changed
_CUT = 0.25  # mean difference above which a cut lies between two frames
_RUNS, _RUN_FRAMES = 4, 6  # how much of the bursts is looked at
_SLOWEST = 1e-3  # seconds; guards a rate against equal time stamps

_PAIR_NAMES = (
    "change",  # mean difference, 0..1
    "changed_area",  # share of pixels that changed visibly
    "change_focus",  # share of the change in the strongest tenth of the blocks
    "speed",  # mean flow, frame lengths a second, log1p
    "speed_top",  # 95th percentile of flow, log1p
    "camera",  # median flow (the camera's own movement), log1p
    "camera_share",  # share of the flow that shift, zoom and turn of the whole picture explain
    "local",  # mean flow once the camera's is taken off, log1p
    "local_top",  # 95th percentile of local flow, log1p
    "spread",  # standard deviation of block flow over blocks, log1p
    "disorder",  # entropy of flow directions, weighted by speed, 0..1
    "shear",  # mean size of the flow's spatial derivative, log1p
)
_STEP_NAMES = (
    "jerk",  # mean change of local flow from pair to pair, log1p
    "jerk_share",  # the same as a share of the flow itself, 0..
    "bursts_up",  # share of pixels that sped up more than the average (violent flows, 2012)
)

MOTION_NAMES: tuple[str, ...] = (
    *(f"{name}_{pool}" for name in _PAIR_NAMES for pool in ("mean", "max", "std")),
    *(f"{name}_{pool}" for name in _STEP_NAMES for pool in ("mean", "max")),
    "still_share",  # share of neighbouring frames that are the same picture
    "cut_share",  # share of neighbouring frames with a cut between them
    "peak_to_mean",  # strongest local movement against the mean, log1p
    "between_bursts",  # standard deviation of mean local speed over the runs
)
"""One name a dimension; ``_mean``, ``_max`` and ``_std`` pool over all pairs of neighbours."""


class Run(Protocol):
    """Consecutive grey frames: ``gray`` uint8 (k, h, w) and ``times_s`` (k,)."""

    @property
    def gray(self) -> Gray: ...

    @property
    def times_s(self) -> NDArray[np.floating]: ...


def motion_statistics(bursts: Sequence[Run]) -> Floats | None:
    """Pool the movement of all runs into one vector.

    Args:
        bursts: Runs of consecutive frames; runs of one frame say nothing and are left out.

    Returns:
        float32 (len(MOTION_NAMES),), or ``None`` where no run has two frames.
    """
    measured = [_measure(*run) for run in _short_runs(bursts)]
    if not measured:
        return None
    pairs = np.concatenate([pair for pair, _ in measured])
    steps = np.concatenate([step for _, step in measured])
    pooled = np.stack([pairs.mean(0), pairs.max(0), pairs.std(0)], axis=1).ravel()
    if len(steps) == 0:
        steps = np.zeros((1, len(_STEP_NAMES)), np.float32)
    jerks = np.stack([steps.mean(0), steps.max(0)], axis=1).ravel()
    return np.concatenate([pooled, jerks, _whole(pairs, measured)]).astype(np.float32)


def _whole(pairs: Floats, measured: list[tuple[Floats, Floats]]) -> Floats:
    change = pairs[:, _PAIR_NAMES.index("change")]
    at = _PAIR_NAMES.index("local")
    local = np.expm1(pairs[:, at])
    peak = np.log1p(local.max() / (local.mean() + 1e-3))
    by_run = [pair[:, at].mean() for pair, _ in measured]
    still, cuts = (change < _STILL).mean(), (change > _CUT).mean()
    return np.array([still, cuts, peak, np.std(by_run)], np.float32)


def _short_runs(bursts: Sequence[Run]) -> list[tuple[Gray, NDArray[np.floating]]]:
    """Cut long runs into short ones spread over them, so that every video costs the same."""
    usable = [run for run in bursts if len(run.gray) > 1]
    each = -(-_RUNS // len(usable)) if usable else 0
    runs = []
    for run in usable:
        last = max(len(run.gray) - _RUN_FRAMES, 0)
        for start in np.unique(np.linspace(0, last, each).round().astype(int)):
            part = slice(start, start + _RUN_FRAMES)
            runs.append((run.gray[part], run.times_s[part]))
    return runs


def _measure(gray: Gray, times_s: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Statistics of every pair (k-1, pairs) and every step between pairs (k-2, steps)."""
    small = np.stack([_shrink(frame) for frame in gray])
    gaps = np.maximum(np.diff(np.asarray(times_s, np.float64)), _SLOWEST)
    flows, pairs = [], []
    for before, after, gap in zip(small, small[1:], gaps, strict=False):
        flow = _flow(before, after) / np.float32(LONG_SIDE * gap)
        flows.append(flow - _whole_picture(flow))
        pairs.append(_pair(before, after, flow, flows[-1]))
    steps = [_step(a, b) for a, b in pairwise(flows)]
    empty = np.zeros((0, len(_STEP_NAMES)), np.float32)
    return np.array(pairs, np.float32), np.array(steps, np.float32) if steps else empty


def _shrink(frame: Gray) -> Gray:
    height, width = frame.shape
    scale = LONG_SIDE / max(height, width)
    size = (max(round(width * scale), 16), max(round(height * scale), 16))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _flow(before: Gray, after: Gray) -> Floats:
    """Displacement (h, w, 2) in pixels; exactly zero where the frames are equal."""
    if np.array_equal(before, after):
        return np.zeros((*before.shape, 2), np.float32)
    start = np.zeros((*before.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(before, after, start, 0.5, 3, 11, 2, 5, 1.1, 0)
    return np.asarray(flow, np.float32)


def _whole_picture(flow: Floats) -> Floats:
    """The part of the flow that one shift, zoom and turn of the picture explains.

    Least squares on a grid, fitted twice: the second time without the fastest quarter, which
    moves by itself.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    place = np.stack([np.ones_like(x), x, y], axis=-1)
    points, moves = place[2::5, 2::5].reshape(-1, 3), flow[2::5, 2::5].reshape(-1, 2)
    fit = np.linalg.lstsq(points, moves, rcond=None)[0]
    rest = np.square(moves - points @ fit).sum(axis=1)
    calm = rest <= np.quantile(rest, 0.75)
    fit = np.linalg.lstsq(points[calm], moves[calm], rcond=None)[0]
    return np.asarray(place @ fit, np.float32)


def _pair(before: Gray, after: Gray, flow: Floats, local: Floats) -> list[float]:
    change = np.asarray(cv2.absdiff(before, after), np.float32) / np.float32(255)
    speed, own = np.hypot(flow[..., 0], flow[..., 1]), np.hypot(local[..., 0], local[..., 1])
    camera = float(np.hypot(*np.median(flow, axis=(0, 1))))
    return [
        float(change.mean()),
        float((change > _CHANGED).mean()),
        _focus(change),
        float(np.log1p(speed.mean())),
        float(np.log1p(np.quantile(speed, 0.95))),
        float(np.log1p(camera)),
        1 - min(float(own.mean()) / (float(speed.mean()) + 1e-4), 1.0),
        float(np.log1p(own.mean())),
        float(np.log1p(np.quantile(own, 0.95))),
        float(np.log1p(_by_block(own).std())),
        _disorder(local, own),
        float(np.log1p(LONG_SIDE / 8 * _shear(local))),
    ]


def _by_block(values: Floats) -> Floats:
    return np.asarray(cv2.resize(values, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA))


def _focus(change: Floats) -> float:
    blocks = np.sort(_by_block(change).ravel())
    total = float(blocks.sum())
    return float(blocks[-(_BLOCKS * _BLOCKS // 10) :].sum()) / total if total > 1e-6 else 0.0


def _disorder(flow: Floats, speed: Floats, bins: int = 8) -> float:
    total = float(speed.sum())
    if total < 1e-6:
        return 0.0
    angle = np.arctan2(flow[..., 1], flow[..., 0])
    place = ((angle / (2 * np.pi) + 0.5) * bins).astype(np.int64) % bins
    share = np.bincount(place.ravel(), speed.ravel(), bins) / total
    share = share[share > 0]
    return float(-(share * np.log(share)).sum() / np.log(bins))


def _shear(flow: Floats) -> float:
    down, right = np.diff(flow, axis=0), np.diff(flow, axis=1)
    return float(np.abs(down).mean() + np.abs(right).mean())


def _step(before: Floats, after: Floats) -> list[float]:
    delta = after - before
    jump = np.hypot(delta[..., 0], delta[..., 1])
    speeds = [np.hypot(flow[..., 0], flow[..., 1]) for flow in (before, after)]
    rise = np.abs(speeds[1] - speeds[0])
    base = float(speeds[0].mean() + speeds[1].mean()) / 2
    up = float((rise > rise.mean() + 1e-6).mean())
    return [float(np.log1p(jump.mean())), float(jump.mean()) / (base + 1e-2), up]
