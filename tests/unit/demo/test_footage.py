"""Pictures come out at the asked size and length, and move when they should."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.demo.footage import open_picture, view_box
from coefvq.demo.recipe import Footage, Pan, Picture, Recording, Stills, Turntable
from coefvq.demo.sources import media_assets, source
from coefvq.errors import MediaError

SIZE = (320, 180)


@pytest.mark.parametrize(
    ("of", "size", "zoom", "centre", "box"),
    [
        pytest.param((480, 270), (480, 270), 1, (0.5, 0.5), (0, 0, 480, 270), id="all"),
        pytest.param((480, 270), (320, 180), 2, (0.5, 0.5), (120, 67.5, 360, 202.5), id="zoom"),
        pytest.param((400, 200), (100, 100), 1, (0.5, 0.5), (100, 0, 300, 200), id="crop sides"),
        pytest.param((200, 400), (100, 100), 1, (0.5, 0.5), (0, 100, 200, 300), id="crop top"),
        pytest.param((400, 200), (100, 100), 1, (0.0, 0.5), (0, 0, 200, 200), id="kept inside"),
        pytest.param((400, 200), (100, 100), 2, (1.0, 1.0), (300, 100, 400, 200), id="corner"),
    ],
)
def test_view_box(of, size, zoom, centre, box) -> None:
    assert view_box(of, size, zoom, centre) == pytest.approx(box)


@pytest.mark.parametrize(
    "picture",
    [
        Footage("world.mp4", 2.0, 1.5),
        Footage("a.mp4", 1.0),
        Stills(("lion.jpg", "tower.jpg")),
        Pan("cheetah.jpg"),
        Recording("screenshot.gif"),
        Turntable("Bunny.obj"),
    ],
    ids=lambda picture: type(picture).__name__,
)
def test_size_length_and_movement(picture: Picture) -> None:
    with open_picture(picture, SIZE, 4.0) as clip:
        first, last = clip.get_frame(0.0), clip.get_frame(3.9)
        assert clip.duration == pytest.approx(4.0)
    for frame in (first, last):
        assert frame.shape == (180, 320, 3) and frame.dtype == np.uint8
    assert np.abs(first.astype(int) - last).mean() > 0.5


def test_stills_stand_still_between_changes() -> None:
    with open_picture(Stills(("lion.jpg", "tower.jpg")), SIZE, 4.0) as clip:
        frames = [clip.get_frame(time) for time in (0.0, 1.9, 2.1, 3.9)]
    assert np.array_equal(frames[0], frames[1]) and np.array_equal(frames[2], frames[3])
    assert not np.array_equal(frames[1], frames[2])


def test_recording_starts_again_at_its_end() -> None:
    with open_picture(Recording("screenshot.gif"), SIZE, 30.0) as clip:
        frames = {clip.get_frame(time).tobytes() for time in np.arange(0, 12, 0.2)}
        assert len(frames) > 5
        assert clip.get_frame(29.9).tobytes() in frames


def test_swaying_model_comes_back() -> None:
    picture = Turntable("face.obj", 180, 25)
    with open_picture(picture, SIZE, 6.0) as clip:
        start, side, middle = (clip.get_frame(time) for time in (0.0, 1.5, 3.0))
    assert np.abs(start.astype(int) - middle).mean() < 0.5
    assert np.abs(start.astype(int) - side).mean() > 2


def test_unknown_picture() -> None:
    with pytest.raises(TypeError, match="str"):
        open_picture("lion.jpg", SIZE, 1.0)  # type: ignore[arg-type]


def test_source_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(MediaError, match=r"nope\.mp4.*make setup") as caught:
        source("nope.mp4")
    assert caught.value.code == "demo_source_missing"


def test_sources_lie_in_the_package() -> None:
    assert source("lion.jpg").parent.parent == media_assets()


def test_without_gradio_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coefvq.demo.sources.find_spec", lambda name: None)
    media_assets.cache_clear()
    try:
        with pytest.raises(MediaError, match="make setup"):
            media_assets()
    finally:
        media_assets.cache_clear()
