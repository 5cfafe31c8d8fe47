"""Hashes of frames, of turned pictures and of small ones."""

from __future__ import annotations

import cv2
import numpy as np
import pdqhash
import pytest

from coefvq.originality.hashing import (
    GOOD,
    bits_apart,
    frame_hash,
    hashes_of_small,
    keyframe_hashes,
    turned,
    undo,
)
from tests.unit.originality.footage import scene


def frame(place: int, width: int = 512, height: int = 384) -> np.ndarray:
    return scene(place, 1)(1.0, width, height)


@pytest.mark.parametrize("variant", range(8))
def test_turning_back_gives_the_picture(variant: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (2, 5, 7))
    assert np.array_equal(turned(turned(pictures, variant), undo(variant)), pictures)


@pytest.mark.parametrize("variant", range(8))
def test_a_thumb_hashes_like_the_full_frame(variant: int) -> None:
    picture = frame(1)
    whole = np.stack([turned(picture[..., c], variant) for c in range(3)], axis=-1)
    expected, _ = frame_hash(np.ascontiguousarray(whole))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA)
    assert bits_apart(expected[None], hashes_of_small(turned(thumb[None], variant)))[0, 0] <= 31


def test_sizes_hash_alike_and_other_pictures_do_not() -> None:
    small, large = frame_hash(frame(1))[0], frame_hash(frame(1, 1280, 960))[0]
    other = frame_hash(frame(2))[0]
    assert bits_apart(small[None], large[None])[0, 0] <= 31
    assert bits_apart(small[None], other[None])[0, 0] > 60


@pytest.mark.parametrize("size", [(512, 384), (640, 480), (131, 97), (64, 64), (90, 700)])
def test_a_hash_is_that_of_the_reference_program(size: tuple[int, int]) -> None:
    picture = frame(3, *size)
    bits, quality = pdqhash.compute(picture)
    ours, our_quality = frame_hash(picture)
    assert bits_apart(ours[None], np.packbits(bits.astype(np.uint8))[None])[0, 0] <= 4
    assert our_quality == pytest.approx(quality, abs=1)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    assert np.array_equal(frame_hash(grey)[0], ours)


@pytest.mark.parametrize("level", [0, 128, 255], ids=["black", "grey", "white"])
def test_flat_pictures_have_no_quality(level: int) -> None:
    flat = np.full((1, 96, 128, 3), level, np.uint8)
    hashes, quality = keyframe_hashes(flat)
    assert hashes.shape == (1, 32)
    assert quality[0] < GOOD


def test_no_frames_give_no_hashes() -> None:
    hashes, quality = keyframe_hashes(np.zeros((0, 4, 4, 3), np.uint8))
    assert (hashes.shape, quality.shape) == ((0, 32), (0,))
    assert hashes_of_small(np.zeros((0, 48, 48), np.uint8)).shape == (0, 32)
