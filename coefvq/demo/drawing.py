"""What is drawn over demo clips: text bands, a watermark, a desktop with a player window.

Text is set in the font that comes inside Pillow, which has ASCII letters only.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from coefvq.demo.recipe import Panel, Size, Watermark

_DESKTOP = (36, 92, 122)
_BAR = (232, 234, 237)
_INK = (40, 40, 44)
_MENU = "File   Edit   View   Playback   Help"
_POINTER = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))


def blend(frame: NDArray[np.uint8], layer: Image.Image) -> NDArray[np.uint8]:
    """Lay an RGBA layer of the frame's size over an RGB frame."""
    image = Image.fromarray(frame)
    image.paste(layer, (0, 0), layer)
    return np.asarray(image)


def text_panel(panel: Panel, size: Size) -> Image.Image:
    """An RGBA layer with the panel's lines, shrunk to fit the width."""
    width, height = size
    layer = Image.new("RGBA", size)
    pen = ImageDraw.Draw(layer)
    font = _font_for(panel.lines, width * 0.92, height * panel.height * 0.8)
    step = height * panel.height
    band = step * len(panel.lines) + step * 0.3
    top = {"top": 0.0, "middle": (height - band) / 2, "bottom": height - band}[panel.place]
    pen.rectangle((0, top, width, top + band), fill=panel.paper)
    for row, line in enumerate(panel.lines):
        middle = (width / 2, top + step * (row + 0.65))
        pen.text(middle, line, fill=panel.ink, font=font, anchor="mm")
    return layer


def watermark(mark: Watermark, size: Size) -> Image.Image:
    """An RGBA layer with a round drawn logo and the handle in a corner."""
    width, height = size
    layer = Image.new("RGBA", size)
    pen = ImageDraw.Draw(layer)
    tall = height * 0.085
    font = _font_for((mark.handle,), width * 0.5, tall)
    wide = font.getlength(mark.handle) + tall * 1.5
    left = tall * 0.6 if "l" in mark.corner else width - wide - tall * 0.6
    top = tall * 0.6 if "t" in mark.corner else height - tall * 1.9
    _logo(pen, left, top, tall * 1.2)
    pen.text((left + tall * 1.5 + 1, top + tall * 0.6 + 1), mark.handle, (0, 0, 0, 150), font, "lm")
    pen.text((left + tall * 1.5, top + tall * 0.6), mark.handle, (255, 255, 255, 215), font, "lm")
    return layer


def _logo(pen: ImageDraw.ImageDraw, left: float, top: float, side: float) -> None:
    pen.ellipse((left, top, left + side, top + side), fill=(236, 28, 90, 220))
    inner = [(0.38, 0.27), (0.38, 0.73), (0.76, 0.5)]
    pen.polygon([(left + x * side, top + y * side) for x, y in inner], fill=(255, 255, 255, 230))


class Desktop:
    """A desktop of some size with a player window; ``screen`` is where the picture goes.

    Attributes:
        screen: Left, top, width and height in pixels, even.
    """

    def __init__(self, size: Size, title: str):
        width, height = size
        self.size = size
        self.unit = height / 24
        wide = int(width * 0.74) // 2 * 2
        tall = int(wide * height / width) // 2 * 2
        self.screen = (int(width * 0.04), int(self.unit * 3.2), wide, tall)
        self._background = self._draw_background(title)

    def frame(self, picture: NDArray[np.uint8], done: float) -> NDArray[np.uint8]:
        """One frame: the picture in its window, ``done`` (0..1) on the seek bar."""
        left, top, wide, tall = self.screen
        image = self._background.copy()
        image.paste(Image.fromarray(picture).resize((wide, tall)), (left, top))
        pen = ImageDraw.Draw(image)
        bar = top + tall + self.unit * 0.9
        reached = left + self.unit * 2 + (wide - self.unit * 3) * done
        pen.rectangle((left + self.unit * 2, bar - 2, reached, bar + 2), fill=(220, 60, 60))
        self._pointer(pen, done)
        return np.asarray(image)

    def _draw_background(self, title: str) -> Image.Image:
        image = Image.new("RGB", self.size, _DESKTOP)
        pen = ImageDraw.Draw(image)
        left, top, wide, tall = self.screen
        unit, small = self.unit, _font(self.unit * 0.95)
        right = self.size[0] - left
        pen.rectangle((left, unit, right, top + tall + unit * 1.8), fill=_BAR)
        pen.text((left + unit, unit * 1.55), title, _INK, small, "lm")
        for place, colour in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84))):
            x = right - unit * (3.4 - place * 1.1)
            pen.ellipse((x, unit * 1.2, x + unit * 0.7, unit * 1.9), fill=colour)
        pen.text((left + unit, unit * 2.6), _MENU, _INK, small, "lm")
        self._side_pane(pen, left + wide + unit * 0.6, top, small)
        bar = top + tall + unit * 0.9
        pen.polygon([(left + 6, bar - 6), (left + 6, bar + 6), (left + 16, bar)], fill=_INK)
        pen.rectangle((left + unit * 2, bar - 1, left + wide - unit, bar + 1), fill=(150, 150, 155))
        self._taskbar(pen, small)
        return image

    def _side_pane(
        self, pen: ImageDraw.ImageDraw, left: float, top: float, font: ImageFont.FreeTypeFont
    ) -> None:
        rows = ("Up next", "clip_014.mp4", "clip_015.mp4", "clip_016.mp4", "holiday.mov")
        for row, text in enumerate(rows):
            y = top + self.unit * (0.8 + 1.8 * row)
            pen.text((left, y), text, _INK, font, "lm")

    def _taskbar(self, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> None:
        width, height = self.size
        pen.rectangle((0, height - self.unit * 1.3, width, height), fill=(24, 28, 34))
        pen.text((width - 6, height - self.unit * 0.65), "14:32", (235, 235, 235), font, "rm")
        for place in range(4):
            x = self.unit * (0.5 + 1.5 * place)
            box = (x, height - self.unit * 1.1, x + self.unit * 0.9, height - self.unit * 0.2)
            pen.rectangle(box, fill=(90 + 40 * place, 140, 200 - 40 * place))

    def _pointer(self, pen: ImageDraw.ImageDraw, done: float) -> None:
        x = self.size[0] * (0.30 + 0.45 * done)
        y = self.size[1] * (0.85 - 0.35 * done * (2 - done))
        shape = [(x + dx, y + dy) for dx, dy in _POINTER]
        pen.polygon(shape, fill="white", outline="black")


def _font_for(lines: Iterable[str], width: float, height: float) -> ImageFont.FreeTypeFont:
    font = _font(height)
    widest = max(font.getlength(line) for line in lines)
    return font if widest <= width else _font(height * width / widest)


def _font(height: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(height)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType, so the demo clips cannot carry text.")
    return font
