"""How the liveliest part of about two seconds of video moves: a struggle against a walk.

Two passes. Flow of the whole picture shows where the movement is; a close-up of that place
is measured again, so that people far from the camera count like people near to it. Every
statistic is a mean over the close-up that weighs each pixel by how lively its place is.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coefvq.signals.action_flow import Fields, Floats, Gray, by_block, close_up, measure

ACTION_NAMES: tuple[str, ...] = (
    "speed",  # mean speed, close-up widths a second, log(1 + 10 x)
    "speed_top",  # its 90th percentile over time, the same
    "speed_vary",  # its spread over time against its mean
    "jolt",  # mean change of flow from pair to pair, log(1 + 10 x)
    "jolt_top",  # its 90th percentile over time, the same
    "jolt_share",  # mean change of flow against mean speed
    "straight",  # how far movement keeps its direction, mean cosine, -1..1
    "straight_low",  # its 10th percentile over time
    "reversal",  # share of movement that turns by more than a right angle, square root
    "reversal_top",  # its 90th percentile over time, square root
    "disorder",  # entropy of directions, 0..1
    "disorder_top",  # its 90th percentile over time
    "to_and_fro",  # share of steps at which the mean sideways movement changes sign
    "divergence",  # mean size of the flow's divergence, log1p
    "curl",  # of its rotation, log1p
    "stretch",  # of its shear, log1p
    "limbs",  # sum of the three against the speed: bodies bend, cars do not
    "change",  # mean difference of neighbouring frames, 0..255, log1p
    "change_top",  # its 90th percentile over time, log1p
    "violent_flow",  # share of places that sped up or slowed down a lot (Hassner et al. 2012)
    "rhythm_0",  # share of the variation of speed by place under 1 Hz
    "rhythm_1",  # from 1 to 2.5 Hz
    "rhythm_2",  # from 2.5 to 4 Hz
    "rhythm_3",  # above
    "extent",  # logarithm of the area that is lively, as a share of the close-up
    "contrast",  # log of speed there against the mean of the close-up
    "together",  # how far it all moves one way at one moment, 0..1
    "net",  # and over the whole time, 0..1
)
"""One name a dimension. Times are over pairs of neighbouring frames."""

_CUT = 64.0  # mean difference (0..255) above which a cut lies between two frames
_LEAST_FRAMES = 3  # acceleration needs two pairs
_MOVING = 0.08  # frame lengths a second, under which a direction means nothing
_BANDS_HZ = (1.0, 2.5, 4.0)
_DIRECTIONS = 8


def action_statistics(gray: Gray, times_s: NDArray[np.floating]) -> Floats | None:
    """Describe the liveliest place of one window of frames.

    Args:
        gray: uint8 (k, height, width), upright, about 12 frames a second for two seconds and
            320 pixels long. With a cut in it, only the longest part without one counts.
        times_s: (k,), ascending.

    Returns:
        float32 (len(ACTION_NAMES),), finite; ``None`` for fewer than three frames without cut.
    """
    found = look(gray, times_s)
    return None if found is None else describe(*found)


Look = tuple[Gray, NDArray[np.floating], Fields]
"""Frames without a cut, their times, and what moved in the whole picture."""


def look(gray: Gray, times_s: NDArray[np.floating]) -> Look | None:
    """First pass: where the window moves. Arguments as for ``action_statistics``."""
    part = _uncut(gray)
    if part.stop - part.start < _LEAST_FRAMES:
        return None
    return gray[part], times_s[part], measure(gray[part], times_s[part])


def liveliness(seen: Fields) -> float:
    """Mean speed at the lively places, frame lengths a second."""
    return float(_weighed(seen.speed, seen.weight).mean())


def describe(gray: Gray, times_s: NDArray[np.floating], whole: Fields) -> Floats:
    """Second pass: measure the close-up of the liveliest place, float32 (len(ACTION_NAMES),)."""
    seen = measure(close_up(gray, whole), times_s)
    parts = (
        *_speed(seen), *_jolts(seen), *_turns(seen), *_disorder(seen), _to_and_fro(seen),
        *_deformation(seen), *_change(seen), _violent_flow(seen), *_rhythm(seen),
        *_extent(seen), *_together(seen),
    )  # fmt: skip
    return np.nan_to_num(np.asarray(parts, np.float32))


def _uncut(gray: Gray) -> slice:
    """The longest run of frames without a cut in it."""
    jumps = [
        float(np.abs(after.astype(np.int16) - before).mean()) > _CUT
        for before, after in pairwise(gray)
    ]
    edges = np.concatenate([[0], np.flatnonzero(jumps) + 1, [len(gray)]]).astype(int)
    longest = int(np.diff(edges).argmax())
    return slice(int(edges[longest]), int(edges[longest + 1]))


def _weighed(values: Floats, weight: Floats) -> Floats:
    """Means (t,) of fields (t, h, w) over the lively places."""
    return np.asarray((values * weight).sum(axis=(1, 2)), np.float32)


def _top(series: Floats) -> float:
    return float(np.quantile(series, 0.9))


def _log(value: float) -> float:
    return float(np.log1p(10 * value))


def _speed(seen: Fields) -> tuple[float, ...]:
    speed = _weighed(seen.speed, seen.weight)
    mean = float(speed.mean())
    return _log(mean), _log(_top(speed)), float(speed.std()) / (mean + 0.02)


def _jolts(seen: Fields) -> tuple[float, ...]:
    delta = np.diff(seen.local, axis=0)
    jolt = _weighed(np.hypot(delta[..., 0], delta[..., 1]), seen.weight)
    speed = _weighed(seen.speed, seen.weight)
    base = float((speed[1:] + speed[:-1]).mean()) / 2
    return _log(float(jolt.mean())), _log(_top(jolt)), float(jolt.mean()) / (base + 0.02)


def _turns(seen: Fields) -> tuple[float, ...]:
    """Cosine between a pixel's flow and its next, weighed by the slower of the two."""
    slower = np.minimum(seen.speed[1:], seen.speed[:-1])
    amount = np.where(slower > _MOVING, slower, 0) * seen.weight
    dots = (seen.local[1:] * seen.local[:-1]).sum(axis=-1)
    cosine = dots / (seen.speed[1:] * seen.speed[:-1] + 1e-9)
    total = amount.sum(axis=(1, 2)) + 0.02
    straight = (amount * cosine).sum(axis=(1, 2)) / total
    back = (amount * (cosine < 0)).sum(axis=(1, 2)) / total
    low = float(np.quantile(straight, 0.1))
    return float(straight.mean()), low, float(back.mean()) ** 0.5, _top(back) ** 0.5


