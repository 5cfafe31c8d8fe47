"""Screen text: real recognition of drawn letters, and joining over time on given lines."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from coefvq.signals import screen_text
from coefvq.signals.screen_text import Line, join_over_time, read, read_frames


def picture(*texts: tuple[str, tuple[int, int]], size=(640, 360), tint=0, px=30) -> np.ndarray:
    ramp = np.linspace(30 + tint, 110 + tint, size[0]).astype(np.uint8)
    image = Image.fromarray(np.repeat(np.tile(ramp, (size[1], 1))[..., None], 3, axis=2))
    for text, place in texts:
        ImageDraw.Draw(image).text(place, text, fill="white", font=ImageFont.load_default(px))
    return np.asarray(image)


def line(text: str, score: float = 0.9, y: float = 0.1) -> Line:
    return Line(text, score, (0.1, y, 0.5, y + 0.1))


@pytest.mark.parametrize("px", [18, 30, 60], ids=["small", "medium", "large"])
def test_reads_drawn_text_at_its_place(px):
    (found,) = read(picture(("Win a FREE phone", (40, 250)), px=px))
    assert found.text.replace(" ", "") == "WinaFREEphone"
    assert found.score > 0.8
    x0, y0, x1, y1 = found.box
    assert x0 == pytest.approx(40 / 640, abs=0.02)
    assert y0 == pytest.approx(250 / 360, abs=0.06)
    assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


def test_large_frames_are_read_in_a_smaller_form():
    shown = picture(("Call me tonight", (200, 900)), size=(1080, 1920), px=70)
    assert [found.text for found in read(shown)] == ["Call me tonight"]


def test_lines_come_from_top_to_bottom():
    shown = picture(("second line", (30, 200)), ("first line", (30, 40)))
    assert [found.text for found in read(shown)] == ["first line", "second line"]


@pytest.mark.parametrize("shape", [(1, 1), (2, 400), (400, 2), (40, 40)], ids=str)
def test_frames_without_text_have_no_lines(shape):
    assert read(np.full((*shape, 3), 90, np.uint8)) == ()


def test_what_the_recogniser_doubts_is_left_out():
    noise = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    assert read(noise) == ()


def test_captions_follow_each_other_and_the_handle_stays():
    handle = ("@night_owl", (470, 320))
    spoken = ["open the door", "open the door", "never come back"]
    frames = np.stack([picture((text, (60, 150)), handle) for text in spoken])
    found = read_frames(frames, [0.0, 2.0, 4.0], 6.0)
    spans = {one.text: (one.start_s, one.end_s) for one in found}
    assert spans == {
        "open the door": (0.0, 4.0),
        "never come back": (4.0, 6.0),
        "@night_owl": (0.0, 6.0),
    }


def test_frames_that_look_alike_are_read_once(monkeypatch):
    read_at = []
    monkeypatch.setattr(
        screen_text, "read", lambda frame, threads: read_at.append(1) or (line("hello"),)
    )
    still = np.stack([picture()] * 16)
    (found,) = read_frames(still, np.arange(16.0), 16.0)
    assert len(read_at) == 1
    assert (found.start_s, found.end_s) == (0.0, 16.0)


def test_at_most_eight_frames_are_read(monkeypatch):
    read_at = []

    def note(frame, threads):
        read_at.append(int(frame[0, 0, 0]))
        return ()

    monkeypatch.setattr(screen_text, "read", note)
    frames = np.stack([np.full((90, 160, 3), 16 * i, np.uint8) for i in range(16)])
    assert read_frames(frames, np.arange(16.0), 16.0) == ()
    assert len(read_at) == screen_text.MOST_READ
    assert {read_at[0], read_at[-1]} == {0, 240}  # the first and the last among them


def test_a_new_caption_on_a_still_picture_is_read():
    frames = np.stack([picture(), picture(("wait for it", (200, 160)))])
    (found,) = read_frames(frames, [0.0, 1.0], 2.0)
    assert (found.text, found.start_s, found.end_s) == ("wait for it", 1.0, 2.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], []),
        ([(0.0, ())], []),
        ([(0.0, (line("abc"),))], [("abc", 0.0, 5.0)]),
        ([(0.0, (line("abc"),)), (1.0, ())], [("abc", 0.0, 1.0)]),
        (
            [(0.0, (line("abc"),)), (1.0, ()), (2.0, (line("abc"),))],
            [("abc", 0.0, 1.0), ("abc", 2.0, 5.0)],
        ),
        (
            [(0.0, (line("subscrlbe now", 0.7),)), (1.0, (line("subscribe now", 0.9),))],
            [("subscribe now", 0.0, 5.0)],
        ),
        (
            [(0.0, (line("subscribe now", 0.9),)), (1.0, (line("subscrlbe now", 0.7),))],
            [("subscribe now", 0.0, 5.0)],
        ),
        (
            [(0.0, (line("same", y=0.1), line("same", y=0.5))), (1.0, (line("same", y=0.1),))],
            [("same", 0.0, 5.0), ("same", 0.0, 1.0)],
        ),
        ([(7.0, (line("late"),))], [("late", 7.0, 7.0)]),
    ],
    ids=[
        "no frames", "no lines", "one frame", "goes", "comes back", "better reading later",
        "better reading first", "twice at once", "after the stated end",
    ],
)  # fmt: skip
def test_joining(seen, expected):
    found = [(one.text, one.start_s, one.end_s) for one in join_over_time(seen, 5.0)]
    assert found == expected


def test_the_recogniser_writes_nothing(caplog, capsys):
    with caplog.at_level(logging.DEBUG):
        read(picture(("quiet please", (40, 40))))
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "")
