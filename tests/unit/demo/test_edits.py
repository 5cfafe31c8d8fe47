"""Edits change the picture as they say and leave the length alone."""

from __future__ import annotations

import numpy as np
import pytest
from moviepy import VideoClip

from coefvq.demo.edits import apply
from coefvq.demo.recipe import Edit, Letterbox, Mirror, Panel, Tint, Watermark, Window

PHONE = (360, 640)


def gradient(time: float) -> np.ndarray:
    """Dark on the left, light on the right, a little lighter with time; 320 x 180."""
    row = np.linspace(0, 200, 320) + 10 * time
    return np.repeat(np.tile(row, (180, 1))[:, :, None], 3, axis=2).astype(np.uint8)


@pytest.fixture
def clip() -> VideoClip:
    return VideoClip(frame_function=gradient, duration=2.0)


@pytest.mark.parametrize(
    ("edit", "size"),
    [
        (Mirror(), (320, 180)),
        (Tint(1, 1, 1), (320, 180)),
        (Letterbox(PHONE), PHONE),
        (Watermark("@someone"), (320, 180)),
        (Panel(("HELLO",)), (320, 180)),
        (Window("Player"), (320, 180)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_size_and_length(edit: Edit, size: tuple[int, int], clip: VideoClip) -> None:
    edited = apply(edit, clip)
    frame = edited.get_frame(1.0)
    assert frame.shape == (size[1], size[0], 3) and frame.dtype == np.uint8
    assert edited.duration == clip.duration
    assert not np.array_equal(frame, apply(edit, clip).get_frame(1.9))


def test_mirror_swaps_left_and_right(clip: VideoClip) -> None:
    assert np.array_equal(apply(Mirror(), clip).get_frame(0.0), gradient(0.0)[:, ::-1])


def test_tint_scales_channels_and_stops_at_white(clip: VideoClip) -> None:
    frame = apply(Tint(1.0, 0.5, 2.0), clip).get_frame(0.0)[0, -1].astype(int)
    assert frame.tolist() == [200, 100, 255]


def test_letterbox_keeps_proportions_on_black(clip: VideoClip) -> None:
    frame = apply(Letterbox(PHONE), clip).get_frame(0.0)
    rows = np.flatnonzero(frame.max((1, 2)) > 0)
    assert len(rows) == pytest.approx(360 * 180 / 320, abs=2)
    assert rows.mean() == pytest.approx(319.5, abs=2)


def test_unknown_edit(clip: VideoClip) -> None:
    with pytest.raises(TypeError, match="str"):
        apply("mirror", clip)  # type: ignore[arg-type]
