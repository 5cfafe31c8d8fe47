"""Drawn footage with texture and movement, and edits of it, for tests of matching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coefvq.media.probe import probe
from coefvq.originality.fingerprint import Fingerprint
from coefvq.signals.fingerprints import make_fingerprint
from tests.media_factory import clip

Picture = NDArray[np.uint8]
Draw = Callable[[float, int, int], Picture]
SIZE = (256, 192)


def scene(place: int, take: int) -> Draw:
    """A textured place in which three things move; another take moves them along other ways."""
    rng = np.random.default_rng(place)
    rough = rng.integers(0, 255, (9, 12, 3)).astype(np.uint8)
    paths = np.random.default_rng(1000 * place + take).uniform(0.3, 1.0, (3, 4))

    def draw(second: float, width: int, height: int) -> Picture:
        picture = np.asarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC))
        for number, (a, b, c, d) in enumerate(paths):
            x = 0.5 + 0.4 * np.sin(3.1 * a * second + 7 * c)
            y = 0.5 + 0.4 * np.sin(2.3 * b * second + 5 * d)
            middle, radius = (int(x * width), int(y * height)), height // (7 + number)
            colour = [(250, 240, 230), (10, 20, 30), (220, 40, 90)][number]
            cv2.circle(picture, middle, radius, colour, -1)
        return picture

    return draw


def turning(facing: float, clay: tuple[int, int, int], wall: int) -> Draw:
    """A bust that turns to and fro, seen from a side, in degrees: other sides move alike."""
    rng = np.random.default_rng(4)
    points = rng.normal(size=(260, 3))
    points *= rng.uniform(0.75, 1.0, (260, 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    shade = rng.uniform(0.35, 1.0, 260)

    def draw(second: float, width: int, height: int) -> Picture:
        angle = np.radians(facing + 25.0 * np.sin(1.3 * second))
        x = points[:, 0] * np.cos(angle) + points[:, 2] * np.sin(angle)
        z = points[:, 2] * np.cos(angle) - points[:, 0] * np.sin(angle)
        picture = np.full((height, width, 3), wall, np.uint8)
        picture[int(0.8 * height) :] = (88, 74, 64)
        for row in np.argsort(z):
            place = (int((0.5 + 0.3 * x[row]) * width), int((0.5 - 0.42 * points[row, 1]) * height))
            tone = [float(part * shade[row]) for part in clay]
            cv2.circle(picture, place, height // 16, tone, -1)
        return picture

    return draw


def noise(second: float, width: int, height: int) -> Picture:
    """Another noise at every second, the same in every video of the same seconds."""
    rng = np.random.default_rng(int(second * 1000))
    return rng.integers(0, 255, (height, width, 3)).astype(np.uint8)


def changed(draw: Draw, change: Callable[[Picture], Picture]) -> Draw:
    """Every picture of a scene, edited."""
    return lambda second, width, height: np.ascontiguousarray(change(draw(second, width, height)))


def cropped(picture: Picture) -> Picture:
    """The middle 70 % of both sides, enlarged."""
    height, width = picture.shape[:2]
    part = picture[int(0.15 * height) : int(0.85 * height), int(0.15 * width) : int(0.85 * width)]
    return np.asarray(cv2.resize(part, (width, height)), np.uint8)


def boxed(picture: Picture, across: float, down: float, colour: int = 0) -> Picture:
    """Shrunk, with bars of these shares of the sides around it."""
    height, width = picture.shape[:2]
    x, y = int(across * width), int(down * height)
    result = np.full_like(picture, colour)
    small = cv2.resize(picture, (width - 2 * x, height - 2 * y), interpolation=cv2.INTER_AREA)
    result[y : height - y, x : width - x] = small
    return result


def with_logo(picture: Picture) -> Picture:
    """A logo over an eighth of the picture."""
    height, width = picture.shape[:2]
    picture = picture.copy()
    picture[: int(0.35 * height), : int(0.35 * width)] = (200, 30, 30)
    cv2.circle(picture, (width // 6, height // 6), height // 9, (255, 255, 255), -1)
    return picture


def fingerprint(path: Path, draw: Draw, seconds: float = 4.0, fps: int = 12) -> Fingerprint:
    """The fingerprint of drawn footage, really encoded and decoded."""
    clip(path, seconds=seconds, size=SIZE, fps=fps, picture=draw, with_audio=False)
    return make_fingerprint(probe(path))


def one_after_another(parts: list[Fingerprint]) -> Fingerprint:
    """The fingerprint of a long video that shows these one after another."""
    starts = np.cumsum([0.0] + [part.duration_s for part in parts]).astype(np.float32)
    joined = {}
    for name in ("times_s", "code_times_s", "motion_times_s"):
        moved = [getattr(part, name) + at for part, at in zip(parts, starts[:-1], strict=True)]
        joined[name] = np.concatenate(moved)
    for name in ("hashes", "quality", "thumbs", "codes", "motion", "colour"):
        joined[name] = np.concatenate([getattr(part, name) for part in parts])
    return replace(parts[0], duration_s=float(starts[-1]), landmarks=None, **joined)
