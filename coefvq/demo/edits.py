"""Edits laid over a demo clip's picture, with moviepy."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from coefvq.demo import drawing
from coefvq.demo.recipe import Edit, Letterbox, Mirror, Panel, Tint, Watermark, Window

if TYPE_CHECKING:
    from moviepy import VideoClip


@singledispatch
def apply(edit: Edit, clip: VideoClip) -> VideoClip:
    """The clip with one edit; its length stays, its size too (but for ``Letterbox``)."""
    raise TypeError(f"No way to do {type(edit).__name__}.")


@apply.register(Mirror)
def _mirror(edit: Mirror, clip: VideoClip) -> VideoClip:
    from moviepy import vfx

    return clip.with_effects([vfx.MirrorX()])


@apply.register(Tint)
def _tint(edit: Tint, clip: VideoClip) -> VideoClip:
    gains = np.array([edit.red, edit.green, edit.blue], np.float32)
    return clip.image_transform(lambda frame: np.clip(frame * gains, 0, 255).astype(np.uint8))


@apply.register(Letterbox)
def _letterbox(edit: Letterbox, clip: VideoClip) -> VideoClip:
    width, height = edit.size
    scale = min(width / clip.w, height / clip.h)
    inner = round(clip.w * scale), round(clip.h * scale)
    corner = (width - inner[0]) // 2, (height - inner[1]) // 2

    def boxed(frame: np.ndarray) -> np.ndarray:
        page = Image.new("RGB", edit.size)
        page.paste(Image.fromarray(frame).resize(inner), corner)
        return np.asarray(page)

    return clip.image_transform(boxed)


@apply.register(Watermark)
def _watermark(edit: Watermark, clip: VideoClip) -> VideoClip:
    layer = drawing.watermark(edit, tuple(clip.size))
    return clip.image_transform(lambda frame: drawing.blend(frame, layer))


@apply.register(Panel)
def _panel(edit: Panel, clip: VideoClip) -> VideoClip:
    layer = drawing.text_panel(edit, tuple(clip.size))
    return clip.image_transform(lambda frame: drawing.blend(frame, layer))


@apply.register(Window)
def _window(edit: Window, clip: VideoClip) -> VideoClip:
    desktop = drawing.Desktop(tuple(clip.size), edit.title)
    return clip.transform(lambda get, time: desktop.frame(get(time), time / clip.duration))
