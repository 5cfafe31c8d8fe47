"""More evidence, more probability; look-alikes of a better match are explained away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq.originality.align import Line
from coefvq.originality.calibration import THRESHOLD, explained_away, probability
from coefvq.originality.proof import Evidence
from coefvq.originality.register import Box
from coefvq.originality.ways import Tried

SHOWN = Evidence(0.0, 4.0, 0.95, 0.95, 4.0, 8.0, 1.0, 40, 0.0, 1.0)
COPY = Tried(1, 0, Box(), 0.95, Line(1.0, 0.0, 30.0), SHOWN, 4.0, detail=0.98)


def other(speed: float = 1.0, **changes: float) -> Tried:
    return replace(COPY, line=replace(COPY.line, speed=speed), evidence=replace(SHOWN, **changes))


def test_a_plain_copy_is_above_the_threshold() -> None:
    assert probability(COPY) > 0.85


@pytest.mark.parametrize(
    "weaker",
    [
        other(change=0.6),
        replace(COPY, detail=0.8),
        replace(COPY, box=Box(0.02, 0.0, 0.96, 1.0), evidence=replace(SHOWN, change=0.9)),
        other(query_end_s=1.5),
        other(cover=0.3),
        other(speed=1.3),
    ],
    ids=["changes", "detail", "narrower", "shorter", "a part", "another speed"],
)
def test_less_evidence_is_less_probable(weaker: Tried) -> None:
    assert probability(weaker) < probability(COPY)


@pytest.mark.parametrize(
    "wrong",
    [
        other(change=0.3),
        other(change=0.0, power=1.2),
        other(change=0.8, query_end_s=0.4, cover=0.1),
        other(change=0.85, speed=1.3, query_end_s=2.0),
    ],
    ids=["another take", "still scene", "a moment", "a gesture at another speed"],
)
def test_look_alikes_are_below_the_threshold(wrong: Tried) -> None:
    assert probability(wrong) < THRESHOLD


@pytest.mark.parametrize(
    ("bits", "agreement", "share", "copied"),
    [
        (2.0, 0.99, 1.0, True),
        (20.0, 0.99, 1.0, False),
        (2.0, 0.7, 1.0, False),
        (2.0, 0.99, 0.1, False),
    ],
    ids=["same picture", "other hash", "other parts", "one of many frames"],
)
def test_a_frame_or_two_prove_only_the_same_picture(
    bits: float, agreement: float, share: float, copied: bool
) -> None:
    few = replace(other(frames=1, agreement=agreement, share=share), bits=bits)
    assert (probability(few) >= THRESHOLD) is copied


@pytest.mark.parametrize(
    ("worse", "gone"),
    [
        (other(change=0.7), True),
        (other(change=0.92), False),
        (other(change=0.7, query_start_s=10.0, query_end_s=14.0), False),
        (other(change=0.7, power=0.1), False),
    ],
    ids=["follows less", "nearly as well", "another stretch", "still"],
)
def test_what_follows_far_less_closely_is_explained_away(worse: Tried, gone: bool) -> None:
    assert explained_away(worse, COPY) is gone
    assert not explained_away(COPY, worse)
