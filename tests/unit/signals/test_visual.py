"""Picture statistics: each says what its name says, and nothing breaks on odd pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from coefvq.signals.visual import VISUAL_NAMES, visual_statistics

RNG = np.random.default_rng(11)


def colour_noise(count: int = 8, size: tuple[int, int] = (180, 320)) -> np.ndarray:
    frames = [RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(count)]
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames])


def window(count: int = 8) -> np.ndarray:
    """A drawn program window: flat areas, straight lines, few colours, rows of letters."""
    screen = np.full((240, 400, 3), 245, np.uint8)
    screen[:24] = (60, 90, 200)
    screen[24:, :90] = (225, 228, 232)
    for row in range(10):
        place = (100, 48 + 18 * row)
        cv2.putText(screen, "lorem ipsum dolor", place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20,) * 3)
    cv2.rectangle(screen, (95, 30), (390, 230), (120, 120, 120), 1)
    return np.repeat(screen[None], count, axis=0)


def photos(count: int = 8) -> np.ndarray:
    """Soft blobs of many colours, another picture every frame."""
    small = RNG.integers(0, 256, (count, 6, 10, 3), dtype=np.uint8)
    return np.stack([cv2.resize(one, (400, 240), interpolation=cv2.INTER_CUBIC) for one in small])


def of(frames: np.ndarray) -> dict[str, float]:
    values = visual_statistics(frames)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    return dict(zip(VISUAL_NAMES, values.tolist(), strict=True))


def test_names_are_unique_and_cover_every_dimension():
    assert len(set(VISUAL_NAMES)) == len(VISUAL_NAMES)
    assert visual_statistics(photos(2)).shape == (len(VISUAL_NAMES),)


def test_no_frames_is_absent():
    assert visual_statistics(np.zeros((0, 8, 8, 3), np.uint8)) is None


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (2, 1, 1), (3, 16, 16), (2, 5, 300), (8, 300, 7), (1, 240, 400)],
    ids=str,
)
def test_odd_shapes_give_finite_numbers(shape):
    of(RNG.integers(0, 256, (*shape, 3), dtype=np.uint8))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_frames_give_finite_numbers(level):
    values = of(np.full((8, 120, 160, 3), level, np.uint8))
    assert values["flat_share"] == 1.0
    assert values["same_next"] == 1.0
    assert values["edge_share"] == 0.0
    assert values["top_colour"] == 1.0


def test_one_frame_has_no_statistics_over_time():
    values = of(photos(1))
    over_time = ("same_next", "change_mean", "steady_densest", "glyphs_corner", "spread")
    assert [values[name] for name in over_time] == [0.0] * len(over_time)
    assert values["frames"] == pytest.approx(1 / 8)
    assert values["saturation_mean"] > 0


def test_slideshow_frames_repeat():
    slides = np.repeat(photos(2), 4, axis=0)
    values = of(slides)
    assert values["same_next"] == pytest.approx(6 / 7)
    assert of(photos(8))["same_next"] == 0.0


def test_cuts_are_large_changes_with_other_tones():
    dark, bright = np.full((4, 90, 160, 3), 20, np.uint8), np.full((4, 90, 160, 3), 220, np.uint8)
    assert of(np.concatenate([dark, bright]))["cut_next"] == pytest.approx(1 / 7)
    noise = RNG.integers(0, 256, (8, 90, 160, 3), dtype=np.uint8)
    assert of(noise)["cut_next"] == 0.0  # much change, but the same tones


@pytest.mark.parametrize(
    "name",
    ["flat_share", "line_columns", "top_four_colours", "text_share", "sharp_mean"],
)
def test_program_windows_differ_from_photographs(name):
    assert of(window())[name] > of(photos())[name] + 0.005


def test_sensor_noise_is_seen_in_calm_areas():
    calm = window()
    noisy = np.clip(calm + RNG.normal(0, 6, calm.shape), 0, 255).astype(np.uint8)
    assert of(noisy)["flat_noise"] > of(calm)["flat_noise"] + 0.5


def test_grey_pictures_have_no_colour():
    frames = photos()
    grey = np.repeat(frames.mean(axis=3, keepdims=True).astype(np.uint8), 3, axis=3)
    assert of(grey)["saturation_mean"] < 0.02 < of(frames)["saturation_mean"]
    assert of(grey)["colourful"] < 0.02 < of(frames)["colourful"]


def test_blur_lowers_sharpness():
    frames = colour_noise()
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in frames])
    assert of(soft)["sharp_mean"] < of(frames)["sharp_mean"] - 0.5


@pytest.mark.parametrize("alpha", [1.0, 0.7], ids=["opaque", "see-through"])
def test_a_corner_logo_raises_the_overlay_statistics(alpha):
    frames = photos()
    marked = frames.copy()
    for frame in marked:
        drawn = frame.copy()
        cv2.putText(drawn, "@handle", (310, 230), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,) * 3, 2)
        frame[:] = (alpha * drawn + (1 - alpha) * frame).astype(np.uint8)
    bare, logo = of(frames), of(marked)
    assert bare["steady_densest"] < 0.05 < logo["steady_densest"]
    assert logo["steady_corner_br"] > 10 * bare["steady_corner_br"] + 0.005
    assert logo["steady_corner_tl"] == pytest.approx(bare["steady_corner_tl"], abs=1e-3)


def test_letters_that_stay_are_told_from_other_steady_edges():
    lettered, lined = photos(), photos()
    for frame in lettered:
        cv2.putText(frame, "SALE", (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0,) * 3, 6)
        cv2.putText(frame, "SALE", (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255,) * 3, 2)
    lined[:, 40:42, 4:100] = 255
    assert of(lettered)["glyphs_corner"] > of(lined)["glyphs_corner"] + 0.02
    assert of(lined)["steady_corner_tl"] > 0


def test_letterbox_shows_in_bars_and_their_brightness():
    boxed = np.pad(photos(), ((0, 0), (60, 60), (0, 0), (0, 0)), constant_values=16)
    values = of(boxed)
    assert values["bar_top"] == pytest.approx(1 / 6, abs=0.02)
    assert values["bar_bottom"] == pytest.approx(1 / 6, abs=0.02)
    assert values["bar_luma"] == pytest.approx(16 / 255, abs=0.02)


def test_same_frames_give_same_numbers():
    frames = photos()
    assert np.array_equal(visual_statistics(frames), visual_statistics(frames))
