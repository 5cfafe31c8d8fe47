"""The gate's videos: held out, golden, recent audits; never what taught the candidate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq.domain import PostedText
from coefvq.learning.dataset.items import LabelledVideo, Split
from coefvq.learning.gate.choose import choose


def video(name: str, split: Split, group: str | None = None, **more: object) -> LabelledVideo:
    made = LabelledVideo(
        name, None, PostedText(name, None), group or f"of-{name}", split, {"scam_spam": 1}
    )
    return replace(made, **more)  # type: ignore[arg-type]


TAUGHT = [video("t", "train", "g1", sha256="aa"), video("v", "validation", "g2")]


def test_test_and_golden_are_judged_on_and_nothing_else() -> None:
    rows = [*TAUGHT, video("a", "test"), video("b", "golden")]
    found = choose(rows, (), rows)
    assert [item.video_id for item in found.items] == ["a", "b"]
    assert found.counts == {"test": 1, "golden": 1, "audits": 0} and not found.overlap


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (video("t", "test"), "the same video"),
        (video("other", "golden", sha256="aa"), "the same media"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_taught_the_candidate_is_told(item: LabelledVideo, why: str) -> None:
    assert choose([item], (), TAUGHT).overlap == (item.video_id,), why


@pytest.mark.parametrize(
    ("item", "taken"),
    [
        (video("new", "train", audit=True), True),
        (video("new", "train", audit=False), False),
        (video("new", "train", "g1", audit=True), False),
        (video("t", "train", audit=True), False),
    ],
    ids=["new audit", "sent to a person", "of a taught group", "taught"],
)
def test_audits_are_taken_where_they_are_new(item: LabelledVideo, taken: bool) -> None:
    found = choose([video("a", "test")], [item], TAUGHT)
    assert (found.audits == 1) is taken and len(found.items) == 1 + taken


def test_golden_cases_come_first_where_there_are_too_many() -> None:
    rows = [*(video(f"a{i}", "test") for i in range(50)), video("z", "golden")]
    found = choose(rows, (), TAUGHT, most=10)
    assert len(found.items) == 10 and found.of == 51
    assert "z" in {item.video_id for item in found.items}
    assert found == choose(list(reversed(rows)), (), TAUGHT, most=10)
