from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.learning.fused.texts import assign_folds, move_to, moved_video, timed
from coefvq.learning.text_corpora import HATE, TextItem
from tests.unit.learning.fused import toys

VIDEO = TextItem("v/1", "g", "v", title="a title", caption="a caption", speech="what is said")


def test_groups_stay_together_and_labels_are_spread() -> None:
    items = [
        TextItem(str(n), f"g{n // 2}", "s", labels={HATE: n // 2 % 2}) for n in range(80)
    ]  # fmt: skip
    folds = assign_folds(items, HATE, 5, 0)
    assert all(folds[n] == folds[n + 1] for n in range(0, 80, 2))
    for fold in range(5):
        assert sum(i.labels[HATE] for i, at in zip(items, folds, strict=True) if at == fold) == 8
    assert folds == assign_folds(items, HATE, 5, 0) != assign_folds(items, HATE, 5, 1)


@given(text=st.text("ab \n", max_size=200), seed=st.one_of(st.none(), st.integers(0, 99)))
def test_timed_lines_keep_all_words_in_order(text: str, seed: int | None) -> None:
    lines = timed(text, None if seed is None else random.Random(seed))
    assert " ".join(line.text for line in lines).split() == text.split()
    assert all(a.end_s <= b.start_s for a, b in pairwise(lines))


@pytest.mark.parametrize("field", ["title", "caption", "speech", "screen_text"])
def test_all_text_moves_into_one_field(field: str) -> None:
    moved = move_to(VIDEO, field)
    assert getattr(moved, field) == "a title a caption what is said" == moved.text


def test_a_moved_video_keeps_its_label_and_some_words() -> None:
    chance = random.Random(0)
    found = [moved_video(VIDEO, chance) for _ in range(200)]
    assert all(one.text and one.labels == VIDEO.labels and one.id == VIDEO.id for one in found)
    assert len({(one.title, one.caption, one.speech, one.screen_text) for one in found}) == 5


def test_what_has_only_speech_never_loses_it() -> None:
    only = TextItem("v/2", "g", "v", speech="said")
    assert all(moved_video(only, random.Random(n)).text == "said" for n in range(60))
    assert toys.sentence(1, True) != toys.sentence(4, True)
