"""The default model from a language model in a folder and the frame encoder's wheel."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from coefvq.domain import PostedText, TimedText
from coefvq.errors import ModelError
from coefvq.mllm.fused import FusedItem
from coefvq.mllm.fused.assemble import assemble, configure, single_tokens
from coefvq.towers.efficientnet_lite import read_weights, weights_path
from tests.unit.mllm import tiny
from tests.unit.mllm.fused import parts


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.save_to(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def made(base):
    return assemble(base, parts.POLICIES, rules=("a?", "b?", "c?"), motion_size=parts.MOTION)


def clip():
    chance = np.random.default_rng(0)
    return FusedItem(
        PostedText("a title", "a caption"),
        speech=[TimedText(0.5, 1.5, "yes and no")],
        frames=chance.integers(0, 256, (3, 60, 40, 3), dtype=np.uint8),
        frame_times_s=[0.0, 1.0, 2.0],
        sound_states=chance.normal(size=(100, 384)),
        motion=chance.normal(size=parts.MOTION),
    )


def test_it_answers_at_once(made):
    model, processor = made
    output = model.score(**processor(clip()))
    assert output.slot_logits.shape == (1, 3)
    assert output.slot_logits.isfinite().all()


def test_the_frame_encoder_has_its_published_weights(made):
    published = read_weights(weights_path())
    for name, value in made[0].vision_tower.network.state_dict().items():
        assert torch.equal(value, published[name]), name


def test_the_language_model_is_the_folders(made):
    model, wanted = made[0].language_model, tiny.model()
    for name, value in wanted.state_dict().items():
        found = model.state_dict()[name]
        assert torch.equal(found[: len(value)], value), name


def test_only_what_is_new_is_trainable(made):
    trained = {name.split(".")[0] for name, p in made[0].named_parameters() if p.requires_grad}
    assert trained == {"early", "late", "head", "combination"}


def test_marks_have_rows_in_the_embedding_table(made):
    model, processor = made
    rows = model.get_input_embeddings().weight.shape[0]
    assert max(processor.writer.mark_ids.values()) < rows == model.config.text_config.vocab_size
    assert model.get_output_embeddings().weight.shape[0] == rows


def test_prompts_read_like_plain_text_at_first(made):
    """Slots start as colons: the label tokens see what a prompt in words would show them."""
    model, processor = made
    batch = processor(FusedItem(PostedText("a title", "a caption")))
    words = batch["input_ids"].clone()
    tokenizer = processor.tokenizer
    (colon,) = tokenizer(":", add_special_tokens=False)["input_ids"]
    words[words == processor.writer.mark_ids["slot"]] = colon
    embeds = model.get_input_embeddings()(words)
    none = tokenizer(" none", add_special_tokens=False)["input_ids"]
    embeds[batch["modality_ids"] < 0] = model.get_input_embeddings().weight[none].mean(0)
    with torch.no_grad():
        found = model(**batch).logits
        wanted = model.language_model(
            inputs_embeds=embeds,
            attention_mask=batch["attention_mask"],
            position_ids=(batch["attention_mask"].cumsum(1) - 1).clamp(min=0),
        ).logits
    seen = batch["attention_mask"][0] == 1
    assert torch.allclose(found[0, seen], wanted[0, seen], atol=1e-4)


def test_projected_tokens_have_the_scale_of_the_table(made):
    model, processor = made
    batch = processor(clip())
    stream = model.early.hear(
        None, None, batch["sound_features"], batch["sound_mask"], batch["sound_times"]
    )
    table = model.get_input_embeddings().weight[: len(tiny.tokenizer())]
    wanted = table.square().mean().sqrt().item()
    assert stream.tokens.square().mean().sqrt().item() == pytest.approx(wanted, rel=0.1)


def test_maps_made_elsewhere_give_the_same_answer(base, made):
    model, processor = made
    with torch.inference_mode():
        pixels = processor(clip())["pixel_values"][0]
        maps = model.vision_tower.network.feature_map(pixels).numpy()
    item = FusedItem(frame_features=maps, frame_times_s=[0.0, 1.0, 2.0])
    as_maps = model.score(**processor(item))
    as_frames = model.score(
        **processor(FusedItem(frames=clip().frames, frame_times_s=[0.0, 1.0, 2.0]))
    )
    assert torch.allclose(as_maps.slot_logits, as_frames.slot_logits, atol=1e-4)
    without, _ = assemble(base, parts.POLICIES, run_vision=False)
    assert without.vision_tower is None
    assert without.score(**processor(item)).slot_logits.isfinite().all()


def test_bfloat16_bases_with_float32_heads(base):
    model, processor = assemble(base, parts.POLICIES, dtype=torch.bfloat16, motion_size=5)
    kinds = {p.dtype for name, p in model.named_parameters() if p.requires_grad}
    assert kinds == {torch.float32}
    assert model.vision_tower.dtype == model.language_model.dtype == torch.bfloat16
    assert model.score(**processor(clip())).slot_logits.isfinite().all()
    out = model.generate(**processor(clip(), explain=True), max_new_tokens=3, do_sample=False)
    assert len(out) == 1


def test_options_reach_the_configuration(base):
    model, processor = assemble(
        base, parts.POLICIES, merge_mode="mean", frame_pool=4, max_tokens=500, run_vision=False
    )
    assert (model.config.merge_mode, model.config.frame_pool) == ("mean", 4)
    assert processor.layout["frame_pool"] == 4 and processor.layout["max_tokens"] == 500


def test_a_tokenizer_without_a_word_for_yes_is_refused():
    with pytest.raises(ModelError, match="no single token"):
        single_tokens(tiny.tokenizer(), ("affirmative!",))


def test_configuring_adds_missing_marks_once():
    tokenizer = copy.deepcopy(tiny.tokenizer())
    first = configure(tokenizer, ("a",), text_config=parts.text_config("default"))
    count = len(tokenizer)
    second = configure(tokenizer, ("a",), text_config=parts.text_config("default"))
    assert len(tokenizer) == count
    assert first.slot_token_id == second.slot_token_id
