"""Marks and words drawn over footage: foreign watermarks, and their harmless look-alikes."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Frames = list[Image.Image]
Painter = Callable[[Image.Image, float], Image.Image]
"""Draws on one frame, given its place in the clip, 0..1."""

_FONT_FOLDER = Path("/usr/share/fonts/truetype")
_SYLLABLES = re.findall(
    r"\w+", "ka zo mi tok vid snap ree lu fun fy ro nix pop ta clip hub mo wave da pix el"
)
_WORDS = re.findall(
    r"\w+",
    "how we built this small boat in one week morning walk by the sea best recipe for bread "
    "match day three part two look what happened next my garden in spring learn the basics of "
    "guitar today a quick tour travel notes wait for it behind the scenes thanks for watching "
    "the story so far new bike first ride old town market rain again lesson four easy steps",
)


@cache
def font_files() -> tuple[Path, ...]:
    """TrueType fonts of this machine that draw Latin letters, sorted."""
    return tuple(sorted(_FONT_FOLDER.glob("*/*.ttf")))


def font(size: int, rng: random.Random) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A random installed font, or Pillow's own where there is none."""
    files = [path for path in font_files() if "MathTeX" not in path.name]
    if not files:
        return ImageFont.load_default(max(8, size))
    return ImageFont.truetype(str(rng.choice(files)), max(8, size))


def words(count: int, rng: random.Random) -> str:
    """A line of harmless words."""
    return " ".join(rng.choice(_WORDS) for _ in range(count))


def brand(rng: random.Random) -> str:
    """A made-up platform, handle or site name."""
    name = "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3))))
    forms = (f"@{name}", f"@{name}{rng.randint(1, 99)}", f"{name}.com", name.title(), name.upper())
    return rng.choice(forms)


def colour(rng: random.Random, low: int = 0, high: int = 255) -> tuple[int, int, int]:
    """A random colour."""
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def paint(frames: Frames, painter: Painter) -> Frames:
    """Run a painter over a clip."""
    last = max(len(frames) - 1, 1)
    return [painter(frame, index / last) for index, frame in enumerate(frames)]


def _ink(rng: random.Random) -> tuple[int, int, int]:
    return rng.choice(((255, 255, 255),) * 4 + ((0, 0, 0), (255, 220, 40), colour(rng)))


def text_tile(text: str, size: int, rng: random.Random, *, plain: bool = False) -> Image.Image:
    """Text as an RGBA tile with a random ink and, mostly, an outline or a shadow."""
    face, ink = font(size, rng), _ink(rng)
    stroke = 0 if plain else rng.choice((0, 0, 1, 2))
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox(
        (0, 0), text, font=face, stroke_width=stroke
    )
    tile = Image.new("RGBA", (int(right - left) + 6, int(bottom - top) + 6), (0, 0, 0, 0))
    draw = ImageDraw.Draw(tile)
    edge = (0, 0, 0) if sum(ink) > 300 else (255, 255, 255)
    if not plain and rng.random() < 0.4:
        draw.text((5 - left, 5 - top), text, font=face, fill=(*edge, 120))
    draw.text((3 - left, 3 - top), text, font=face, fill=ink, stroke_width=stroke, stroke_fill=edge)
    return tile


