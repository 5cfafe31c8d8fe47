"""Texts written on real frames in the ways that uploaders write, for the recogniser to read.

Subtitles, big titles, caption boxes and memes, in any installed font and mostly with an outline;
then the frame is compressed as an upload is. Which style a text gets does not depend on it.
"""

from __future__ import annotations

import html
import random
import re
import textwrap
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from coefvq.learning.compose_draw import Painter, above, colour, fitted, font, text_tile

SIZES = ((640, 360), (640, 360), (360, 640))
STYLES = ("subtitle", "title", "box", "meme")
MOST_LINES = 4  # six in the smallest letters; what still does not fit is not written
_SMALLEST = 13  # pixels; smaller letters do not survive an upload
_LETTER = 0.54  # mean width of a letter as a share of its size
_HEIGHTS = {"subtitle": (0.05, 0.08), "title": (0.09, 0.15), "box": (0.05, 0.09)} | {
    "meme": (0.08, 0.12)
}  # letter size as a share of the shorter side

_NOT_WRITTEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<br\s*/?>", re.IGNORECASE), " "),
    (re.compile(r"<[^<>]{1,200}>"), " "),
    (re.compile(r"\bRT\s+@\w+:?"), " "),
    (re.compile(r"[’‘]"), "'"),
    (re.compile(r"[“”]"), '"'),
    (re.compile(r"[^\x20-\x7e\u00a1-\u024f]"), " "),
    (re.compile(r"\s+"), " "),
)


def tidy(text: str) -> str:
    """What of a tweet or comment would stand on a screen: no markup, no emoji; links stay."""
    text = html.unescape(html.unescape(text))
    for pattern, by in _NOT_WRITTEN:
        text = pattern.sub(by, text)
    return text.strip()


def wrap(text: str, width: int, size: int, most: int = MOST_LINES) -> tuple[list[str], int]:
    """Break a text into lines, in smaller letters until it fits.

    Args:
        width: Pixels that a line may take.
        size: Letter size in pixels to start from.
        most: Lines allowed.

    Returns:
        The lines and the letter size.
    """
    for height in range(max(size, _SMALLEST), _SMALLEST - 1, -1):
        lines = textwrap.wrap(text, max(4, int(width / (_LETTER * height))))
        if len(lines) <= most:
            return lines, height
    return lines[: most + 2], _SMALLEST


def painter(text: str, size: tuple[int, int], rng: random.Random) -> Painter:
    """Writes a text over a whole clip in a drawn style.

    Args:
        text: Tidied (see ``tidy``); an empty one leaves the frames as they are.
        size: Width and height of the frames in pixels.
    """
    style = rng.choice(STYLES)
    height = int(min(size) * rng.uniform(*_HEIGHTS[style]))
    parts = _halves(text.upper()) if style == "meme" else [text]
    blocks = [_block(part, size, height, style, rng.random()) for part in parts if part]
    places = [_place(style, size, block, index, rng) for index, block in enumerate(blocks)]

    def draw(frame: Image.Image, at: float) -> Image.Image:
        for block, (x, y) in zip(blocks, places, strict=True):
            frame.paste(block, (x, y), block)
        return frame

    return draw


def _halves(text: str) -> list[str]:
    words = text.split()
    middle = (len(words) + 1) // 2
    return [" ".join(words[:middle]), " ".join(words[middle:])]


def _block(text: str, size: tuple[int, int], height: int, style: str, look: float) -> Image.Image:
    """All lines of a text in one look, on a card for a caption box."""
    most = 2 if style == "meme" else MOST_LINES
    lines, letter = wrap(text, int(size[0] * 0.9), height, most)
    if style == "box":
        return _card(lines, letter, random.Random(look), int(size[0] * 0.96))
    tiles = [text_tile(line, letter, random.Random(look)) for line in lines]
    block = tiles[0]
    for tile in tiles[1:]:
        block = above(block, tile)
    return fitted(block, int(size[0] * 0.96))


def _card(lines: list[str], letter: int, rng: random.Random, width: int) -> Image.Image:
    """Dark letters on a light card or the other way round, not always opaque."""
    face, dark = font(letter, rng), rng.random() < 0.5
    ink, back = (colour(rng, 0, 60), colour(rng, 190, 255))[:: -1 if dark else 1]
    text, pad = "\n".join(lines), max(4, letter // 3)
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = probe.multiline_textbbox((0, 0), text, font=face)
    size = (int(right - left) + 2 * pad, int(bottom - top) + 2 * pad)
    tile = Image.new("RGBA", size, (*back, rng.choice((255, 255, 220, 190))))
    align = rng.choice(("left", "center"))
    draw = ImageDraw.Draw(tile)
    draw.multiline_text((pad - left, pad - top), text, font=face, fill=(*ink, 255), align=align)
    return fitted(tile, width)


def _place(
    style: str, size: tuple[int, int], block: Image.Image, index: int, rng: random.Random
) -> tuple[int, int]:
    room = max(0, size[1] - block.height)
    shares = {
        "subtitle": (0.85, 0.97), "title": (0.1, 0.7), "box": (0.05, 0.9),
        "meme": ((0.02, 0.06), (0.94, 0.98))[index],
    }  # fmt: skip
    low, high = cast(tuple[float, float], shares[style])
    return max(0, (size[0] - block.width) // 2), int(room * rng.uniform(low, high))


def write(text: str, seed: int, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Write a text on a real frame and compress it as an upload.

    Args:
        text: As posted; it is tidied first.
        seed: Size, style, place, letters and compression depend on it.
        frame: RGB uint8 (H, W, 3).

    Returns:
        RGB uint8, (360, 640, 3) or (640, 360, 3).
    """
    rng = random.Random(f"write/{seed}")
    size = rng.choice(SIZES)
    picture = ImageOps.fit(Image.fromarray(frame), size, Image.Resampling.BILINEAR)
    drawn = painter(tidy(text), size, rng)(picture, 0.0)
    return degrade(np.asarray(drawn, np.uint8), rng)


def degrade(frame: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """Compress an RGB frame (H, W, 3) as JPEG or by x264, at a drawn quality."""
    if rng.random() < 0.5:
        return _jpeg(frame, rng.randint(35, 90))
    return _x264(frame, rng.randint(20, 34))


def _jpeg(frame: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(cast(NDArray[np.uint8], back), cv2.COLOR_BGR2RGB), np.uint8)


def _x264(frame: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """One key frame there and back."""
    encoder = cast(VideoCodecContext, av.CodecContext.create("libx264", "w"))
    encoder.height, encoder.width = frame.shape[:2]
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.options = {"crf": str(factor), "preset": "ultrafast", "tune": "zerolatency"}
    encoder.thread_count = 1
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
    decoder = cast(VideoCodecContext, av.CodecContext.create("h264", "r"))
    decoder.thread_count = 1
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    frames = [out for packet in packets for out in decoder.decode(packet)]
    return np.asarray([*frames, *decoder.decode(None)][0].to_ndarray(format="rgb24"), np.uint8)
