"""A match in plain words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coefvq.domain import CopyMatch
from coefvq.originality.edits import EDITS
from coefvq.originality.words import EDIT_WORDS, clock, name_of, same_footage

MATCH = CopyMatch("film.mp4", "originals", 0.97, 0.0, 9.0, 3.9, 12.9)


def test_every_edit_has_words() -> None:
    assert tuple(EDIT_WORDS) == EDITS


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "same footage as “film.mp4” of originals 0:03–0:12", id="as it was"),
        pytest.param(
            {"transform": ("speed", "mirror"), "speed": 1.25},
            "same footage as “film.mp4” of originals 0:03–0:12, mirrored, at 1.25 × the speed",
            id="in the order of edits",
        ),
        pytest.param(
            {"by": ("sound",), "transform": ("picture_replaced",)},
            "same sound as “film.mp4” of originals 0:03–0:12, its sound under another picture",
            id="by its sound",
        ),
        pytest.param(
            {"confirmed": True},
            "same footage as “film.mp4” of originals 0:03–0:12 (confirmed by a person)",
            id="confirmed",
        ),
    ],
)
def test_same_footage(changes: dict[str, Any], expected: str) -> None:
    assert same_footage(replace(MATCH, **changes)) == expected


@pytest.mark.parametrize(
    ("reference", "video_id", "expected"),
    [
        pytest.param("title is not shown", "01abc", "video 01abc", id="of the library"),
        pytest.param("/a/b/film.mp4", None, "“film.mp4” of originals", id="a path"),
        pytest.param("C:\\a\\film.mp4", None, "“film.mp4” of originals", id="another path"),
        pytest.param("/", None, "“/” of originals", id="no last part"),
        pytest.param("x" * 200, None, f"“{'x' * 79}…” of originals", id="long"),
    ],
)
def test_the_name(reference: str, video_id: str | None, expected: str) -> None:
    assert name_of(replace(MATCH, reference=reference, video_id=video_id)) == expected


@pytest.mark.parametrize(("seconds", "shown"), [(-1, "0:00"), (59.9, "0:59"), (3661, "61:01")])
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
