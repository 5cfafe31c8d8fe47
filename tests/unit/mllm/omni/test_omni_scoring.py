from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers.cache_utils import DynamicCache

from coefvq.errors import ModelError
from coefvq.mllm.omni.scoring import Scorer, fork, label_tokens
from coefvq.mllm.omni.synthetic import Clip, synthetic_inputs
from tests.unit.mllm.omni import tiny_omni

CLIP = Clip(frames=4, height=64, width=96, sound_s=2.0, text_tokens=60)
QUESTIONS = ([*range(20, 45)], [*range(60, 70)], [30])


def scorer(family: str) -> Scorer:
    return Scorer(tiny_omni.model(family), tiny_omni.tokenizer(family))


def inputs(family: str, **changed: Any) -> dict[str, torch.Tensor]:
    return synthetic_inputs(tiny_omni.config(family), CLIP) | changed


def separate_pass(family: str, ids: list[int], given: dict[str, torch.Tensor]) -> torch.Tensor:
    """Video and question in one pass without a cache."""
    tail = torch.tensor([ids])
    full = given | {"input_ids": torch.cat([given["input_ids"], tail], 1)}
    if "mm_token_type_ids" in full:
        kinds = [given["mm_token_type_ids"], torch.zeros_like(tail)]
        full["mm_token_type_ids"] = torch.cat(kinds, 1)
    mask = torch.ones_like(full["input_ids"])
    with torch.inference_mode():
        return tiny_omni.model(family)(**full, attention_mask=mask, use_cache=False).logits[0, -1]


@pytest.mark.parametrize("family", tiny_omni.FAMILIES)
def test_reading_once_equals_a_pass_for_every_question(family: str) -> None:
    found, given = scorer(family), inputs(family)
    cache = found.read(given)
    for ids in (*QUESTIONS, QUESTIONS[0]):
        with torch.inference_mode():
            logits = found._step(fork(cache), ids)
        torch.testing.assert_close(logits, separate_pass(family, ids, given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", tiny_omni.FAMILIES)
def test_questions_do_not_change_each_other(family: str) -> None:
    found = scorer(family)
    cache = found.read(inputs(family))
    length = cache.get_seq_length()
    forward = [found.ask(cache, ids) for ids in QUESTIONS]
    found.write(cache, QUESTIONS[0], 3)
    backward = [found.ask(cache, ids) for ids in reversed(QUESTIONS)]
    assert forward == backward[::-1]
    assert cache.get_seq_length() == length


@pytest.mark.parametrize("family", tiny_omni.FAMILIES)
def test_another_video_between_two_reads_changes_nothing(family: str) -> None:
    found = scorer(family)
    other = synthetic_inputs(tiny_omni.config(family), Clip(2, 96, 64, 1.0, 20), seed=1)
    before = found.ask(found.read(inputs(family)), QUESTIONS[1])
    found.ask(found.read(other), QUESTIONS[1])
    assert found.ask(found.read(inputs(family)), QUESTIONS[1]) == before


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *((family, "pixel_values_videos") for family in tiny_omni.FAMILIES),
        *((family, "input_features") for family in tiny_omni.FAMILIES if family != "gemma4-deaf"),
    ],
)
def test_frames_and_sound_reach_the_answer(family: str, name: str) -> None:
    given = inputs(family)
    changed = inputs(family, **{name: given[name] * -0.5})
    found = scorer(family)
    first, second = (found._step(found.read(each), QUESTIONS[0]) for each in (given, changed))
    assert not torch.allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("family", tiny_omni.FAMILIES)
def test_writing_takes_the_likeliest_tokens(family: str) -> None:
    found, given = scorer(family), inputs(family)
    text, count = found.write(found.read(given), QUESTIONS[0], 4)
    ids = list(QUESTIONS[0])
    for _ in range(count):
        ids.append(int(separate_pass(family, ids, given).argmax()))
    written = ids[len(QUESTIONS[0]) :]
    assert count <= 4
    assert text == tiny_omni.tokenizer(family).decode(written, skip_special_tokens=True)


