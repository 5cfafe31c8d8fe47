"""Screen recordings: made-up desktop and phone interfaces with scrolling, typing and a cursor."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from coefvq.learning.compose_draw import Frames, brand, colour, font, words

Size = tuple[int, int]


@dataclass(frozen=True)
class _Look:
    """Colours and text size of one made-up interface."""

    ground: tuple[int, int, int]
    panel: tuple[int, int, int]
    ink: tuple[int, int, int]
    faint: tuple[int, int, int]
    accent: tuple[int, int, int]
    text: int


def _look(size: Size, rng: random.Random) -> _Look:
    text = max(8, int(min(size) * rng.uniform(0.025, 0.045)))
    accent = colour(rng, 20, 230)
    if rng.random() < 0.5:
        white = rng.randint(235, 255)
        return _Look(
            (white,) * 3, (rng.randint(215, 240),) * 3, (25, 25, 30), (130,) * 3, accent, text
        )
    dark = rng.randint(12, 45)
    return _Look((dark, dark, dark + 6), (dark + 18,) * 3, (225,) * 3, (120,) * 3, accent, text)


def _paragraph(
    draw: ImageDraw.ImageDraw,
    x: int,
    y: int,
    width: int,
    look: _Look,
    rng: random.Random,
    lines: int,
) -> int:
    face = font(look.text, rng)
    for _ in range(lines):
        line = words(rng.randint(4, 12), rng)
        while len(line) > 3 and draw.textlength(line, font=face) > width:
            line = line[: int(len(line) * 0.85)]
        draw.text((x, y), line, font=face, fill=look.ink)
        y += int(look.text * 1.5)
    return y + look.text


def _page(
    width: int, height: int, look: _Look, pictures: Frames, rng: random.Random
) -> Image.Image:
    """A tall page of headings, text, buttons and pictures that a window scrolls over."""
    page = Image.new("RGB", (width, height), look.ground)
    draw, y, pad = ImageDraw.Draw(page), look.text, max(6, width // 20)
    while y < height - 4:
        kind = rng.choice(("text", "text", "picture", "heading", "button", "card"))
        if kind == "text":
            y = _paragraph(draw, pad, y, width - 2 * pad, look, rng, rng.randint(2, 5))
        elif kind == "heading":
            draw.text((pad, y), words(2, rng), font=font(int(look.text * 1.8), rng), fill=look.ink)
            y += look.text * 3
        elif kind == "button":
            box = (pad, y, pad + look.text * 7, y + look.text * 2)
            draw.rounded_rectangle(box, radius=5, fill=look.accent)
            y += look.text * 3
        elif pictures:
            share = rng.uniform(0.4, 1.0) if kind == "picture" else 0.3
            w = int((width - 2 * pad) * share)
            page.paste(
                ImageOps.fit(rng.choice(pictures), (max(w, 8), max(int(w * 0.6), 8))), (pad, y)
            )
            y += int(w * 0.6) + look.text
        else:
            y += look.text
    return page


def _scroll(count: int, reach: int, rng: random.Random) -> list[int]:
    """Offsets of a hand that scrolls: rests, then short fast moves."""
    out, at, target = [], 0.0, 0.0
    for _ in range(count):
        if rng.random() < 0.06:
            target = min(reach, max(0.0, target + rng.uniform(-0.1, 0.5) * max(reach, 1)))
        at += (target - at) * 0.3
        out.append(int(at))
    return out


def _cursor_path(count: int, size: Size, rng: random.Random) -> list[tuple[int, int]]:
    x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    goal, out = (x, y), []
    for _ in range(count):
        if rng.random() < 0.08:
            goal = (rng.uniform(0, size[0]), rng.uniform(0, size[1]))
        x, y = x + (goal[0] - x) * 0.2, y + (goal[1] - y) * 0.2
        out.append((int(x), int(y)))
    return out


def _cursor(frame: Image.Image, spot: tuple[int, int], scale: int) -> None:
    shape = [(0, 0), (0, 14), (4, 11), (7, 17), (9, 16), (6, 10), (11, 10)]
    points = [(spot[0] + px * scale // 10, spot[1] + py * scale // 10) for px, py in shape]
    ImageDraw.Draw(frame).polygon(points, fill=(255, 255, 255), outline=(0, 0, 0))


def _browser_bar(frame: Image.Image, look: _Look, rng: random.Random) -> int:
    draw, bar = ImageDraw.Draw(frame), int(look.text * 2.4)
    draw.rectangle((0, 0, frame.width, bar), fill=look.panel)
    if rng.random() < 0.5:
        for index, fill in enumerate(((235, 90, 80), (240, 190, 60), (90, 200, 90))):
            draw.ellipse((6 + index * 12, 5, 14 + index * 12, 13), fill=fill)
    box = (frame.width // 6, bar // 5, frame.width - frame.width // 8, bar - bar // 5)
    draw.rounded_rectangle(box, radius=bar // 3, fill=look.ground)
    draw.text(
        (box[0] + 8, box[1]),
        f"https://{brand(rng).strip('@').lower()}/",
        font=font(look.text, rng),
        fill=look.faint,
    )
    return bar


def _browser(size: Size, count: int, footage: Frames, rng: random.Random) -> Frames:
    look = _look(size, rng)
    page = _page(size[0], size[1] * 3, look, footage[::20], rng)
    back = Image.new("RGB", size, look.ground)
    bar = _browser_bar(back, look, rng)
    offsets = _scroll(count, page.height - size[1] + bar, rng)
    out = []
    for offset in offsets:
        frame = back.copy()
        frame.paste(page.crop((0, offset, size[0], offset + size[1] - bar)), (0, bar))
        out.append(frame)
    return out


def _player(size: Size, count: int, footage: Frames, rng: random.Random) -> Frames:
    """Another player on the screen: filmed footage moves inside its window."""
    look = _look(size, rng)
    back = Image.new("RGB", size, look.ground)
    bar = _browser_bar(back, look, rng)
    share = rng.uniform(0.5, 0.8)
    box = (int(size[0] * share), int((size[1] - bar) * rng.uniform(0.55, 0.8)))
    spot = (rng.choice((6, (size[0] - box[0]) // 3)), bar + 6)
    draw = ImageDraw.Draw(back)
    _paragraph(draw, spot[0], spot[1] + box[1] + look.text, box[0], look, rng, 3)
    side = spot[0] + box[0] + 6
    for index in range(6):
        y = bar + 6 + index * look.text * 4
        if footage and size[0] - side > 24:
            thumb = (size[0] - side - 4, look.text * 3)
            back.paste(ImageOps.fit(rng.choice(footage), thumb), (side, y))
    out = []
    for index in range(count):
        frame = back.copy()
        frame.paste(ImageOps.fit(footage[index % len(footage)], box), spot)
        line = ImageDraw.Draw(frame)
        y = spot[1] + box[1]
        line.rectangle((spot[0], y, spot[0] + box[0], y + 4), fill=look.faint)
        line.rectangle(
            (spot[0], y, spot[0] + box[0] * (index + 1) // count, y + 4), fill=look.accent
        )
        out.append(frame)
    return out


def _editor(size: Size, count: int, footage: Frames, rng: random.Random) -> Frames:
    """Code or notes being typed, with a file list and line numbers."""
    look, frame = _look(size, rng), Image.new("RGB", size, (0, 0, 0))
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, 0, *size), fill=look.ground)
    side = int(size[0] * rng.uniform(0.12, 0.25))
    draw.rectangle((0, 0, side, size[1]), fill=look.panel)
    draw.rectangle((0, size[1] - look.text * 2, size[0], size[1]), fill=look.accent)
    _paragraph(draw, 6, 8, side - 10, look, rng, 8)
    inks, face = (
        [look.ink, look.ink, look.accent, look.faint, colour(rng, 80, 230)],
        font(look.text, rng),
    )
    out, x, y, step = [], side + 30, 8, max(1, count // 90)
    for index in range(count):
        if index % step == 0:
            word = words(1, rng) + rng.choice((" ", "(", " = ", ";", ", "))
            draw.text((x, y), word, font=face, fill=rng.choice(inks))
            x += int(draw.textlength(word, font=face))
            if x > size[0] - 60 or rng.random() < 0.2:
                x, y = side + 30 + rng.choice((0, 16, 32)), y + int(look.text * 1.5)
        if y > size[1] - look.text * 4:
            y = 8
            draw.rectangle((side + 1, 0, size[0], size[1] - look.text * 2 - 1), fill=look.ground)
        out.append(frame.copy())
    return out


def _table(size: Size, count: int, footage: Frames, rng: random.Random) -> Frames:
    """A spreadsheet with a selection that moves."""
    look, back = _look(size, rng), Image.new("RGB", size, (255, 255, 255))
    draw, face = ImageDraw.Draw(back), font(look.text, rng)
    draw.rectangle((0, 0, size[0], look.text * 3), fill=look.accent)
    wide, high = look.text * 6, int(look.text * 1.7)
    for y in range(look.text * 3, size[1], high):
        for x in range(0, size[0], wide):
            draw.rectangle((x, y, x + wide, y + high), outline=(200, 200, 205))
            if rng.random() < 0.6:
                draw.text((x + 3, y + 1), str(rng.randint(1, 9999)), font=face, fill=(40, 40, 40))
    out, cell = [], (1, 1)
    for _ in range(count):
        if rng.random() < 0.1:
            cell = (rng.randint(0, size[0] // wide), rng.randint(0, size[1] // high - 3))
        frame = back.copy()
        x, y = cell[0] * wide, look.text * 3 + cell[1] * high
        ImageDraw.Draw(frame).rectangle((x, y, x + wide, y + high), outline=look.accent, width=2)
        out.append(frame)
    return out


def _phone(size: Size, count: int, footage: Frames, rng: random.Random) -> Frames:
    """A phone's feed or chat: status bar, cards or bubbles that scroll, navigation below."""
    look = _look(size, rng)
    width = size[0] if size[0] < size[1] else int(size[1] * 0.56)
    page = (_chat if rng.random() < 0.4 else _page)(width, size[1] * 3, look, footage[::20], rng)
    left, top = (size[0] - width) // 2, int(look.text * 1.6)
    back = Image.new("RGB", size, rng.choice(((0, 0, 0), look.panel)))
    offsets, out = _scroll(count, page.height - size[1], rng), []
    for offset in offsets:
        frame = back.copy()
        frame.paste(page.crop((0, offset, width, offset + size[1])), (left, 0))
        draw = ImageDraw.Draw(frame)
        draw.rectangle((left, 0, left + width, top), fill=look.panel)
        draw.text((left + 6, 2), "9:41", font=font(look.text, random.Random(1)), fill=look.ink)
        draw.rectangle((left + width - 26, 5, left + width - 8, top - 4), outline=look.ink)
        draw.rectangle((left, size[1] - 2 * top, left + width, size[1]), fill=look.panel)
        for index in range(4):
            x = left + width * (2 * index + 1) // 8
            draw.ellipse((x - 6, size[1] - top - 6, x + 6, size[1] - top + 6), outline=look.faint)
        out.append(frame)
    return out


