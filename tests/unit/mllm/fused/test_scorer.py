"""Scoring one item, several, in any order and from several threads gives the same answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from coefvq.domain import PostedText
from coefvq.mllm.fused import FusedItem
from coefvq.mllm.fused.reasons.decode import decode
from coefvq.mllm.fused.scorer import FusedScorer
from tests.unit.mllm import tiny_backend
from tests.unit.mllm.fused import parts

NONE = FusedItem(PostedText("only a title"))
ITEMS = {
    "whole": parts.item(1, "default"),
    "other": parts.item(2, "default"),
    "no sound": parts.item(3, "default", without=("sound",)),
    "no pictures": parts.item(4, "default", without=("visual", "motion")),
    "no words": parts.item(5, "default", without=("caption", "speech", "screen_text")),
    "title": NONE,
    "nothing": FusedItem(),
}


def scorer(split: int = 1) -> FusedScorer:
    model, processor = tiny_backend.assemble(
        None, parts.POLICIES, rules=tiny_backend.RULES, late_text_layer=split, max_tokens=900
    )
    return FusedScorer(model, processor, tiny_backend.readout())


@pytest.fixture(scope="module")
def batched() -> dict:
    return dict(zip(ITEMS, scorer().score(list(ITEMS.values())), strict=True))


def same(one, other) -> bool:
    names = one.probability.keys()
    return (
        names == other.probability.keys()
        and one.tokens == other.tokens
        and all(abs(one.probability[n] - other.probability[n]) < 1e-4 for n in names)
        and all(abs(one.mass[n] - other.mass[n]) < 1e-4 for n in names)
        and all(np.allclose(one.terms[n], other.terms[n], atol=1e-4) for n in names)
    )


def test_items_differ(batched):
    assert not any(same(batched["whole"], one) for name, one in batched.items() if name != "whole")


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(["whole", "other", "whole"], id="again"),
        pytest.param(["nothing", "whole", "nothing", "title"], id="short, long, short"),
        pytest.param(list(ITEMS), id="all"),
        pytest.param(list(ITEMS)[::-1], id="all, backwards"),
    ],
)
def test_one_after_another_gives_what_a_batch_gives(batched, order):
    alone = scorer()
    for name in order:
        assert same(alone.score_one(ITEMS[name])[0], batched[name]), name


@pytest.mark.parametrize("split", [0, 1, 2])
def test_the_split_changes_only_what_is_pooled(split):
    both = scorer(split)
    for item in (ITEMS["whole"], ITEMS["no sound"]):
        assert same(both.score_one(item)[0], both.score([item])[0])


def test_batches_of_more_than_eight(batched):
    names = list(ITEMS) * 2
    for name, found in zip(names, scorer().score([ITEMS[n] for n in names]), strict=True):
        assert same(found, batched[name]), name
    assert scorer().score([]) == []


def test_the_head_and_label_tokens_are_those_of_a_plain_pass(batched):
    alone = scorer()
    plain = alone.model.score(**alone.processor(ITEMS["whole"]))
    for column, name in enumerate(parts.POLICIES):
        weights = alone.readout.policies[name].weights
        label, fused = batched["whole"].terms[name][:2]
        assert label == pytest.approx(weights[0] * float(plain.label_logits[0, column]), abs=1e-4)
        assert fused == pytest.approx(weights[1] * float(plain.fused_logits[0, column]), abs=1e-4)


def test_a_policy_without_a_readout_is_not_answered():
    alone = scorer()
    del alone.readout.policies["violence"]
    assert alone.score_one(NONE)[0].probability.keys() == {"scam_spam", "hate_harassment"}


def test_the_policy_text_is_read_once():
    alone = scorer()
    opening = len(alone.processor.writer.opening)
    with tiny_backend.counted(alone) as passes:
        first, _ = alone.score_one(ITEMS["whole"])
        second, _ = alone.score_one(ITEMS["other"])
    assert passes == [opening, first.tokens - opening, second.tokens - opening]


def test_the_filled_cache_serves_a_rationale_and_is_left_as_it_was(batched):
    alone = scorer()
    alone.score_one(ITEMS["other"])
    scored, filled = alone.score_one(ITEMS["whole"])
    assert filled.cache.get_seq_length() == scored.tokens == filled.inputs["input_ids"].shape[1]
    assert bool(filled.inputs["attention_mask"].all())
    item, given = ITEMS["whole"], {"inputs": filled.inputs, "cache": filled.cache}
    found = decode(alone.model, alone.processor, item, **given)
    assert filled.cache.get_seq_length() == scored.tokens
    assert found.ids == decode(alone.model, alone.processor, item).ids
    assert same(alone.score_one(ITEMS["other"])[0], batched["other"])


@pytest.mark.parametrize("fails_in", [0, 1])
@pytest.mark.parametrize("opened", [False, True], ids=["first item", "later item"])
def test_after_a_pass_that_failed_the_answers_are_right(batched, opened, fails_in):
    alone = scorer()
    if opened:
        alone.score_one(ITEMS["other"])
    layer = alone.model.language_model.get_decoder().layers[fails_in].mlp
    handle = layer.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError):
        alone.score_one(ITEMS["whole"])
    handle.remove()
    for name in ("whole", "title", "whole"):
        assert same(alone.score_one(ITEMS[name])[0], batched[name]), name


def test_threads_do_not_disturb_each_other(batched):
    """Batches take layers off the decoder for a moment, and single items share one cache."""
    shared = scorer()
    names = ["whole", "other", "title", "no sound"] * 4

    def alone(name):
        return name, shared.score_one(ITEMS[name])[0]

    def together(name):
        return name, shared.score([ITEMS["nothing"], ITEMS[name]])[1]

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(run, name) for name in names for run in (alone, together)]
        for job in jobs:
            name, found = job.result()
            assert same(found, batched[name]), name


def test_scoring_leaves_no_gradients():
    alone = scorer()
    alone.score_one(ITEMS["whole"])
    alone.score([ITEMS["whole"]])
    assert all(parameter.grad is None for parameter in alone.model.parameters())
    assert not alone.model.training and torch.is_grad_enabled()


def test_looking_first_changes_nothing(batched):
    alone = scorer()
    for name, item in ITEMS.items():
        looked = alone.look(item)
        assert looked.frames is None or len(looked.frames) == 0
        assert same(alone.score_one(looked)[0], batched[name]), name
        assert same(alone.score([looked])[0], batched[name]), name
    assert alone.look(NONE) is NONE
