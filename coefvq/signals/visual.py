"""Picture statistics of a few frames: what a look at the pixels alone gives away.

Bars and overlays speak for edited copies, equal frames for slideshows, flat areas with
upright edges for recorded screens. Learnt features of the same frames: tower.py.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coefvq.signals.overlay import (
    EDGE,
    SIDES,
    ZONES,
    Gradients,
    densest,
    flat_bars,
    gradients,
    soft_bars,
    steady_edges,
    zone_shares,
)

Floats = NDArray[np.float32]
Frames = NDArray[np.uint8]

_SAME, _NEAR, _CUT = 0.6, 2.5, 28.0  # mean grey difference (0..255) of two neighbours
_KIN = 0.6  # share of tones below which a large change is a cut
_BLOCK = 8  # pixels a side of the blocks that are called flat
_UPRIGHT = 6.0  # how many times one gradient component must exceed the other
_LINE = 0.5  # share of a row or column with edges that makes it a long line

_BAR_NAMES = (
    *(f"bar_{side}" for side in SIDES),  # share of the side that is one flat colour, all frames
    *(f"soft_{side}" for side in SIDES),  # share with far less detail than the middle
    "bar_luma",  # brightness of the flat bars, 0..1; 0 without bars
)
_OVERLAY_NAMES = (
    *(f"steady_{zone}" for zone in ZONES),  # steady edges a pixel in each corner and strip
    "steady_centre",
    "steady_corner_most",  # the fullest corner
    "steady_densest",  # the fullest of 12 x 12 cells
    "steady_share",  # steady edges among all edges that are there in most frames or move
    "steady_excess",  # fullest corner against the whole picture, log1p
    "glyphs_corner",  # blocks like letters in the fullest corner, steady in all frames
    "glyphs_strips",  # the same in the fuller of the top and bottom strips
    "glyphs_centre",
    "steady_moving",  # densest cell of steady edges, times how much the picture changes
)
_TIME_NAMES = (
    "same_next",  # share of neighbouring frames that are equal
    "near_next",  # share of neighbouring frames that are nearly equal
    "cut_next",  # share of neighbouring frames that have little in common
    "change_mean",  # mean grey difference of neighbours, 0..1
    "change_std",
    "spread",  # standard deviation over time, median over pixels, 0..1
    "frames",  # how many frames there were, as a share of 8
)
_PICTURE_NAMES = (
    "luma_mean", "luma_std", "luma_drift",  # brightness 0..1: mean, contrast, change over frames
    "saturation_mean", "saturation_std",  # 0..1
    "colourful",  # Hasler and Suesstrunk 2003, / 100
    "sharp_mean", "sharp_min",  # log1p of the Laplacian's variance
    "flat_share",  # share of 8 x 8 blocks of one colour
    "flat_noise",  # mean deviation within the calmer half of the blocks, log1p: sensor noise
    "top_colour", "top_four_colours",  # share of the commonest of 4096 colours, and of four
    "edge_share",  # share of pixels with a visible edge
    "edge_upright",  # share of edges that run exactly across or down
    "line_rows", "line_columns",  # share of rows and columns that are long straight lines
    "text_share",  # share of blocks with many edges of both directions on a flat ground
    "extreme_share",  # share of pixels that are nearly white or nearly black
)  # fmt: skip

VISUAL_NAMES: tuple[str, ...] = (*_BAR_NAMES, *_OVERLAY_NAMES, *_TIME_NAMES, *_PICTURE_NAMES)
"""One name a dimension of ``visual_statistics``."""


def visual_statistics(frames: Frames) -> Floats | None:
    """Describe the pictures themselves.

    Args:
        frames: RGB uint8 (n, H, W, 3), upright, in order; one is enough.

    Returns:
        float32 (len(VISUAL_NAMES),); ``None`` for no frames. What needs two frames is 0 for one.
    """
    if len(frames) == 0:
        return None
    gray = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    edges = gradients(gray)
    bars = flat_bars(gray)
    change = _over_time(gray)
    values = {
        **_bars(gray, edges, bars),
        **_overlays(gray, edges, bars, change["spread"]),
        **change,
        **_colours(frames[::2], gray[::2]),
        **_texture(gray[::2], Gradients(*(part[::2] for part in edges))),
    }
    return np.array([values[name] for name in VISUAL_NAMES], np.float32)


def _bars(gray: Frames, edges: Gradients, bars: dict[str, float]) -> dict[str, float]:
    found = {f"bar_{side}": share for side, share in bars.items()}
    found |= {f"soft_{side}": share for side, share in soft_bars(edges).items()}
    height, width = gray.shape[1:]
    top, bottom = round(bars["top"] * height), round(bars["bottom"] * height)
    left, right = round(bars["left"] * width), round(bars["right"] * width)
    inside = np.zeros((height, width), bool)
    inside[top : height - bottom, left : width - right] = True
    outside = gray[:, ~inside]
    return found | {"bar_luma": float(outside.mean()) / 255 if outside.size else 0.0}


def _overlays(
    gray: Frames, edges: Gradients, bars: dict[str, float], spread: float
) -> dict[str, float]:
    if len(gray) < 2:
        return dict.fromkeys(_OVERLAY_NAMES, 0.0)
    steady = steady_edges(edges, bars)
    zones = {f"steady_{zone}": share for zone, share in zone_shares(steady).items()}
    corner = max(zones[f"steady_{zone}"] for zone in ZONES if zone.startswith("corner"))
    dense = densest(steady)
    all_edges = float((edges.length > EDGE).mean())
    return (
        zones
        | _glyphs(gray, steady)
        | {
            "steady_corner_most": corner,
            "steady_densest": dense,
            "steady_share": float(steady.mean()) / (all_edges + 1e-4),
            "steady_excess": float(np.log1p(corner / (float(steady.mean()) + 1e-4))),
            "steady_moving": dense * min(10 * spread, 1.0),
        }
    )


def _glyphs(gray: Frames, steady: NDArray[np.bool_]) -> dict[str, float]:
    """Letters that stay: they are still crisp in the average of all frames."""
    average = gray[::2].mean(axis=0).astype(np.uint8)
    shares = zone_shares(_letters(average[None], steady[None])[0])
    return {
        "glyphs_corner": max(shares[zone] for zone in ZONES if zone.startswith("corner")),
        "glyphs_strips": max(shares["strip_top"], shares["strip_bottom"]),
        "glyphs_centre": shares["centre"],
    }


def _over_time(gray: Frames) -> dict[str, float]:
    found = dict.fromkeys(_TIME_NAMES, 0.0) | {"frames": len(gray) / 8}
    if len(gray) < 2:
        return found
    change = np.array([cv2.absdiff(a, b).mean() for a, b in pairwise(gray)])
    small = gray[:, ::4, ::4].astype(np.float32)
    return found | {
        "same_next": float((change < _SAME).mean()),
        "near_next": float((change < _NEAR).mean()),
        "cut_next": float(((change > _CUT) & (_shared_tones(gray) < _KIN)).mean()),
        "change_mean": float(change.mean()) / 255,
        "change_std": float(change.std()) / 255,
        "spread": float(np.median(small.std(axis=0))) / 255,
    }


def _shared_tones(gray: Frames) -> Floats:
    """How much of the grey histogram each two neighbours share, by thirds of the picture."""
    parts = [np.array_split(frame[::3, ::3], 3, axis=1) for frame in gray]
    counts = np.array([[np.bincount(p.ravel() >> 4, minlength=16) for p in row] for row in parts])
    tones = (counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)).astype(np.float32)
    return np.minimum(tones[:-1], tones[1:]).sum(axis=2).mean(axis=1)


def _colours(frames: Frames, gray: Frames) -> dict[str, float]:
    few = np.ascontiguousarray(frames[:, ::2, ::2])
    flat = few.reshape(-1, 1, 3)
    saturation = cv2.cvtColor(flat, cv2.COLOR_RGB2HSV)[..., 1].astype(np.float32) / 255
    luma = gray[:, ::2, ::2].reshape(len(gray), -1)
    bins = (flat[:, 0] >> 4).astype(np.int32) @ np.array([256, 16, 1], np.int32)
    counts = np.sort(np.bincount(bins, minlength=4096))[::-1] / len(bins)
    return {
        "luma_mean": float(luma.mean()) / 255,
        "luma_std": float(luma.std(axis=1).mean()) / 255,
        "luma_drift": float(luma.mean(axis=1).std()) / 255,
        "saturation_mean": float(saturation.mean()),
        "saturation_std": float(saturation.std()),
        "colourful": _colourfulness(flat[:, 0]),
        "top_colour": float(counts[0]),
        "top_four_colours": float(counts[:4].sum()),
        "extreme_share": float(((luma > 245) | (luma < 10)).mean()),
    }


def _colourfulness(pixels: Frames) -> float:
    """Hasler and Suesstrunk 2003, equation 1, divided by 100."""
    red, green, blue = pixels.astype(np.float32).T
    warm, cool = red - green, (red + green) / 2 - blue
    spread = np.hypot(warm.std(), cool.std())
    return float(spread + 0.3 * np.hypot(warm.mean(), cool.mean())) / 100


def _texture(gray: Frames, edges: Gradients) -> dict[str, float]:
    sharp = [np.log1p(cv2.Laplacian(frame, cv2.CV_32F).var()) for frame in gray]
    deviation = _block_deviation(gray)
    strong = edges.length > EDGE
    across, down = np.abs(edges.across), np.abs(edges.down)
    upright = strong & ((across > _UPRIGHT * down) | (down > _UPRIGHT * across))
    calm = deviation <= np.median(deviation)
    return {
        "sharp_mean": float(np.mean(sharp)),
        "sharp_min": float(np.min(sharp)),
        "flat_share": float((deviation < 1.0).mean()),
        "flat_noise": float(np.log1p(deviation[calm].mean())),
        "edge_share": float(strong.mean()),
        "edge_upright": float(upright.sum() / (strong.sum() + 1)),
        "line_rows": float(((strong & (down > across)).mean(axis=2) > _LINE).mean()),
        "line_columns": float(((strong & (across > down)).mean(axis=1) > _LINE).mean()),
        "text_share": float(_letters(gray, strong).mean()),
    }


def _blocks(values: NDArray[Any]) -> NDArray[Any]:
    """(n, h, w) as (n, rows, columns, 64), cut to whole blocks of 8 x 8."""
    n, height, width = values.shape
    rows, columns = max(height // _BLOCK, 1), max(width // _BLOCK, 1)
    cut = values[:, : rows * _BLOCK, : columns * _BLOCK]
    split = cut.reshape(n, rows, cut.shape[1] // rows, columns, cut.shape[2] // columns)
    return split.swapaxes(2, 3).reshape(n, rows, columns, -1)


def _block_deviation(gray: Frames) -> Floats:
    sizes = [(max(frame.shape[1] // _BLOCK, 1), max(frame.shape[0] // _BLOCK, 1)) for frame in gray]
    deviations = []
    for frame, size in zip(gray, sizes, strict=True):
        wide = frame.astype(np.float32)
        mean = cv2.resize(wide, size, interpolation=cv2.INTER_AREA)
        square = cv2.resize(wide * wide, size, interpolation=cv2.INTER_AREA)
        deviations.append(np.sqrt(np.maximum(square - mean * mean, 0)))
    return np.stack(deviations)


def _letters(gray: Frames, strong: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Blocks dense with edges that hold both dark and bright pixels, as letters do."""
    dense = _blocks(strong).mean(axis=3) > 0.4
    blocks = _blocks(gray)
    span = blocks.max(axis=3).astype(np.int16) - blocks.min(axis=3)
    return dense & (span > 100)
