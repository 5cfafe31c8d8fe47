"""Bars and marks that stay are told from what belongs to the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from coefvq.signals import overlay


def wandering(count: int = 8, size: tuple[int, int] = (180, 320)) -> np.ndarray:
    """Grey frames of one large texture seen through a window that moves."""
    texture = np.random.default_rng(3).integers(0, 256, (600, 900), dtype=np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    height, width = size
    return np.stack(
        [texture[37 * i : 37 * i + height, 61 * i : 61 * i + width] for i in range(count)]
    )


def marked(frames: np.ndarray, at: tuple[int, int]) -> np.ndarray:
    out = frames.copy()
    for frame in out:
        cv2.putText(frame, "@user_name", at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    return out


def padded(frames: np.ndarray, top=0, bottom=0, left=0, right=0, value=0) -> np.ndarray:
    return np.pad(frames, ((0, 0), (top, bottom), (left, right)), constant_values=value)


@pytest.mark.parametrize("value", [0, 16, 255], ids=["black", "video black", "white"])
@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ({"top": 45, "bottom": 45}, {"top": 1 / 6, "bottom": 1 / 6, "left": 0, "right": 0}),
        ({"left": 80, "right": 80}, {"top": 0, "bottom": 0, "left": 1 / 6, "right": 1 / 6}),
        ({"bottom": 60}, {"top": 0, "bottom": 0.25, "left": 0, "right": 0}),
        ({}, {"top": 0, "bottom": 0, "left": 0, "right": 0}),
    ],
    ids=["letterbox", "pillarbox", "one bar", "no bars"],
)
def test_flat_bars(value, sides, expected):
    found = overlay.flat_bars(padded(wandering(), **sides, value=value))
    assert found == pytest.approx(expected, abs=0.02)


def test_a_blank_picture_has_no_bars():
    blank = np.zeros((4, 90, 160), np.uint8)
    assert set(overlay.flat_bars(blank).values()) == {0.0}


def test_a_flat_frame_among_others_does_not_make_bars():
    frames = wandering()
    frames[3] = 0
    assert set(overlay.flat_bars(frames).values()) == {0.0}


def test_blurred_fill_counts_as_soft_bars_only():
    frames = wandering(size=(120, 320))
    tall = []
    for frame in frames:
        fill = cv2.GaussianBlur(cv2.resize(frame, (320, 240)), (0, 0), 20)
        fill[60:180] = frame
        tall.append(fill)
    tall = np.stack(tall)
    assert overlay.flat_bars(tall)["top"] == 0
    soft = overlay.soft_bars(overlay.gradients(tall))
    assert soft["top"] == pytest.approx(0.25, abs=0.05)
    assert soft["bottom"] == pytest.approx(0.25, abs=0.05)
    assert soft["left"] == 0


@pytest.mark.parametrize(
    ("at", "zone"),
    [
        ((4, 20), "corner_tl"),
        ((225, 20), "corner_tr"),
        ((4, 170), "corner_bl"),
        ((225, 170), "corner_br"),
        ((110, 95), "centre"),
    ],
    ids=["top left", "top right", "bottom left", "bottom right", "centre"],
)
def test_a_small_handle_is_found_where_it_is(at, zone):
    frames = marked(wandering(), at)
    steady = overlay.steady_edges(overlay.gradients(frames), overlay.flat_bars(frames))
    shares = overlay.zone_shares(steady)
    assert max(shares, key=lambda name: shares[name]) == zone
    assert overlay.densest(steady) > 0.1


def test_a_moving_picture_alone_has_hardly_any_steady_edges():
    frames = wandering()
    steady = overlay.steady_edges(overlay.gradients(frames), overlay.flat_bars(frames))
    assert steady.mean() < 0.002
    assert overlay.densest(steady) < 0.05


def test_borders_of_bars_are_no_overlay():
    frames = padded(wandering(), top=45, bottom=45)
    bars = overlay.flat_bars(frames)
    steady = overlay.steady_edges(overlay.gradients(frames), bars)
    assert overlay.densest(steady) < 0.05


def test_an_overlay_hidden_in_one_frame_still_counts():
    frames = marked(wandering(), (4, 20))
    frames[5, :60] = 128
    steady = overlay.steady_edges(overlay.gradients(frames), overlay.flat_bars(frames))
    assert overlay.densest(steady) > 0.1


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (200, 3), (3, 200)])
def test_zones_of_tiny_masks_are_numbers(shape):
    shares = overlay.zone_shares(np.ones(shape, bool))
    assert all(0 <= share <= 1 for share in shares.values())
