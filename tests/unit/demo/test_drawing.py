"""Text, watermark and player window land where they should."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from coefvq.demo import drawing
from coefvq.demo.recipe import Panel, Watermark

SIZE = (480, 270)


def covered(layer: Image.Image) -> np.ndarray:
    """Where a layer is not transparent: left, top, right, bottom as shares of its size."""
    box = layer.getchannel("A").getbbox()
    assert box is not None
    return np.array(box) / np.array([*layer.size, *layer.size])


@pytest.mark.parametrize(
    ("place", "top", "bottom"), [("top", 0, 0.2), ("middle", 0.4, 0.6), ("bottom", 0.8, 1)]
)
def test_panel_place(place: str, top: float, bottom: float) -> None:
    _, above, _, below = covered(drawing.text_panel(Panel(("HELLO",), place), SIZE))
    assert above == pytest.approx(top, abs=0.06) and below == pytest.approx(bottom, abs=0.06)


@pytest.mark.parametrize("line", ["HI", "A LONG LINE THAT HAS TO SHRINK TO FIT THE PICTURE AT ALL"])
def test_text_stays_inside(line: str) -> None:
    layer = np.asarray(drawing.text_panel(Panel((line,), ink="#00ff00"), SIZE))
    green = (layer[:, :, 1] > 128) & (layer[:, :, 0] < 128)
    assert green.any()
    assert not green[:, :8].any() and not green[:, -8:].any()


def test_more_lines_make_a_taller_band() -> None:
    one = covered(drawing.text_panel(Panel(("A",)), SIZE))
    two = covered(drawing.text_panel(Panel(("A", "B")), SIZE))
    assert two[3] - two[1] > 1.5 * (one[3] - one[1])


@pytest.mark.parametrize(
    ("corner", "x", "y"), [("tl", 0, 0), ("tr", 1, 0), ("bl", 0, 1), ("br", 1, 1)]
)
def test_watermark_keeps_to_its_corner(corner: str, x: int, y: int) -> None:
    left, top, right, bottom = covered(drawing.watermark(Watermark("@someone", corner), SIZE))
    assert (right <= 0.5, left >= 0.5) == (x == 0, x == 1)
    assert (bottom <= 0.25, top >= 0.75) == (y == 0, y == 1)


def test_watermark_is_see_through() -> None:
    layer = np.asarray(drawing.watermark(Watermark("@someone"), SIZE))
    assert 0 < layer[:, :, 3].max() < 255


def test_blend_changes_only_what_is_covered() -> None:
    frame = np.full((270, 480, 3), 90, np.uint8)
    layer = drawing.text_panel(Panel(("HELLO",), "bottom"), SIZE)
    mixed = drawing.blend(frame, layer)
    assert (mixed[:200] == 90).all()
    assert (mixed[230:] != 90).any()
    assert (frame == 90).all()


@pytest.fixture
def desktop() -> drawing.Desktop:
    return drawing.Desktop((640, 360), "Player")


def test_desktop_plays_the_picture_in_its_window(desktop: drawing.Desktop) -> None:
    left, top, wide, tall = desktop.screen
    frame = desktop.frame(np.full((360, 640, 3), (250, 0, 250), np.uint8), 0.0)
    played = (frame == (250, 0, 250)).all(-1)
    assert played[top : top + tall // 2, left : left + wide].all()
    assert played.sum() <= wide * tall
    assert wide / tall == pytest.approx(640 / 360, rel=0.02)


def test_desktop_pointer_and_seek_bar_move(desktop: drawing.Desktop) -> None:
    black = np.zeros((360, 640, 3), np.uint8)
    early, late = desktop.frame(black, 0.1), desktop.frame(black, 0.9)
    red = [(frame[:, :, 0] > 200) & (frame[:, :, 1] < 80) for frame in (early, late)]
    assert red[1].sum() > 3 * red[0].sum()
    left, top, wide, tall = desktop.screen
    window = [frame[top : top + tall, left : left + wide] for frame in (early, late)]
    assert not np.array_equal(*window)
