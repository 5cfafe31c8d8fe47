"""Pictures with enough to see that copies of them can be found, for ``media_factory.clip``."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from tests.media_factory import Picture


def scene(
    seed: int, mirrored: bool = False, pace: float = 1.0
) -> Callable[[float, int, int], Picture]:
    """Discs of many colours that wander over a soft background, so fast or slower."""
    draw = np.random.default_rng(seed)
    soft = cv2.resize(draw.integers(0, 255, (6, 8, 3), np.uint8), (320, 240))
    at, speed = draw.random((8, 2)), pace * draw.uniform(-0.3, 0.3, (8, 2))
    colours, sizes = draw.integers(0, 255, (8, 3)).tolist(), draw.uniform(0.06, 0.2, 8)

    def picture(second: float, width: int, height: int) -> Picture:
        made = cv2.resize(soft, (width, height))
        for place, colour, size in zip(at + speed * second, colours, sizes, strict=True):
            x, y = (place % 1.0 * (width, height)).astype(int).tolist()
            cv2.circle(made, (x, y), int(size * height), colour, -1)
        return np.ascontiguousarray(made[:, ::-1] if mirrored else made)

    return picture
