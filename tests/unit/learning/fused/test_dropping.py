from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.domain import PostedText, TimedText
from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.dropping import drawn_dropout, without
from coefvq.learning.fused.example import PLACES
from coefvq.mllm.fused.configuration import MODALITIES
from tests.unit.learning.fused import toys
from tests.unit.mllm.fused import parts

SPOKEN = (TimedText(0.0, 1.0, "some words"),)
seeds = st.integers(0, 1 << 40)
suffixes = st.sampled_from(["", "_steered", "_padded"])
names = st.text("abc/#0", min_size=1, max_size=8)


@given(seed=seeds, id=names, place=st.sampled_from(PLACES), suffix=suffixes, shown=st.booleans())
def test_the_place_of_known_evidence_stays(
    seed: int, id: str, place: str, suffix: str, shown: bool
) -> None:
    one = toys.example(id, f"composed_{place}{suffix}", footage="clip" if shown else None)
    assert place not in drawn_dropout(one, seed)


@given(seed=seeds, id=names, part=st.sampled_from(["comment", "headline", "comment_moved"]))
def test_the_only_words_stay(seed: int, id: str, part: str) -> None:
    assert "caption" not in drawn_dropout(toys.example(id, part, caption="words"), seed)


@given(
    seed=seeds, id=names, part=st.sampled_from(["fights", "fights_words", "video_moved"]),
    spoken=st.sampled_from([None, SPOKEN]),
)  # fmt: skip
def test_labelled_footage_keeps_a_sense(seed: int, id: str, part: str, spoken: Any) -> None:
    one = toys.example(id, part, footage="clip", speech=spoken, targets={VIOLENCE: 1})
    assert not {"visual", "motion"} <= drawn_dropout(one, seed)


def test_each_modality_is_dropped_now_and_then() -> None:
    one = toys.example("real", "video_moved", speech=SPOKEN, footage="clip")
    draws = [drawn_dropout(one, seed) for seed in range(2000)]
    share = {name: np.mean([name in lost for lost in draws]) for name in MODALITIES}
    for name, rate in share.items():
        wanted = {"sound": 0.2, "visual": 0.1, "motion": 0.1}.get(name, 0.1)
        assert wanted - 0.03 < rate < wanted + 0.03, name


def test_the_same_seed_gives_the_same_draw() -> None:
    rows = [toys.example(str(n), speech=SPOKEN) for n in range(50)]
    assert [drawn_dropout(one, 1) for one in rows] == [drawn_dropout(one, 1) for one in rows]
    assert [drawn_dropout(one, 1) for one in rows] != [drawn_dropout(one, 2) for one in rows]


EMPTY: dict[str, Any] = {
    "visual": ("frame_features", "frame_times_s"), "sound": ("sound_states",),
    "motion": ("motion",), "speech": ("speech",), "screen_text": ("screen_text",),
    "caption": ("posted",),
}  # fmt: skip


@pytest.mark.parametrize("name", MODALITIES)
def test_what_is_dropped_is_gone_and_nothing_else(name: str) -> None:
    whole = parts.item(1)
    cut = without(whole, [name])
    for key in (key for keys in EMPTY.values() for key in keys):
        found = getattr(cut, key)
        if key in EMPTY[name]:
            assert found is None or found == PostedText()
        else:
            assert found is getattr(whole, key)
