"""What the readout's heads are given of an item."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from coefvq.domain import PostedText, TimedText
from coefvq.mllm.fused import FusedItem
from coefvq.mllm.fused.pooled import known_states, pooled_states, words_of
from coefvq.mllm.fused.split import Lower, embed, lower
from coefvq.mllm.fused.words import count_words
from tests.unit.mllm.fused import parts


def lower_of(items):
    model = parts.model(late_text_layer=1)
    with torch.no_grad():
        return lower(model, embed(model, parts.processor()(items)), 1)


@pytest.mark.parametrize(
    ("lost", "there"),
    [
        pytest.param((), {"text", "visual", "sound", "motion"}, id="whole"),
        pytest.param(("visual",), {"text", "sound", "motion"}, id="no pictures"),
        pytest.param(("sound", "motion"), {"text", "visual"}, id="no sound, no motion"),
        pytest.param(
            ("caption", "speech", "screen_text"), {"visual", "sound", "motion"}, id="no words"
        ),
    ],
)
def test_absent_states_are_left_out_even_beside_others(lost, there):
    whole = parts.item(1)
    one, other = lower_of([parts.item(2, without=lost), whole])
    assert pooled_states(one).keys() == there
    assert pooled_states(other).keys() == {"text", "visual", "sound", "motion"}


def test_sizes_and_kinds():
    (found,) = (pooled_states(one) for one in lower_of([parts.item(1)]))
    assert {name: value.shape for name, value in found.items()} == {
        "text": (32,),
        "visual": (3 * parts.SEEN,),
        "sound": (3 * parts.HEARD,),
        "motion": (parts.MOTION,),
    }
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}


def test_states_do_not_depend_on_neighbours():
    item = parts.item(1)
    alone = pooled_states(lower_of([item])[0])
    beside = pooled_states(lower_of([parts.item(2, without=("speech",)), item])[1])
    for name, value in alone.items():
        assert np.allclose(value, beside[name], atol=1e-4), name


def test_half_precision_states_become_float32():
    blank = torch.zeros(1, 4, dtype=torch.bfloat16)
    state = Lower(blank, torch.zeros(1), torch.zeros(1), torch.ones(4), {"visual": blank[0]}, blank)
    assert {v.dtype for v in pooled_states(state).values()} == {np.dtype(np.float32)}


def test_words_are_those_of_the_prompt():
    lines = [TimedText(0.0, 1.0, "hello"), TimedText(1.0, 2.0, "you")]
    screen = [TimedText(0.0, 1.0, "SALE"), TimedText(5.0, 6.0, "sale")]
    item = FusedItem(PostedText("a title", "one.\ntwo"), speech=lines, screen_text=screen)
    assert words_of(item) == ["a title", "one.", "two", "hello you", "SALE"]
    assert words_of(FusedItem()) == []


def test_known_states_join_both():
    items = [parts.item(1), parts.item(2, without=("caption", "speech", "screen_text"))]
    found = known_states(items, lower_of(items))
    for item, known in zip(items, found, strict=True):
        keys, values = count_words(words_of(item))
        assert np.array_equal(known.counted[0], keys) and np.array_equal(known.counted[1], values)
    assert "text" in found[0].states and "text" not in found[1].states
