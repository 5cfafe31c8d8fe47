from __future__ import annotations

import random
import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from coefvq.learning import written
from coefvq.learning.written import SIZES, STYLES, degrade, painter, tidy, wrap, write
from coefvq.signals import screen_text
from tests import media_factory


@pytest.fixture(scope="module")
def frame() -> NDArray[np.uint8]:
    return media_factory.moving(0.3, 320, 240)


@pytest.mark.parametrize(
    ("posted", "shown"),
    [
        ("RT @one: look http://t.co/a", "look http://t.co/a"),
        ("@friend &amp; all &#128514;", "@friend & all"),
        ("one<br />two <b>three</b>", "one two three"),
        ("“I’m   here”\ufeff", '"I\'m here"'),
        ("café déjà 日本", "café déjà"),
        ("", ""),
    ],
    ids=["rt", "entities", "markup", "quotes", "letters", "empty"],
)
def test_only_what_a_screen_would_show_is_left(posted: str, shown: str) -> None:
    assert tidy(posted) == shown
    assert tidy(shown) == shown


@pytest.mark.parametrize(
    ("words", "width", "lines"),
    [(3, 600, (1, 1)), (20, 600, (2, 4)), (34, 320, (4, 4)), (45, 320, (5, 6)), (300, 320, (6, 6))],
    ids=["short", "middling", "smaller letters", "more lines", "cut"],
)
def test_text_is_wrapped_into_few_lines(words: int, width: int, lines: tuple[int, int]) -> None:
    wrapped, letter = wrap("word " * words, width, 30)
    assert lines[0] <= len(wrapped) <= lines[1]
    assert 13 <= letter <= 30
    if words < 300:
        assert " ".join(wrapped).split() == ["word"] * words


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", sorted(set(SIZES)), ids=str)
def test_every_style_draws_inside_the_frame(
    style: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "STYLES", (style,))
    for words in (1, 30):
        before = Image.new("RGB", size, (90, 140, 120))
        draw = painter("some words " * words, size, random.Random(words))
        after = draw(before.copy(), 0.5)
        changed = np.abs(np.asarray(after, int) - np.asarray(before, int)).sum(axis=2) > 60
        assert after.size == size and changed.any()
        assert not changed[:, :2].any() and not changed[:, -2:].any()


def test_memes_stand_above_and_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "STYLES", ("meme",))
    plain = Image.new("RGB", (640, 360), (90, 140, 120))
    drawn = painter("when the cat sees you", plain.size, random.Random(1))(plain.copy(), 0.0)
    rows = (np.asarray(drawn) != np.asarray(plain)).any(axis=(1, 2))
    assert rows[:120].any() and rows[-120:].any() and not rows[150:210].any()


def test_no_text_leaves_the_picture_as_it_is() -> None:
    plain = Image.new("RGB", (640, 360), (90, 140, 120))
    for seed in range(8):
        draw = painter("", plain.size, random.Random(seed))
        assert np.array_equal(np.asarray(draw(plain.copy(), 0.0)), np.asarray(plain))


def test_writing_depends_on_the_seed_only(frame: NDArray[np.uint8]) -> None:
    first, again = write("look at this", 7, frame), write("look at this", 7, frame)
    np.testing.assert_array_equal(first, again)
    shapes = {write("look at this", seed, frame).shape for seed in range(8)}
    assert shapes == {(360, 640, 3), (640, 360, 3)}


@pytest.mark.parametrize("seed", range(4))
def test_compression_changes_pixels_but_not_the_picture(
    seed: int, frame: NDArray[np.uint8]
) -> None:
    out = degrade(frame, random.Random(seed))
    assert out.shape == frame.shape and out.dtype == np.uint8
    error = np.abs(out.astype(int) - frame).mean()
    assert 0 < error < 12


def test_most_words_can_be_read_back(frame: NDArray[np.uint8]) -> None:
    text, kept = "subscribe to my channel and win a new phone", 0
    said = re.findall(r"\w+", text)
    for seed in range(3):
        lines = screen_text.read(write(text, seed, frame), 1)
        read = re.findall(r"\w+", " ".join(line.text for line in lines).lower())
        kept += sum(word in read for word in said)
    assert kept > 0.6 * 3 * len(said)