def _chat(
    width: int, height: int, look: _Look, pictures: Frames, rng: random.Random
) -> Image.Image:
    page = Image.new("RGB", (width, height), look.ground)
    draw, y = ImageDraw.Draw(page), look.text * 2
    while y < height:
        tall, wide = look.text * rng.randint(2, 5), int(width * rng.uniform(0.3, 0.7))
        mine = rng.random() < 0.5
        x = width - wide - 8 if mine else 8
        box = (x, y, x + wide, y + tall)
        draw.rounded_rectangle(box, radius=look.text, fill=look.accent if mine else look.panel)
        draw.text((x + 8, y + 4), words(2, rng), font=font(look.text, rng), fill=look.ink)
        y += tall + look.text
    return page


_STYLES: tuple[Callable[[Size, int, Frames, random.Random], Frames], ...] = (
    _browser,
    _player,
    _player,
    _editor,
    _table,
    _phone,
    _phone,
)


def screen_recording(footage: Frames, size: Size, count: int, rng: random.Random) -> Frames:
    """A recording of a made-up interface, ``count`` frames.

    Args:
        footage: Filmed frames, shown in players and as pictures of pages.
    """
    frames = rng.choice(_STYLES)(size, count, footage, rng)
    if size[0] >= size[1] and rng.random() < 0.8:
        scale = max(6, min(size) // 30)
        for frame, spot in zip(frames, _cursor_path(count, size, rng), strict=True):
            _cursor(frame, spot, scale)
    return frames
