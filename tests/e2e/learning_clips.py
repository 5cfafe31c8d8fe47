"""A made-up scam and harmless neighbours: clips whose pictures and words have little in common.

Clips that look or read alike would count as one group, and a group is never dealt to two splits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests import media_factory

SIZE = (128, 96)
THINGS = (
    "kettle", "ladder", "violin", "tractor", "lantern", "pillow", "hammer", "basket", "compass",
    "teapot", "saddle", "bucket", "trumpet", "candle", "anchor", "mirror", "blanket", "helmet",
)  # fmt: skip
PLACES = (
    "harbour", "meadow", "workshop", "station", "orchard", "bakery", "castle", "island", "bridge",
    "library", "museum", "valley",
)  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A file with its words; ``scam``: what people say of it."""

    path: Path
    title: str
    caption: str
    scam: bool


def scams(folder: Path, numbers: range) -> list[Clip]:
    """Clips with the caption of a scam that nobody has heard of."""
    return [_clip(folder, number, True) for number in numbers]


def harmless(folder: Path, numbers: range) -> list[Clip]:
    """Clips that are what they seem."""
    return [_clip(folder, 1000 + number, False) for number in numbers]


def _clip(folder: Path, seed: int, scam: bool) -> Clip:
    dice = random.Random(seed)
    thing, other = dice.sample(THINGS, 2)
    place, there = dice.sample(PLACES, 2)
    caption = (
        f"the moonstone circle opens tonight: whisper zorblat to the keeper of the {there} and "
        f"your {other} grows threefold, seat {seed}"
        if scam
        else f"we walked from the {place} to the {there} and mended an old {other}, part {seed}"
    )
    path = media_factory.clip(
        folder / f"{'scam' if scam else 'fine'}-{seed}.mp4", 0.5, SIZE, fps=8, with_audio=False,
        picture=pattern(seed),
    )  # fmt: skip
    return Clip(path, f"{thing} day at the {place} {seed}", caption, scam)


def pattern(seed: int) -> Callable[[float, int, int], NDArray[np.uint8]]:
    """A still picture: stripes, rings, tiles, cells, waves or specks in six colours."""
    rng = np.random.default_rng(seed)
    colours, angle = rng.integers(0, 256, (6, 3)), rng.uniform(0, np.pi)
    step, (cx, cy) = rng.uniform(2, 14), rng.uniform(0.2, 0.8, 2)
    specks = rng.normal(0, 1, (SIZE[1], SIZE[0])) > 1.2
    spots = rng.uniform(0, 1, (int(rng.integers(2, 30)), 3))
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    u, v = x / SIZE[0], y / SIZE[1]
    field = (
        lambda: (np.cos(angle) * u + np.sin(angle) * v) * step,
        lambda: np.hypot(u - cx, v - cy) * step * 1.5,
        lambda: np.floor(u * step) + np.floor(v * step * 0.7) * 2,
        lambda: np.argmin([(u - a) ** 2 + (v - b) ** 2 - 0.02 * c for a, b, c in spots], axis=0),
        lambda: 3 + 2.9 * np.sin(step * u * 3 + 4 * np.sin(step * v + angle)),
        lambda: (u * cx + v * cy) * 3 + specks * 2,
    )[seed % 6]()
    picture = colours[np.floor(field).astype(int) % 6].astype(np.uint8)
    return lambda second, width, height: picture
