"""Decoding from the filled cache: as a full pass says, greedy, and without a trace."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from coefvq.domain import PostedText, TimedText
from coefvq.errors import ModelError
from coefvq.mllm.fused import FusedItem
from coefvq.mllm.fused.layout import REASON
from coefvq.mllm.fused.reasons import decode as decoding
from coefvq.mllm.fused.reasons import decode_reason, parse, prefill, shown_lines, write
from coefvq.mllm.fused.reasons.decode import CacheReader, Tree, decode
from tests.unit.mllm.fused import parts
from tests.unit.mllm.fused.reasons import hostile

ROWS = [((40, 41), (42,)), ((40, 41), (43, 44, 45)), ((40, 50),), ((60, 61, 62), (63,)), ((70,),)]
KINDS = ["precomputed", "large"]
WITHOUT = [(), ("sound",), ("visual", "caption"), ("speech", "screen_text", "motion")]


def full_pass(model, inputs, extra):
    """Next-token logits after the prompt and ``extra``, without any cache."""
    longer = dict(inputs)
    for name, fill in (("input_ids", None), ("attention_mask", 1), ("modality_ids", 0)):
        more = torch.tensor([extra]) if fill is None else torch.full((1, len(extra)), fill)
        longer[name] = torch.cat([inputs[name], more], 1)
    with torch.inference_mode():
        return model(**longer, use_cache=False).logits[0, -len(extra) - 1 :]


def full_sums(model, inputs, before, rows):
    """Summed log-probability at the end of every unit of every row, row by row."""
    found = []
    for row in rows:
        ids = [token for unit in row for token in unit]
        steps = full_pass(model, inputs, before + ids)[len(before) : -1].log_softmax(-1)
        sums = steps[torch.arange(len(ids)), ids].cumsum(0).tolist()
        ends = torch.tensor([len(unit) for unit in row]).cumsum(0).tolist()
        found.append([sums[end - 1] for end in ends])
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("without", WITHOUT, ids=str)
def test_the_tree_says_what_full_passes_say(kind, without):
    model, processor = parts.model(kind), parts.processor(kind)
    inputs = processor(parts.item(1, kind, without=without))
    reader = CacheReader(model, inputs["attention_mask"], prefill(model, inputs).past_key_values)
    before = processor.writer.encode(REASON)
    reader.add(before)
    for _ in range(2):  # the second time behind what the first one added
        tree = Tree.of(ROWS)
        with torch.inference_mode():
            sums = reader.log_probabilities(tree)
        found = [[sums[end] for end in ends] for ends in tree.ends]
        wanted = full_sums(model, inputs, before, ROWS)
        for one, other in zip(found, wanted, strict=True):
            assert one == pytest.approx(other, abs=1e-4)
        reader.add([33, 34, 35])
        before = [*before, 33, 34, 35]


@pytest.mark.parametrize("kind", KINDS)
def test_logits_behind_the_cache_are_those_of_the_prompt_for_rationales(kind):
    """The scoring prompt is the beginning of the prompt that calls for a rationale."""
    model, processor = parts.model(kind), parts.processor(kind)
    item = parts.item(2, kind)
    scoring, whole = processor(item), processor(item, explain=True)
    length = scoring["input_ids"].shape[1]
    assert torch.equal(whole["input_ids"][:, :length], scoring["input_ids"])
    reader = CacheReader(model, scoring["attention_mask"], prefill(model, scoring).past_key_values)
    reader.add(whole["input_ids"][0, length:].tolist())
    with torch.inference_mode():
        found = reader._feed(Tree(), [])
        wanted = model(**whole, use_cache=False).logits[0, -1:]
    assert torch.allclose(found, wanted, atol=1e-4)


def test_every_choice_is_the_likeliest_by_full_passes(monkeypatch):
    model, processor, item = parts.model(), parts.processor(), parts.item(5)
    inputs, made = processor(item), []
    real = decoding._take

    def watched(reader, choice):
        taken = real(reader, choice)
        made.append((choice, taken))
        return taken

    monkeypatch.setattr(decoding, "_take", watched)
    decode_reason(model, processor, item, inputs=inputs)
    ids = processor.writer.encode(REASON)
    assert len([choice for choice, _ in made if len(choice.rows) > 1]) >= 3
    for choice, taken in made:
        if len(choice.rows) > 1:
            sums = full_sums(model, inputs, ids, choice.rows)
            alive = range(len(choice.rows))
            for unit in range(len(choice.rows[taken])):
                best = max(sums[row][unit] for row in alive)
                assert sums[taken][unit] == pytest.approx(best, abs=1e-4)
                alive = [r for r in alive if choice.rows[r][unit] == choice.rows[taken][unit]]
                if len(alive) == 1:
                    break
        ids = ids + [token for unit in choice.rows[taken] for token in unit]


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_from_the_cache_and_leaves_it_as_it_was(kind):
    model, processor, item = parts.model(kind), parts.processor(kind), parts.item(4, kind)
    inputs = processor(item)
    cache = prefill(model, inputs).past_key_values
    before = [layer.keys.clone() for layer in cache.layers]
    lengths = []
    language = model.language_model
    language.get_decoder().register_forward_pre_hook(
        lambda _, args, given: lengths.append(given["inputs_embeds"].shape[1]), with_kwargs=True
    )
    found = decode(model, processor, item, inputs=inputs, cache=cache)
    assert cache.get_seq_length() == inputs["input_ids"].shape[1]
    assert all(torch.equal(a.keys, b) for a, b in zip(cache.layers, before, strict=True))
    assert len(lengths) == found.passes < len(found.ids) / 4
    again = decode(model, processor, item)
    assert (again.reason, again.ids) == (found.reason, found.ids)


@pytest.mark.parametrize("where", ["second layer", "output layer"])
def test_the_cache_is_left_as_it_was_when_a_pass_fails(where, monkeypatch):
    model, processor, item = parts.model(), parts.processor(), parts.item(4)
    inputs = processor(item)
    cache = prefill(model, inputs).past_key_values
    layers = model.language_model.get_decoder().layers
    broken = layers[1] if where == "second layer" else model.get_output_embeddings()

    def fails(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(broken, "forward", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        decode(model, processor, item, inputs=inputs, cache=cache)
    lengths = {layer.get_seq_length() for layer in cache.layers}
    assert lengths == {inputs["input_ids"].shape[1]}


def test_the_prompt_may_come_without_what_is_not_attended():
    model, processor, item = parts.model(), parts.processor(), parts.item(4)
    inputs = processor(item)
    wanted = decode(model, processor, item, inputs=inputs)
    kept = inputs["attention_mask"][0] > 0
    assert not kept.all()
    names = ("input_ids", "modality_ids", "attention_mask")
    short = {name: inputs[name][:, kept] for name in names}
    cache = prefill(model, inputs).past_key_values
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[:, :, kept], layer.values[:, :, kept]
    found = decode(model, processor, item, inputs=short, cache=cache)
    assert (found.reason, found.ids) == (wanted.reason, wanted.ids)


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [(("scam_spam",), {"scam_spam"}), ((None,), {None}), (None, {*parts.POLICIES, None})],
    ids=["one", "none of them", "any"],
)
def test_the_policy_can_be_given(policies, allowed):
    model, processor = parts.model(), parts.processor()
    found = decode_reason(model, processor, parts.item(0), policies=policies)
    assert found.policy in allowed


def test_a_model_that_was_taught_a_rationale_writes_it():
    """A language model that prefers certain tokens is followed wherever the grammar lets it."""
    model, processor = parts.model(), parts.processor()
    item = FusedItem(PostedText("see my dog", "cats too"), speech=[TimedText(2, 3, "we eat now")])
    text = 'scam_spam; for: speech 0:02 " we eat now "; against: nothing; unsure: no pictures.'
    wanted = [*processor.writer.encode(f" {text}")]
    inputs = processor(item)
    start = inputs["input_ids"].shape[1] + len(processor.writer.encode(REASON)) - 1
    taught = {start + at: token for at, token in enumerate(wanted)}
    attended = int(inputs["attention_mask"].sum()) - inputs["input_ids"].shape[1]
    head = model.get_output_embeddings()
    seen = []
    model.language_model.get_decoder().register_forward_pre_hook(
        lambda _, args, given: seen.append(given["position_ids"][0].tolist()), with_kwargs=True
    )

    def forward(hidden):
        logits = torch.zeros(*hidden.shape[:-1], head.weight.shape[0])
        for row, place in enumerate(seen[-1][-hidden.shape[1] :]):
            token = taught.get(place - attended)
            if token is not None:
                logits[0, row, token] = 20.0
        return logits

    head.forward = forward
    assert write(decode_reason(model, processor, item, inputs=inputs)) == text


@settings(max_examples=15, deadline=None)
@given(hostile.items)
def test_random_weights_give_text_that_parses_and_quotes_the_prompt(item):
    model, processor = parts.model(), parts.processor(max_tokens=400)
    inputs = processor(item)
    found = decode(model, processor, item, inputs=inputs)
    check(found, item, processor, inputs)


@pytest.mark.parametrize("text", hostile.LONG.values(), ids=hostile.LONG)
def test_random_weights_stand_long_texts(text):
    model, processor = parts.model(seed=2), parts.processor(max_tokens=400)
    item = FusedItem(PostedText(text, text), speech=[TimedText(0, 1, text)])
    inputs = processor(item)
    check(decode(model, processor, item, inputs=inputs), item, processor, inputs)


def check(found, item, processor, inputs):
    assert parse(write(found.reason)) == found.reason
    assert processor.tokenizer.decode(found.ids) == f" {write(found.reason)}"
    lines = shown_lines(item, processor, inputs)
    for point in (*found.reason.points_for, *found.reason.points_against):
        if point.quote is not None:
            assert any(line.holds(point.quote) for line in lines)


def test_a_cache_of_another_prompt_is_refused():
    model, processor = parts.model(), parts.processor()
    cache = prefill(model, processor(parts.item(0))).past_key_values
    other = processor(FusedItem(PostedText("short")))
    with pytest.raises(ModelError, match="one scoring pass of one item"):
        decode_reason(model, processor, FusedItem(PostedText("short")), inputs=other, cache=cache)
    two = processor([parts.item(0), parts.item(1)])
    with pytest.raises(ModelError, match="one item"):
        decode_reason(model, processor, parts.item(0), inputs=two)
