"""Decoded frames to small upright arrays. Only frames that are wanted are ever converted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray


def upright_rotation(frame: VideoFrame) -> int:
    """Return the clockwise turn for display in degrees: 0, 90, 180 or 270.

    The display matrix gives a counter-clockwise angle; odd angles go to the nearest quarter.
    """
    return round(-frame.rotation / 90) % 4 * 90


def display_size(
    width: int, height: int, aspect: Fraction | None, rotation: int
) -> tuple[int, int]:
    """Return coded width and height as shown: upright, pixels made square by ``aspect``."""
    if aspect and 0.25 <= float(aspect) <= 4.0:
        width = max(1, round(width * float(aspect)))
    return (height, width) if rotation in (90, 270) else (width, height)


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Return the size with its longer side at most ``long_side``; never enlarged, never 0."""
    scale = min(1.0, long_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass
class Converter:
    """Turns frames of one video into upright arrays of one size.

    Attributes:
        width: Of the upright result, pixels.
        height: Of the upright result, pixels.
        rotation: Clockwise degrees to turn decoded frames.
        pixel_format: ``rgb24`` or ``gray``.
    """

    width: int
    height: int
    rotation: int
    pixel_format: str = "rgb24"

    def __post_init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return uint8 (height, width, 3) for ``rgb24``, (height, width) for ``gray``."""
        turned = self.rotation in (90, 270)
        picture = self._reformatter.reformat(
            frame,
            width=self.height if turned else self.width,
            height=self.width if turned else self.height,
            format=self.pixel_format,
            interpolation=Interpolation.BILINEAR,
        ).to_ndarray()
        return np.ascontiguousarray(np.rot90(picture, -(self.rotation // 90)))
