"""The fused model as a whole, on tiny random parts."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from transformers import AutoModelForMultimodalLM, AutoProcessor, Siglip2VisionConfig

from coefvq.domain import PostedText, TimedText
from coefvq.errors import ModelError
from coefvq.mllm.fused import (
    MODALITIES,
    FusedForConditionalGeneration,
    FusedItem,
    FusedProcessor,
    PrecomputedConfig,
)
from coefvq.mllm.fused.assemble import configure
from tests.unit.mllm.fused import parts

SLOT_FIELDS = ("slot_logits", "label_logits", "fused_logits", "label_mass")


def close(one, other, tolerance=1e-5):
    for name in SLOT_FIELDS:
        found, wanted = getattr(one, name).float(), getattr(other, name).float()
        assert torch.allclose(found, wanted, atol=tolerance), name


def rows(output, chosen):
    return type(output)(**{name: getattr(output, name)[chosen] for name in SLOT_FIELDS})


@pytest.mark.parametrize("kind", parts.KINDS)
def test_every_policy_is_answered_in_one_pass(kind):
    batch = parts.processor(kind)([parts.item(1, kind), parts.item(2, kind)])
    output = parts.model(kind).score(**batch)
    for name in SLOT_FIELDS:
        found = getattr(output, name)
        assert found.shape == (2, len(parts.POLICIES))
        assert found.dtype == torch.float32
        assert found.isfinite().all()
    assert ((output.label_mass > 0) & (output.label_mass < 1)).all()
    assert output.logits.shape == (2, 1, 340)
    assert output.loss is None
    assert not torch.allclose(output.slot_logits[0], output.slot_logits[1])


@pytest.mark.parametrize("kind", parts.KINDS)
def test_saved_and_loaded_again_gives_the_same(kind, tmp_path):
    model, processor = parts.model(kind), parts.processor(kind)
    model.late.scale_motion.mean.fill_(0.3)
    items = [parts.item(1, kind), parts.item(2, kind, without=("speech", "sound"))]
    before = model(**processor(items))
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again = AutoModelForMultimodalLM.from_pretrained(tmp_path)
    assert isinstance(again, FusedForConditionalGeneration)
    output = again(**AutoProcessor.from_pretrained(tmp_path)(items))
    close(output, before)
    assert (output.logits - before.logits).abs().max() <= 1e-5


def test_tied_and_untied_output_layers_stay_so(tmp_path):
    for kind, tied in (("default", True), ("large", False)):
        parts.model(kind).save_pretrained(tmp_path / kind)
        again = AutoModelForMultimodalLM.from_pretrained(tmp_path / kind)
        table, layer = again.get_input_embeddings().weight, again.get_output_embeddings().weight
        assert (table.data_ptr() == layer.data_ptr()) is tied


@pytest.mark.parametrize("kind", parts.KINDS)
def test_a_batch_of_mixed_presence_equals_single_items(kind):
    model, processor = parts.model(kind), parts.processor(kind)
    items = [
        parts.item(1, kind),
        parts.item(2, kind, without=("visual", "motion")),
        parts.item(3, kind, without=("sound", "screen_text")),
        FusedItem(PostedText("a title alone")),
        FusedItem(),
    ]
    together = model.score(**processor(items))
    for row, item in enumerate(items):
        alone = model.score(**processor(item))
        close(rows(together, slice(row, row + 1)), alone)


def test_what_stands_in_padding_does_not_matter():
    model, processor = parts.model(), parts.processor()
    items = [parts.item(1), parts.item(2, without=("visual", "sound"))]
    batch = processor(items)
    wanted = model.score(**batch)
    batch["vision_features"][1] = float("nan")
    batch["sound_features"][1] = 1e4
    batch["frame_times"][1] = float("inf")
    batch["input_ids"][batch["attention_mask"].flip(1).cumsum(1).flip(1) == 0] = 7
    close(model.score(**batch), wanted)


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_the_side_of_the_padding_does_not_matter(left):
    model, processor = parts.model(), parts.processor()
    items = [parts.item(1), FusedItem(PostedText("short"))]
    side = "left" if left else "right"
    close(model.score(**processor(items, padding_side=side)), model.score(**processor(items)))


@pytest.mark.parametrize("name", MODALITIES)
def test_dropped_is_the_same_as_never_there(name):
    model, processor = parts.model(), parts.processor()
    dropped = torch.tensor([[modality == name for modality in MODALITIES]])
    lost = model.score(**processor(parts.item(1)), dropped=dropped)
    never = model.score(**processor(parts.item(1, without=(name,))))
    close(lost, never, 2e-5)
    full = model.score(**processor(parts.item(1)))
    assert (full.slot_logits - lost.slot_logits).abs().max() > 1e-4


def test_dropping_what_is_absent_changes_nothing():
    model, processor = parts.model(), parts.processor()
    batch = processor(parts.item(1, without=("sound",)))
    dropped = torch.tensor([[name == "sound" for name in MODALITIES]])
    close(model.score(**batch, dropped=dropped), model.score(**batch))


def training_pass(model, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return model(**batch, dropout_generator=generator).slot_logits


def test_modality_dropout_only_in_training_and_by_its_seed():
    options = {"modality_dropout": 0.5, "head_dropout": 0.0}
    model, processor = parts.model(**options), parts.processor()
    batch = processor([parts.item(seed) for seed in range(4)])
    still = [training_pass(model, batch, seed) for seed in (1, 2)]
    assert torch.equal(*still)
    model.train()
    first, again, other = (training_pass(model, batch, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, still[0])
    none = torch.zeros(4, len(MODALITIES), dtype=torch.bool)
    with torch.no_grad():
        given = model(**batch, dropped=none).slot_logits
    assert torch.allclose(given, still[0], atol=1e-5)


def test_frozen_towers_stay_in_evaluation_mode_and_get_no_gradient():
    model = parts.model("large").train()
    assert model.language_model.training and model.early.training
    for tower in (model.vision_tower, model.sound_tower):
        assert not any(module.training for module in tower.modules())
        assert not any(parameter.requires_grad for parameter in tower.parameters())


@pytest.mark.parametrize("kind", ["precomputed", "large"])
def test_a_slots_gradient_reaches_every_projector(kind):
    model, processor = parts.model(kind).train(), parts.processor(kind)
    model(**processor(parts.item(1, kind))).slot_logits[0, 1].backward()
    reached = {
        "visual": model.early.visual.up.weight,
        "sound": model.early.sound.up.weight,
        "time": model.early.visual.time.weight,
        "slots": model.early.slots.weight,
        "late motion": model.late.maps["motion"].weight,
        "late text": model.late.maps["text"].weight,
        "late visual": model.late.maps["visual"].weight,
        "head": model.head.weight,
        "combination": model.combination.raw,
    }
    for name, parameter in reached.items():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    # Slots are causal: a later policy's own embedding has no say in an earlier slot.
    assert model.early.slots.weight.grad[2].abs().sum() == 0


def test_absent_embeddings_learn_only_where_a_modality_is_absent():
    model, processor = parts.model().train(), parts.processor()
    model(**processor(parts.item(1, without=("speech",)))).slot_logits.sum().backward()
    reached = model.early.absent.weight.grad.abs().sum(1) > 0
    assert reached.tolist() == [name == "speech" for name in MODALITIES]


def clips_and_labels():
    chance = np.random.default_rng(0)
    labels = torch.from_numpy(chance.integers(0, 2, (10, 3)).astype(np.float32))
    return [parts.item(seed) for seed in range(10)], labels


def test_overfits_ten_random_clips():
    items, labels = clips_and_labels()
    model = parts.model(modality_dropout=0.0).train()
    batch = parts.processor()(items)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(45):
        loss = model(**batch, slot_labels=labels, logits_to_keep=1).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    output = model.eval().score(**batch)
    assert ((output.slot_logits > 0).float() == labels).all()
    assert ((output.label_logits > 0).float() == labels).all()
    assert ((output.fused_logits > 0).float() == labels).all()
    assert output.label_mass.min() > 0.5


def test_loss_counts_only_what_is_labelled():
    model, processor = parts.model(), parts.processor()
    batch = processor([parts.item(1), parts.item(2)])
    labels = torch.tensor([[1.0, float("nan"), 0.0], [float("nan")] * 3])
    both = model(**batch, slot_labels=labels).loss
    flipped = labels.clone()
    flipped[0, 0] = 0.0
    assert both.isfinite() and both != model(**batch, slot_labels=flipped).loss
    weightless = torch.tensor([[0.0, 1.0, 1.0], [1.0] * 3])
    batch["slot_weights"] = weightless
    assert torch.equal(*(model(**batch, slot_labels=x).loss for x in (labels, flipped)))
    nothing = model(**batch, slot_labels=torch.full((2, 3), float("nan"))).loss
    assert nothing.isfinite()


def test_rationales_are_learnt_beside_the_slots():
    model, processor = parts.model(), parts.processor()
    items = [parts.item(1), parts.item(2)]
    batch = processor(items, reasons=["the speech sells", None])
    plain = processor(items)
    assert model(**batch).loss > 0
    close(model(**batch), model(**plain))  # what follows the slots cannot reach them
    none = processor(items, reasons=[None, None])
    assert model(**none).loss is None


@pytest.mark.parametrize("kind", parts.KINDS)
def test_generates_a_continuation(kind):
    model, processor = parts.model(kind), parts.processor(kind)
    batch = processor(parts.item(1, kind), explain=True)
    found = model.generate(**batch, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    length = batch["input_ids"].shape[1]
    assert found.shape == (1, length + 6)
    assert torch.equal(found[:, :length], batch["input_ids"])
    # By hand, without a cache: the whole prompt again for every token.
    by_hand = dict(batch)
    for _ in range(3):
        logits = model(**by_hand, logits_to_keep=1).logits[:, -1]
        logits[:, model.generation_config.eos_token_id or 2] = -1e9
        token = logits.argmax(-1, keepdim=True)
        by_hand["input_ids"] = torch.cat([by_hand["input_ids"], token], 1)
        for name, fill in (("attention_mask", 1), ("modality_ids", 0)):
            by_hand[name] = torch.cat([by_hand[name], torch.full_like(token, fill)], 1)
    assert torch.equal(found[:, length : length + 3], by_hand["input_ids"][:, length:])


def test_generates_for_several_items_at_once():
    model, processor = parts.model(), parts.processor()
    items = [parts.item(1), FusedItem(PostedText("short"))]
    options = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    batch = processor(items, explain=True, padding_side="left")
    together = model.generate(**batch, **options)[:, -5:]
    for row, item in enumerate(items):
        alone = model.generate(**processor(item, explain=True), **options)[:, -5:]
        assert torch.equal(together[row : row + 1], alone)


@pytest.mark.parametrize("beams", [1, 3])
def test_generation_goes_on_from_the_cache_of_a_scoring_pass(beams):
    model, processor = parts.model(), parts.processor()
    options = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False, "num_beams": beams}
    asked = processor(parts.item(1), explain=True)
    wanted = model.generate(**asked, **options)
    if beams > 1:
        assert wanted.shape[1] == asked["input_ids"].shape[1] + 5
        return
    with torch.no_grad():
        scored = model(**processor(parts.item(1)), use_cache=True)
    found = model.generate(**asked, past_key_values=scored.past_key_values, **options)
    assert torch.equal(found, wanted)


def test_the_cache_of_the_policies_text_serves_many_items():
    """The system text is the same for every item: its pass can be kept."""
    rules = ("is anyone hurt", "is it a scam", "is anyone demeaned")
    model, processor = parts.model(), parts.processor(rules=rules)
    items = [parts.item(1), parts.item(2)]
    batches = [processor(item) for item in items]
    same = (batches[0]["input_ids"][0, :60] == batches[1]["input_ids"][0, :60]).long()
    shared = int(same.cumprod(0).sum()) - 1
    assert shared > 30
    for batch in batches:
        wanted = model.score(**batch)
        with torch.no_grad():
            prefix = model(input_ids=batch["input_ids"][:, :shared], use_cache=True)
        rest = {**batch, "past_key_values": prefix.past_key_values}
        for name in ("input_ids", "modality_ids"):
            rest[name] = batch[name][:, shared:]
        rest["slot_positions"] = batch["slot_positions"] - shared
        close(model.score(**rest), wanted)


def test_repetition_penalty_finds_every_prompt_token_in_the_vocabulary():
    model, processor = parts.model(), parts.processor()
    batch = processor(parts.item(1), explain=True)
    found = model.generate(**batch, max_new_tokens=3, repetition_penalty=1.2, do_sample=False)
    assert found.shape[1] > batch["input_ids"].shape[1]


@pytest.mark.parametrize("kind", parts.KINDS)
def test_runs_in_bfloat16(kind):
    batch = parts.processor(kind)([parts.item(1, kind), parts.item(2, kind, without=("visual",))])
    exact = parts.model(kind).score(**batch)
    found = parts.model(kind).to(torch.bfloat16).score(**batch)
    assert found.slot_logits.dtype == torch.float32
    close(found, exact, 0.25)


def test_a_bfloat16_language_model_takes_float32_projectors():
    model, processor = parts.model(), parts.processor()
    model.language_model.to(torch.bfloat16)
    model.train()
    loss = model(**processor(parts.item(1)), slot_labels=torch.ones(1, 3)).loss
    loss.backward()
    assert model.early.visual.up.weight.grad.dtype == torch.float32
    assert model.early.visual.up.weight.grad.abs().sum() > 0


def test_gradient_checkpointing_gives_the_same_loss_and_gradient():
    found = []
    for checkpointing in (False, True):
        model = parts.model(head_dropout=0.0, modality_dropout=0.5).train()
        if checkpointing:
            model.activation_checkpointing_enable()
            assert model.is_activation_checkpointing
        batch = parts.processor()([parts.item(1), parts.item(2)])
        chance = torch.Generator().manual_seed(5)
        loss = model(
            **batch, slot_labels=torch.ones(2, 3), dropout_generator=chance, use_cache=False
        ).loss
        loss.backward()
        found.append((loss.detach(), model.early.visual.up.weight.grad))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-6)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-6)


@pytest.mark.parametrize("layer", [None, 1, -2])
def test_the_pooled_text_can_come_from_any_layer(layer):
    batch = parts.processor()(parts.item(1))
    output = parts.model(late_text_layer=layer).score(**batch)
    last = parts.model().score(**batch)
    assert torch.allclose(output.label_logits, last.label_logits, atol=1e-6)
    assert torch.allclose(output.fused_logits, last.fused_logits, atol=1e-6) is (layer is None)


@pytest.mark.parametrize(
    ("early", "late"), itertools.product([True, False], [True, False]), ids=str
)
def test_fusion_switches(early, late):
    options = {"early_fusion": early, "late_fusion": late}
    model, processor = parts.model(**options), parts.processor(**options)
    batch = processor(parts.item(1))
    assert bool((batch["modality_ids"] == 1).any()) is early
    found = model.score(**batch)
    other = dataclasses.replace(
        parts.item(1), frame_features=parts.item(2).frame_features, sound_states=None
    )
    changed = model.score(**processor(other))
    # The label tokens see pictures only through the prompt, the head also through pooling. The
    # absent token of sound is the one thing of it that stands in the prompt in any case.
    with_sound = dataclasses.replace(other, sound_states=parts.item(1).sound_states)
    only_sight = model.score(**processor(with_sound))
    same = torch.allclose(only_sight.label_logits, found.label_logits, atol=1e-6)
    assert same is not early
    same = torch.allclose(only_sight.fused_logits, found.fused_logits, atol=1e-6)
    assert same is not (early or late)
    assert not torch.allclose(changed.label_logits, found.label_logits, atol=1e-6)


def test_shuffled_frames_change_the_answer():
    model, processor = parts.model(), parts.processor()
    clip = parts.item(1)
    shuffled = dataclasses.replace(clip, frame_features=clip.frame_features[[3, 0, 4, 1, 2]])
    one, other = (model.score(**processor(x)) for x in (clip, shuffled))
    assert (one.fused_logits - other.fused_logits).abs().max() > 1e-4
    assert (one.label_logits - other.label_logits).abs().max() > 1e-6


def test_time_is_told_once_it_is_learnt():
    model, processor = parts.model(), parts.processor()
    clip = FusedItem(frame_features=parts.item(1).frame_features[:2], frame_times_s=[0.0, 1.0])
    later = dataclasses.replace(clip, frame_times_s=[7.0, 8.0])
    close(model.score(**processor(clip)), model.score(**processor(later)))
    torch.nn.init.normal_(model.early.visual.time.weight)
    one, other = (model.score(**processor(x)).slot_logits for x in (clip, later))
    assert (one - other).abs().max() > 1e-4


MISFITS = [
    pytest.param(
        lambda batch: batch["frame_mask"].fill_(False), "visual placeholders", id="fewer frames"
    ),
    pytest.param(lambda batch: batch.pop("sound_features"), "sound placeholders", id="no sound"),
    pytest.param(lambda batch: batch.pop("attention_mask"), "attention_mask", id="no mask"),
    pytest.param(
        lambda batch: batch.update(pixel_values=batch.pop("vision_features")),
        "no vision tower", id="pixels without a tower",
    ),
    pytest.param(
        lambda batch: batch.update(input_features=batch.pop("sound_features")[:, None]),
        "no sound tower", id="mel without a tower",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), MISFITS)
def test_what_does_not_fit_is_refused(spoil, message):
    batch = parts.processor()(parts.item(1))
    spoil(batch)
    with pytest.raises(ModelError, match=message):
        parts.model().score(**batch)


@pytest.mark.parametrize("name", ["visual_token_id", "slot_token_id", "yes_token_ids"])
def test_a_configuration_without_tokens_is_refused(name):
    batch, model = parts.processor()(parts.item(1)), parts.model()
    setattr(model.config, name, None)
    with pytest.raises(ModelError, match="configure"):
        model.score(**batch)


def test_generation_refuses_dropped_modalities():
    batch = parts.processor()(parts.item(1), explain=True)
    dropped = torch.zeros(1, len(MODALITIES), dtype=torch.bool)
    with pytest.raises(ModelError, match="leave the modality out"):
        parts.model().generate(**batch, dropped=dropped, max_new_tokens=2)


@pytest.mark.parametrize("mode", ["concat", "mean"])
@pytest.mark.parametrize(
    ("frame_pool", "patch_merge", "tokens"), [(1, 1, 45), (2, 2, 12), (4, 3, 2), (9, 9, 1)]
)
def test_every_compression_fits_its_processor(mode, frame_pool, patch_merge, tokens):
    options = {"merge_mode": mode, "frame_pool": frame_pool, "patch_merge": patch_merge}
    batch = parts.processor(**options)(parts.item(1))
    assert (batch["modality_ids"] == 1).sum() == tokens
    assert parts.model(**options).score(**batch).slot_logits.isfinite().all()


def test_a_siglip2_tower_of_any_resolution_fits_too():
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = Siglip2VisionConfig(**sizes, intermediate_size=8, patch_size=8, num_patches=16)
    config = configure(
        parts.tokenizer(), parts.POLICIES, text_config=parts.text_config("large"),
        vision_config=vision, sound_config=parts.config("large").sound_config, sound_pool=5,
    )  # fmt: skip
    like = parts.processor("large")
    processor = FusedProcessor.for_model(
        config, like.image_processor, like.feature_extractor, parts.tokenizer()
    )
    model = FusedForConditionalGeneration(config).eval()
    batch = processor([parts.item(1, "large"), FusedItem()])
    assert (batch["modality_ids"] == 1).sum() == 3 * 4
    assert model.score(**batch).slot_logits.isfinite().all()


def test_one_policy_or_many():
    for policies in (("violence",), tuple(f"policy_{n}" for n in range(20))):
        config = configure(
            parts.tokenizer(), policies, text_config=parts.text_config("default"),
            vision_config=PrecomputedConfig(hidden_size=parts.SEEN),
            sound_config=PrecomputedConfig(hidden_size=parts.HEARD),
        )  # fmt: skip
        like = parts.processor()
        processor = FusedProcessor.for_model(
            config, like.image_processor, like.feature_extractor, parts.tokenizer()
        )
        batch = processor(parts.item(1))
        output = FusedForConditionalGeneration(config).eval().score(**batch)
        assert output.slot_logits.shape == (1, len(policies))


def test_a_prompt_of_fifty_thousand_characters_stays_within_its_length():
    processor = parts.processor(max_tokens=400)
    long = "".join(chr(97 + at % 26) for at in range(50_000))
    clip = parts.item(1, posted=PostedText(long, long), speech=[TimedText(0, 1, long)] * 3)
    batch = processor(clip)
    assert batch["input_ids"].shape[1] <= 400
    assert parts.model().score(**batch).slot_logits.isfinite().all()


def test_plain_text_goes_through_the_language_model_alone():
    model = parts.model()
    ids = torch.randint(10, 300, (2, 9), generator=torch.Generator().manual_seed(0))
    output = model(input_ids=ids)
    assert output.slot_logits is None
    assert torch.allclose(output.logits, model.language_model(input_ids=ids).logits, atol=1e-6)
    as_tuple = model(input_ids=ids, return_dict=False)
    assert isinstance(as_tuple, tuple)
