"""Seconds that prove nothing are cut out; each file is there once."""

from __future__ import annotations

import pytest

from coefvq.domain import CopyMatch
from coefvq.work.proof import admissible


def match(start: float, end: float, speed: float = 1.0, **changes: object) -> CopyMatch:
    """A stretch of the video that is 100 s further on in the original."""
    values: dict[str, object] = {"reference": "a.mp4", "bank": "originals", "sha256": "a"}
    values |= {"score": 0.9, "speed": speed} | changes
    there = (100 + start * speed, 100 + end * speed)
    return CopyMatch(
        query_start_s=start,
        query_end_s=end,
        reference_start_s=there[0],
        reference_end_s=there[1],
        **values,  # type: ignore[arg-type]
    )


CUTS = {
    "nothing void": ([], 1.0, (0, 20, 100, 120)),
    "elsewhere": ([(20, 30)], 1.0, (0, 20, 100, 120)),
    "all of it": ([(0, 20)], 1.0, None),
    "more than all": ([(-5, 50)], 1.0, None),
    "the beginning": ([(0, 5)], 1.0, (5, 20, 105, 120)),
    "the end": ([(15, 30)], 1.0, (0, 15, 100, 115)),
    "the middle": ([(5, 8)], 1.0, (8, 20, 108, 120)),
    "twice": ([(15, 18), (0, 4)], 1.0, (4, 15, 104, 115)),
    "overlapping": ([(0, 9), (5, 8)], 1.0, (9, 20, 109, 120)),
    "too little left": ([(0, 18.5)], 1.0, None),
    "faster": ([(0, 5)], 1.25, (5, 20, 106.25, 125)),
}


@pytest.mark.parametrize("name", CUTS)
def test_void_seconds_are_cut_out(name: str) -> None:
    void, speed, left = CUTS[name]
    found = admissible([match(0, 20, speed)], void)
    times = [
        (one.query_start_s, one.query_end_s, one.reference_start_s, one.reference_end_s)
        for one in found
    ]
    assert times == ([] if left is None else [pytest.approx(left)])


def test_a_very_short_span_is_kept_whole() -> None:
    assert len(admissible([match(0, 1)], [(5, 6)])) == 1


@pytest.mark.parametrize(
    ("second", "count"),
    [
        pytest.param(match(0, 20, reference="b.mp4"), 1, id="the same file and seconds"),
        pytest.param(match(1, 5, bank="partner"), 1, id="in another bank"),
        pytest.param(match(30, 40, reference="b.mp4"), 2, id="other seconds"),
        pytest.param(match(0, 20, reference="b.mp4", sha256="b"), 2, id="another file"),
        pytest.param(match(5, 20), 2, id="two spans under one name"),
    ],
)
def test_a_file_under_two_names_is_there_once(second: CopyMatch, count: int) -> None:
    first = match(0, 20)
    assert admissible([first, second], [])[0] == first
    assert len(admissible([first, second], [])) == count
