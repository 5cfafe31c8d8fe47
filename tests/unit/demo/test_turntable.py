"""The small renderer draws what faces the viewer, nearer parts over farther ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coefvq.demo.turntable import Model

# A square towards the viewer (counter-clockwise from the front), in two triangles.
SQUARE = """# a comment
v 0 0 0
v 4 0 0
v 4 4 0
v 0 4 0
vn 0 0 1
f 1//1 2//1 3//1
f 1 3 4
"""
RED, BLUE = (200, 20, 20), (20, 20, 200)


@pytest.fixture
def square(tmp_path: Path) -> Model:
    path = tmp_path / "square.obj"
    path.write_text(SQUARE, "ascii")
    return Model.read(path, RED, BLUE)


def test_read_centres_and_scales(square: Model) -> None:
    assert square.points.min(0).tolist() == [-1, -1, 0]
    assert square.points.max(0).tolist() == [1, 1, 0]
    assert square.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_front_is_drawn_in_the_middle(square: Model) -> None:
    frame = square.draw((200, 100), 0)
    assert frame.shape == (100, 200, 3)
    red, _, blue = frame[50, 100].tolist()
    assert red > 100 and red > 5 * blue
    assert frame[5, 5].tolist() == list(BLUE)


def test_back_is_not_drawn(square: Model) -> None:
    frame = square.draw((200, 100), 180)
    assert frame[50, 100].tolist() == list(BLUE)


@pytest.mark.parametrize(("degrees", "narrower"), [(0, False), (60, True), (-60, True)])
def test_turning_makes_it_narrower(square: Model, degrees: float, narrower: bool) -> None:
    row = square.draw((200, 100), degrees)[50]
    wide = int((row[:, 0] > row[:, 2]).sum())
    assert (wide < 60) == narrower


def test_a_full_turn_is_none(square: Model) -> None:
    assert np.array_equal(square.draw((200, 100), 15), square.draw((200, 100), 375))
