"""Pictures of the demo clips: stretches of video, photographs, a GIF and a turning model."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from math import degrees, pi, sin
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from coefvq.demo.recipe import Footage, Pan, Picture, Recording, Size, Stills, Turntable
from coefvq.demo.sources import source
from coefvq.demo.turntable import Model

if TYPE_CHECKING:
    from moviepy import VideoClip, VideoFileClip

Frame = NDArray[np.uint8]
Box = tuple[float, float, float, float]

_TURN_S = 6.0


def view_box(of: Size, size: Size, zoom: float, centre: tuple[float, float]) -> Box:
    """The part of a picture ``of`` some size that fills ``size`` without distortion.

    Returns:
        Left, top, right, bottom in source pixels, moved inside the source where needed.
    """
    scale = min(of[0] / size[0], of[1] / size[1]) / zoom
    width, height = size[0] * scale, size[1] * scale
    left = min(max(centre[0] * of[0] - width / 2, 0.0), of[0] - width)
    top = min(max(centre[1] * of[1] - height / 2, 0.0), of[1] - height)
    return left, top, left + width, top + height


@singledispatch
def open_picture(picture: Picture, size: Size, seconds: float) -> VideoClip:
    """A silent moviepy clip of ``size`` and ``seconds``. The caller closes it."""
    raise TypeError(f"No way to show {type(picture).__name__}.")


@open_picture.register(Footage)
def _footage(picture: Footage, size: Size, seconds: float) -> VideoClip:
    from moviepy import VideoFileClip

    clip = _shrunk(VideoFileClip(str(source(picture.file)), audio=False), size, picture.zoom)
    left, top, right, bottom = view_box(clip.size, size, picture.zoom, picture.centre)
    clip = clip.subclipped(picture.start_s, picture.start_s + seconds)
    clip = clip.cropped(x1=round(left), y1=round(top), x2=round(right), y2=round(bottom))
    return clip if tuple(clip.size) == size else clip.resized(new_size=size)


@open_picture.register(Stills)
def _stills(picture: Stills, size: Size, seconds: float) -> VideoClip:
    from moviepy import ImageClip, concatenate_videoclips

    each = seconds / len(picture.files)
    shown = [ImageClip(_fit(_photograph(name), size), duration=each) for name in picture.files]
    return concatenate_videoclips(shown, method="chain")


@open_picture.register(Pan)
def _pan(picture: Pan, size: Size, seconds: float) -> VideoClip:
    photograph = _photograph(picture.file)

    def frame(time: float) -> Frame:
        done = time / seconds
        zoom = picture.zooms[0] * (1 - done) + picture.zooms[1] * done
        x, y = (
            start * (1 - done) + end * done
            for start, end in zip(picture.start, picture.end, strict=True)
        )
        return _fit(photograph, size, zoom, (x, y))

    return _drawn(frame, seconds)


@open_picture.register(Recording)
def _recording(picture: Recording, size: Size, seconds: float) -> VideoClip:
    with Image.open(source(picture.file)) as gif:
        shown = [
            (_fit(page.convert("RGB"), size), page.info.get("duration", 100) / 1000)
            for page in ImageSequence.Iterator(gif)
        ]
    starts = np.cumsum([0.0, *(duration for _, duration in shown[:-1])])

    def frame(time: float) -> Frame:
        at = time % sum(duration for _, duration in shown)
        return shown[int(np.searchsorted(starts, at, side="right")) - 1][0]

    return _drawn(frame, seconds)


@open_picture.register(Turntable)
def _turntable(picture: Turntable, size: Size, seconds: float) -> VideoClip:
    model = Model.read(source(picture.file), picture.clay, picture.wall)

    def frame(time: float) -> Frame:
        turn = 2 * pi * time / _TURN_S
        swing = picture.sway * sin(turn) if picture.sway else degrees(turn)
        return model.draw(size, picture.facing + swing)

    return _drawn(frame, seconds)


def _shrunk(clip: VideoFileClip, size: Size, zoom: float) -> VideoFileClip:
    """The same file, made smaller by the decoder where it is larger than what is shown."""
    from moviepy import VideoFileClip

    left, _, right, _ = view_box(clip.size, size, zoom, (0.5, 0.5))
    scale = size[0] / (right - left)
    if scale >= 1:
        return clip
    clip.close()
    smaller = round(clip.w * scale), round(clip.h * scale)
    return VideoFileClip(clip.filename, audio=False, target_resolution=smaller)


def _drawn(frame: Callable[[float], Frame], seconds: float) -> VideoClip:
    from moviepy import VideoClip

    return VideoClip(frame_function=frame, duration=seconds)


def _photograph(name: str) -> Image.Image:
    with Image.open(source(name)) as image:
        return image.convert("RGB")


def _fit(
    image: Image.Image, size: Size, zoom: float = 1.0, centre: tuple[float, float] = (0.5, 0.5)
) -> Frame:
    box = view_box(image.size, size, zoom, centre)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box))
