from __future__ import annotations

import pytest

from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.dropping import without
from coefvq.learning.fused.reasons import reason_of, violated
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.fused.reasons import parse
from tests.unit.learning.fused import toys
from tests.unit.mllm.fused import parts

UNKNOWN = ("video", "video_moved", "video_moved_steered", "comment_moved")


@pytest.mark.parametrize("part", UNKNOWN)
def test_nobody_knows_where_the_evidence_of_a_real_video_lies(part: str) -> None:
    assert reason_of(toys.example("x", part, targets={HATE: 1}), parts.item(1)) is None


@pytest.mark.parametrize("number", range(10))
def test_the_reason_names_the_policy_and_the_place(number: int) -> None:
    examples, items = toys.ten_clips()
    found = parse(reason_of(examples[number], items[number]) or "")
    assert found.policy == violated(examples[number])
    if examples[number].evidence is None:
        assert not found.points_for
        return
    place = examples[number].evidence[1].replace("_", " ")  # type: ignore[index]
    assert [point.place for point in found.points_for] == [place]


@pytest.mark.parametrize(
    ("example", "place"),
    [
        (toys.example("x", "comment", targets={SCAM: 1}), "caption"),
        (toys.example("x", "composed", footage="clip", targets={VIOLENCE: 1}), "pictures"),
    ],
    ids=["comment", "clip"],
)
def test_evidence_that_nobody_wrote_down_follows_from_the_part(example, place) -> None:  # type: ignore[no-untyped-def]
    found = parse(reason_of(example, parts.item(2)) or "")
    assert [point.place for point in found.points_for] == [place]


def test_a_reason_never_quotes_what_was_dropped() -> None:
    examples, items = toys.ten_clips()
    shown = without(items[5], ["speech", "visual"])
    found = parse(reason_of(examples[5], shown) or "")
    places = [point.place for point in (*found.points_for, *found.points_against)]
    assert "caption" in places and "speech" not in places and "pictures" not in places
    assert {"no speech", "no pictures"} <= set(found.unsure)


def test_the_first_policy_in_slot_order_is_named() -> None:
    both = toys.example(targets={SCAM: 1, HATE: 1})
    assert violated(both) == HATE
    assert violated(toys.example(targets={SCAM: 0})) is None