class FixedModel:
    """Answers every question with the same logits."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, likely: dict[str, float], other: float = -20.0):
        tokens = tiny_omni.tokenizer()
        self.logits = torch.full((len(tokens),), other)
        for text, value in likely.items():
            self.logits[tokens.convert_tokens_to_ids(text)] = value

    def forward(self, input_ids, attention_mask=None, past_key_values=None, use_cache=True):
        cache = past_key_values or DynamicCache()
        return SimpleNamespace(
            logits=self.logits.repeat(1, input_ids.shape[1], 1), past_key_values=cache
        )

    __call__ = forward


def asked(likely: dict[str, float], other: float = -20.0) -> Any:
    found = Scorer(FixedModel(likely, other), tiny_omni.tokenizer())
    return found.ask(found.read({"input_ids": torch.tensor([[9, 10]])}), [20])


@pytest.mark.parametrize(
    ("likely", "probability", "mass"),
    [
        pytest.param({"Yes": 3.0, "No": 3.0}, 0.5, 1.0, id="torn"),
        pytest.param({"Yes": math.log(0.9), "No": math.log(0.1)}, 0.9, 1.0, id="yes"),
        pytest.param(
            {"Yes": math.log(0.2), "ĠYes": math.log(0.2), "no": math.log(0.1), "Q": math.log(0.5)},
            0.8,
            0.5,
            id="all spellings are summed, the rest is missing mass",
        ),
        pytest.param({"ĠNo": 0.0}, 0.0, 1.0, id="no with a space before"),
    ],
)
def test_the_probability_is_that_of_the_labels(likely, probability, mass) -> None:
    found = asked(likely)
    assert found.probability == pytest.approx(probability, abs=1e-5)
    assert found.label_mass == pytest.approx(mass, abs=1e-5)


def test_an_answer_without_yes_or_no_is_no_probability() -> None:
    thinking = {chr(letter): 5.0 for letter in range(ord("a"), ord("a") + 20)}
    assert asked(thinking, other=0.0) is None
    del thinking["a"], thinking["b"]
    assert asked(thinking | {"Yes": 1.0, "No": 1.0}, other=0.0) is not None


def test_numbers_that_are_none_are_an_error() -> None:
    with pytest.raises(ModelError, match="not numbers"):
        asked({"Yes": math.nan})


def test_a_tokenizer_that_splits_the_labels_is_refused() -> None:
    class Splitting:
        def __len__(self) -> int:
            return 3

        def convert_ids_to_tokens(self, ids: Any) -> list[str]:
            return [("Y", "es", "No")[at] for at in ids]

        def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
            return {"input_ids": [0, 1] if text == "Yes" else [2]}

    with pytest.raises(ModelError, match="'Yes' as one token"):
        label_tokens(Splitting())


def test_labels_are_distinct_single_tokens() -> None:
    found = label_tokens(tiny_omni.tokenizer())
    assert {"Yes", "No", "ĠYes", "ĠNo"} <= set(found.values())
    assert {text.strip("Ġ ").lower() for text in found.values()} == {"yes", "no"}


def test_writing_stops_at_the_end_of_the_turn() -> None:
    found = Scorer(FixedModel({"<|im_end|>": 9.0}), tiny_omni.tokenizer())
    cache = found.read({"input_ids": torch.tensor([[9]])})
    assert found.write(cache, [20], 5) == ("", 0)
    endless = Scorer(FixedModel({"Yes": 9.0}), tiny_omni.tokenizer())
    assert endless.write(cache, [20], 3) == ("YesYesYes", 3)


@pytest.mark.parametrize("family", tiny_omni.FAMILIES)
def test_a_fork_shares_the_videos_memory(family: str) -> None:
    cache = scorer(family).read(inputs(family))
    pairs = zip(cache.layers, fork(cache).layers, strict=True)
    assert all(a is not b and a.keys is b.keys and a.values is b.values for a, b in pairs)


def test_a_cache_of_another_kind_is_copied_whole() -> None:
    class Recurrent:
        def __init__(self) -> None:
            self.state = torch.zeros(2)

    cache = SimpleNamespace(layers=[Recurrent()])
    forked = fork(cache)
    forked.layers[0].state += 1
    assert cache.layers[0].state.tolist() == [0.0, 0.0]
