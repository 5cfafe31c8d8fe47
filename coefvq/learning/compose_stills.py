"""Slideshows from still pictures: cuts, cross-fades, pans over a still, one single still."""

from __future__ import annotations

import random

from PIL import Image, ImageOps

from coefvq.learning.compose_draw import Frames

Size = tuple[int, int]


def fitted(picture: Image.Image, size: Size, rng: random.Random) -> Image.Image:
    """A picture in a frame: filled, or whole on a plain ground."""
    if rng.random() < 0.75:
        return ImageOps.fit(picture, size, Image.Resampling.BILINEAR)
    ground = rng.choice(((0, 0, 0), (255, 255, 255), (30, 40, 60)))
    return ImageOps.pad(picture, size, Image.Resampling.BILINEAR, color=ground)


def pan(still: Image.Image, count: int, rng: random.Random) -> Frames:
    """A slow zoom or shift over one still ("Ken Burns"): no filmed motion."""
    width, height = still.size
    start, end = rng.uniform(0.75, 1.0), rng.uniform(0.75, 1.0)
    ax, ay, bx, by = (rng.random() for _ in range(4))
    out = []
    for index in range(count):
        at = index / max(count - 1, 1)
        share = start + (end - start) * at
        w, h = width * share, height * share
        x = (width - w) * (ax + (bx - ax) * at)
        y = (height - h) * (ay + (by - ay) * at)
        out.append(still.resize(still.size, Image.Resampling.BILINEAR, box=(x, y, x + w, y + h)))
    return out


def slideshow(pictures: Frames, size: Size, count: int, rng: random.Random) -> Frames:
    """Stills one after another, ``count`` frames in all.

    Args:
        pictures: At least one; a single one, or ``style`` single, gives one still throughout.
    """
    style = rng.choice(("cut", "cut", "fade", "pan", "pan_fade", "single", "single_pan"))
    shown = pictures[:1] if style.startswith("single") else pictures
    each = -(-count // len(shown))
    parts = [
        pan(still, each, rng) if "pan" in style else [still.copy() for _ in range(each)]
        for still in (fitted(picture, size, rng) for picture in shown)
    ]
    length = max(2, int(each * rng.uniform(0.15, 0.4))) if "fade" in style else 0
    return _joined(parts, length)[:count]


def _joined(parts: list[Frames], fade: int) -> Frames:
    out = list(parts[0])
    for part in parts[1:]:
        previous = out[-1]
        for index, frame in enumerate(part):
            mix = (index + 1) / (fade + 1)
            out.append(Image.blend(previous, frame, mix) if index < fade else frame)
    return out
