"""The part of the picture that both show is found wherever it lies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from coefvq.originality.register import Box, register
from tests.unit.originality.footage import scene

SIDE = 480


def thumbs(pictures: list[np.ndarray]) -> np.ndarray:
    return np.stack([cv2.resize(p, (48, 48), interpolation=cv2.INTER_AREA) for p in pictures])


def seen(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Query and reference of which the box is true."""
    pictures = [scene(3, 1)(s, SIDE, SIDE).mean(axis=2).astype(np.uint8) for s in (0.5, 1.5, 2.5)]
    scale = np.array([[box.width, 0, box.x * SIDE], [0, box.height, box.y * SIDE]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    parts = [cv2.warpAffine(p, scale, (SIDE, SIDE), flags=flags) for p in pictures]
    return thumbs(parts), thumbs(pictures)


@pytest.mark.parametrize(
    "box",
    [
        Box(),
        Box(0.15, 0.15, 0.7, 0.7),
        Box(0.05, 0.2, 0.75, 0.75),
        Box(0.0, -0.2, 1.0, 1.4),
        Box(-0.15, 0.0, 1.3, 1.0),
        Box(-0.125, -0.125, 1.25, 1.25),
        Box(-0.6, -0.1, 1.67, 1.67),
    ],
    ids=["whole", "crop", "corner", "letterbox", "pillars", "border", "inset"],
)
def test_the_box_is_found(box: Box) -> None:
    found, correlation = register(*seen(box))
    assert [found.x, found.y, found.width, found.height] == pytest.approx(
        [box.x, box.y, box.width, box.height], abs=0.08
    )
    assert correlation > 0.6


def test_unlike_pictures_do_not_fit() -> None:
    query = thumbs([scene(5, 1)(1.0, SIDE, SIDE).mean(axis=2)])
    reference = thumbs([scene(6, 1)(1.0, SIDE, SIDE).mean(axis=2)])
    assert register(query.astype(np.uint8), reference.astype(np.uint8))[1] < 0.5


def test_the_common_part_is_where_both_have_a_picture() -> None:
    assert Box(0.15, 0.15, 0.7, 0.7).common() == pytest.approx((0, 0, 1, 1))
    assert Box(-0.25, 0.0, 1.5, 1.0).common() == pytest.approx((1 / 6, 0, 5 / 6, 1))