def logo_tile(size: int, rng: random.Random) -> Image.Image:
    """A made-up platform logo: a coloured shape with a simpler one inside."""
    tile = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw, box, pad = ImageDraw.Draw(tile), (0, 0, size - 1, size - 1), size // 4
    outer, inner = (*colour(rng), 255), (*rng.choice(((255, 255, 255), colour(rng))), 255)
    inside = (pad, pad, size - pad, size - pad)
    shape = rng.choice(("disc", "rounded", "ring", "note", "bare"))
    if shape == "disc":
        draw.ellipse(box, fill=outer)
    elif shape in ("rounded", "note"):
        draw.rounded_rectangle(box, radius=size // 5, fill=outer)
    elif shape == "ring":
        draw.ellipse(box, outline=outer, width=max(2, size // 8))
    if shape == "note":
        draw.text(
            (pad, pad // 2), rng.choice("abdgkmnprtvz"), font=font(size // 2, rng), fill=inner
        )
    elif rng.random() < 0.5:
        draw.polygon([(pad, pad), (size - pad, size // 2), (pad, size - pad)], fill=inner)
    else:
        draw.ellipse(inside, outline=inner, width=max(2, size // 10))
    return tile


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    tile = Image.new("RGBA", (left.width + right.width + 4, max(left.height, right.height)))
    tile.paste(left, (0, (tile.height - left.height) // 2))
    tile.paste(right, (left.width + 4, (tile.height - right.height) // 2))
    return tile


def above(top: Image.Image, bottom: Image.Image) -> Image.Image:
    """One tile over another, both centred."""
    tile = Image.new("RGBA", (max(top.width, bottom.width), top.height + bottom.height + 2))
    tile.paste(top, ((tile.width - top.width) // 2, 0))
    tile.paste(bottom, ((tile.width - bottom.width) // 2, top.height + 2))
    return tile


def mark_tile(height: int, rng: random.Random) -> Image.Image:
    """A foreign mark: a handle, a site, a logo, or a logo with a name; some see-through."""
    form = rng.choice(("text", "logo", "beside", "above", "beside"))
    if form == "text":
        tile = text_tile(brand(rng), height, rng)
    elif form == "logo":
        tile = logo_tile(int(height * rng.uniform(1.3, 2.2)), rng)
    else:
        logo = logo_tile(int(height * rng.uniform(1.0, 1.8)), rng)
        join = _beside if form == "beside" else above
        tile = join(logo, text_tile(brand(rng), height, rng))
    return fade(tile, rng.choice((1.0, 1.0, 0.9, 0.75, 0.6, 0.5)))


def fade(tile: Image.Image, alpha: float) -> Image.Image:
    """Scale a tile's opacity."""
    out = tile.copy()
    out.putalpha(tile.getchannel("A").point(lambda value: int(value * alpha)))
    return out


def _corner(size: tuple[int, int], tile: Image.Image, rng: random.Random) -> tuple[int, int]:
    margin = int(rng.uniform(0.01, 0.06) * min(size))
    right, bottom = size[0] - tile.width - margin, size[1] - tile.height - margin
    spots = [(margin, margin), (right, margin), (margin, bottom), (right, bottom)] * 3
    spots += [
        (margin, bottom // 2),
        (right, bottom // 2),
        (right // 2, margin),
        (right // 2, bottom),
    ]
    x, y = rng.choice(spots)
    return max(0, x), max(0, y)


def watermark(size: tuple[int, int], rng: random.Random) -> Painter:
    """A foreign watermark: still in a corner, jumping, drifting, or tiled over the picture."""
    tile = mark_tile(max(9, int(min(size) * rng.uniform(0.04, 0.11))), rng)
    if tile.width > 0.7 * size[0]:
        tile = tile.resize(
            (int(0.6 * size[0]), max(6, int(tile.height * 0.6 * size[0] / tile.width)))
        )
    style = rng.choice(("still",) * 6 + ("jump", "jump", "drift", "tiled"))
    if style == "tiled":
        return _tiled(size, fade(tile, rng.uniform(0.25, 0.6)), rng)
    first, second = _corner(size, tile, rng), _corner(size, tile, rng)
    period = rng.uniform(0.3, 0.6)

    def draw(frame: Image.Image, at: float) -> Image.Image:
        spot = first
        if style == "jump" and int(at / period) % 2:
            spot = second
        if style == "drift":
            spot = _between(first, second, at)
        frame.paste(tile, spot, tile)
        return frame

    return draw


def _between(first: tuple[int, int], second: tuple[int, int], at: float) -> tuple[int, int]:
    return (
        int(first[0] + (second[0] - first[0]) * at),
        int(first[1] + (second[1] - first[1]) * at),
    )


def _tiled(size: tuple[int, int], tile: Image.Image, rng: random.Random) -> Painter:
    turned = tile.rotate(rng.choice((0, 20, 30, 45)), expand=True)
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    step_x, step_y = turned.width + int(size[0] * 0.12), turned.height + int(size[1] * 0.15)
    for row, y in enumerate(range(-10, size[1], step_y)):
        for x in range(-10 - (row % 2) * step_x // 2, size[0], step_x):
            layer.paste(turned, (x, y), turned)

    def draw(frame: Image.Image, at: float) -> Image.Image:
        frame.paste(layer, (0, 0), layer)
        return frame

    return draw


def subtitles(size: tuple[int, int], rng: random.Random) -> Painter:
    """Lines of speech at the bottom that change as somebody talks."""
    height = max(10, int(min(size) * rng.uniform(0.05, 0.09)))
    look = rng.random()
    lines = [
        text_tile(words(rng.randint(2, 5), rng), height, random.Random(look))
        for _ in range(rng.randint(2, 5))
    ]
    base = int(size[1] * rng.uniform(0.78, 0.9))

    def draw(frame: Image.Image, at: float) -> Image.Image:
        tile = lines[min(int(at * len(lines)), len(lines) - 1)]
        tile = fitted(tile, int(size[0] * 0.94))
        frame.paste(tile, ((size[0] - tile.width) // 2, min(base, size[1] - tile.height)), tile)
        return frame

    return draw


def title(size: tuple[int, int], rng: random.Random) -> Painter:
    """The uploader's own big words, for the whole clip or its start, some on a bar."""
    height = max(14, int(min(size) * rng.uniform(0.09, 0.17)))
    lines = [
        text_tile(words(rng.randint(1, 3), rng), height, rng) for _ in range(rng.randint(1, 3))
    ]
    tile = lines[0]
    for line in lines[1:]:
        tile = above(tile, line)
    tile = fitted(tile, int(size[0] * 0.9))
    y = int((size[1] - tile.height) * rng.choice((0.08, 0.3, 0.5, 0.5, 0.75)))
    until, bar = rng.choice((1.1, 1.1, 0.5)), rng.random() < 0.25
    shade = colour(rng, 0, 120)

    def draw(frame: Image.Image, at: float) -> Image.Image:
        if at <= until:
            if bar:
                ImageDraw.Draw(frame).rectangle(
                    (0, y - 4, size[0], y + tile.height + 4), fill=shade
                )
            frame.paste(tile, ((size[0] - tile.width) // 2, max(0, y)), tile)
        return frame

    return draw


def clock(size: tuple[int, int], rng: random.Random) -> Painter:
    """A camera's own date and running clock: no foreign mark."""
    face = font(max(9, int(min(size) * rng.uniform(0.04, 0.06))), rng)
    start, spot = (
        rng.randint(0, 86000),
        (rng.choice((8, size[0] // 2)), rng.choice((6, size[1] - 26))),
    )
    day = f"{rng.randint(1, 28):02d}-{rng.randint(1, 12):02d}-20{rng.randint(10, 24)}"

    def draw(frame: Image.Image, at: float) -> Image.Image:
        now = start + int(at * 4)
        text = f"{day} {now // 3600:02d}:{now // 60 % 60:02d}:{now % 60:02d}"
        ImageDraw.Draw(frame).text(spot, text, font=face, fill=(255, 255, 255))
        return frame

    return draw


def fitted(tile: Image.Image, width: int) -> Image.Image:
    """The tile, made smaller where it is wider than ``width`` pixels."""
    if tile.width <= width:
        return tile
    return tile.resize((width, max(4, math.floor(tile.height * width / tile.width))))


def letterbox(frames: Frames, rng: random.Random) -> Frames:
    """Bars above and below, or left and right; black, grey or a blurred copy of the picture."""
    width, height = frames[0].size
    tall = rng.random() < 0.5
    share = rng.uniform(0.55, 0.85)
    inner = (width, int(height * share)) if tall else (int(width * share), height)
    spot = ((width - inner[0]) // 2, (height - inner[1]) // 2)
    fill = rng.choice(("black", "black", "shade", "blur"))
    shade = (0, 0, 0) if fill == "black" else colour(rng, 0, 90)
    out = []
    for frame in frames:
        back = Image.new("RGB", (width, height), shade)
        if fill == "blur":
            back = frame.resize((12, 8)).resize((width, height), Image.Resampling.BICUBIC)
        back.paste(frame.resize(inner), spot)
        out.append(back)
    return out