def _disorder(seen: Fields) -> tuple[float, ...]:
    angle = np.arctan2(seen.local[..., 1], seen.local[..., 0]) / (2 * np.pi) + 0.5
    bins = (angle * _DIRECTIONS).astype(np.int64) % _DIRECTIONS
    entropies = []
    for places, amount in zip(bins, seen.speed * seen.weight, strict=True):
        share = np.bincount(places.ravel(), amount.ravel(), _DIRECTIONS)
        share = share / (share.sum() + 1e-9)
        entropies.append(-float((share * np.log(share + 1e-9)).sum()) / np.log(_DIRECTIONS))
    series = np.asarray(entropies, np.float32)
    return float(series.mean()), _top(series)


def _mean_flow(seen: Fields) -> Floats:
    """Mean flow (t, 2) at the lively places."""
    return np.asarray((seen.local * seen.weight[..., None]).sum(axis=(1, 2)), np.float32)


def _to_and_fro(seen: Fields) -> float:
    return float((np.diff(np.sign(_mean_flow(seen)[:, 0])) != 0).mean())


def _deformation(seen: Fields) -> tuple[float, ...]:
    right, down = np.gradient(seen.local, axis=2), np.gradient(seen.local, axis=1)
    kinds = (
        np.abs(right[..., 0] + down[..., 1]),
        np.abs(right[..., 1] - down[..., 0]),
        np.hypot(right[..., 0] - down[..., 1], right[..., 1] + down[..., 0]),
    )
    sizes = [float(_weighed(kind, seen.weight).mean()) * 128 for kind in kinds]
    logs = np.log1p(sizes)
    speed = float(_weighed(seen.speed, seen.weight).mean())
    return (*logs.tolist(), float(logs.sum()) / (10 * speed + 0.2))


def _change(seen: Fields) -> tuple[float, ...]:
    change = _weighed(seen.change, seen.weight)
    return float(np.log1p(change.mean())), float(np.log1p(_top(change)))


def _violent_flow(seen: Fields) -> float:
    rise = np.abs(np.diff(seen.speed, axis=0))
    strong = rise > np.maximum(rise.mean(axis=(1, 2), keepdims=True), 1e-4)
    return float(_weighed(strong.astype(np.float32), seen.weight).mean())


def _rhythm(seen: Fields) -> tuple[float, ...]:
    """Share of the speed's variation in four bands of frequency, summed over blocks."""
    blocks = np.stack([by_block(speed).ravel() for speed in seen.speed])
    series = blocks * np.sqrt(by_block(seen.weight).ravel())
    power = np.square(np.abs(np.fft.rfft(series - series.mean(axis=0), axis=0))).sum(axis=1)
    rate = np.fft.rfftfreq(len(series), float(np.median(seen.gaps_s)))
    bands = np.bincount(np.searchsorted(_BANDS_HZ, rate), power, len(_BANDS_HZ) + 1)
    return tuple((bands / (bands.sum() + 1e-5)).tolist())


def _extent(seen: Fields) -> tuple[float, ...]:
    area = 1 / float(np.square(seen.weight).sum() * seen.weight.size)
    there, mean = float(_weighed(seen.speed, seen.weight).mean()), float(seen.speed.mean())
    return float(np.log(area + 1e-3)), float(np.log((there + 0.01) / (mean + 0.01)))


def _together(seen: Fields) -> tuple[float, ...]:
    flow, speed = _mean_flow(seen), float(_weighed(seen.speed, seen.weight).mean()) + 0.02
    at_once = float(np.hypot(flow[:, 0], flow[:, 1]).mean())
    return at_once / speed, float(np.hypot(*flow.mean(axis=0))) / speed
