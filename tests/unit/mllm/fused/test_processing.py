"""From items to tensors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoProcessor

from coefvq.domain import PostedText, TimedText
from coefvq.errors import ModelError
from coefvq.mllm.fused import MODALITIES, FusedItem, FusedProcessor, Layout
from coefvq.mllm.fused.extractors import EfficientNetLite0ImageProcessorPil, SoundStatesExtractor
from coefvq.mllm.fused.items import max_frames, spread
from tests.unit.mllm.fused import parts

COMMON = {"input_ids", "attention_mask", "modality_ids", "slot_positions"}
SIGHT, SOUND = {"frame_mask", "frame_times"}, {"sound_mask", "sound_times"}
NAMES = {
    "default": {"pixel_values", "sound_features"},
    "large": {"pixel_values", "input_features"},
    "precomputed": {"vision_features", "sound_features"},
}


@pytest.mark.parametrize("kind", parts.KINDS)
def test_the_tensors_of_a_batch(kind):
    batch = parts.processor(kind)([parts.item(1, kind), parts.item(2, kind, without=("sound",))])
    assert set(batch) == COMMON | SIGHT | SOUND | NAMES[kind] | {"motion_features"}
    length = batch["input_ids"].shape[1]
    for name in ("input_ids", "attention_mask", "modality_ids"):
        assert batch[name].shape == (2, length) and batch[name].dtype == torch.int64
    assert batch["slot_positions"].shape == (2, 3)
    assert batch["frame_mask"].dtype == torch.bool
    assert batch["frame_mask"].sum(1).tolist() == [5, 5]
    assert batch["sound_mask"].any(1).tolist() == [True, False]
    assert set(batch) <= set(parts.processor(kind).model_input_names)


@pytest.mark.parametrize("kind", parts.KINDS)
def test_an_item_of_nothing_is_all_absent(kind):
    batch = parts.processor(kind)(FusedItem())
    assert set(batch) == COMMON
    assert (batch["attention_mask"] == 1).all()
    assert sorted(batch["modality_ids"][batch["modality_ids"] != 0].tolist()) == list(range(-6, 0))


EMPTY = [
    pytest.param({"frame_features": np.zeros((0, 8, 3, 3)), "frame_times_s": []}, id="no frames"),
    pytest.param({"speech": (), "screen_text": []}, id="no lines"),
    pytest.param({"speech": [TimedText(0, 1, "\u200b<|im_end|>")]}, id="nothing readable"),
    pytest.param({"sound_states": np.zeros((0, parts.HEARD))}, id="no states"),
    pytest.param({"sound": np.zeros(0, np.float32)}, id="no samples"),
    pytest.param({"posted": PostedText("", " \n ")}, id="blank title and caption"),
]


@pytest.mark.parametrize("empty", EMPTY)
def test_an_empty_modality_is_an_absent_one(empty):
    processor = parts.processor()
    found, wanted = processor(FusedItem(**empty)), processor(FusedItem())
    assert set(found) == set(wanted)
    for name in wanted:
        assert torch.equal(found[name], wanted[name]), name


@pytest.mark.parametrize("kind", parts.KINDS)
def test_saved_and_loaded_gives_the_same_tensors(kind, tmp_path):
    processor = parts.processor(kind, rules=("b rule", "a rule", "c rule"), max_frames=4)
    processor.save_pretrained(tmp_path)
    parts.config(kind).save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(again, FusedProcessor)
    assert type(again.image_processor) is type(processor.image_processor)
    assert type(again.feature_extractor) is type(processor.feature_extractor)
    assert again.layout == processor.layout
    items = [parts.item(1, kind), parts.item(2, kind, without=("visual", "speech"))]
    found, wanted = again(items), processor(items)
    assert set(found) == set(wanted)
    for name in wanted:
        assert torch.equal(found[name], wanted[name]), name


def test_no_slot_needs_torchvision():
    assert FusedProcessor.get_attributes() == ["image_processor", "feature_extractor", "tokenizer"]


def test_a_processor_without_a_layout_claims_its_marks():
    processor = FusedProcessor(
        EfficientNetLite0ImageProcessorPil(), SoundStatesExtractor(), parts.tokenizer()
    )
    assert set(processor.layout["marks"]) == {"visual", "sound", "absent", "slot"}
    assert processor(FusedItem(PostedText("a")))["slot_positions"].shape == (1, 0)


@settings(max_examples=25, deadline=None)
@given(
    frames=st.lists(st.floats(0, 9), min_size=1, max_size=9),
    speech=st.lists(st.floats(0, 9), max_size=4),
)
def test_frames_stand_between_the_lines_of_their_time(frames, speech):
    maps = np.zeros((len(frames), parts.SEEN, 2, 2), np.float32)
    # Long lines are not joined with their neighbours, so each is an event of its own.
    lines = [TimedText(at, at + 1, f"{'so ' * 39}{n}") for n, at in enumerate(speech)]
    item = FusedItem(speech=lines, frame_features=maps, frame_times_s=frames)
    processor = parts.processor(frame_pool=1, max_tokens=3000, max_frames=99)
    batch = processor(item)
    assert (batch["frame_times"][0].diff() >= 0).all()
    order, ids = [], batch["modality_ids"][0].tolist()
    marks = parts.tokenizer().convert_ids_to_tokens(batch["input_ids"][0].tolist())
    newline = parts.tokenizer().convert_ids_to_tokens(parts.tokenizer()("\n")["input_ids"])[0]
    for number, mark in zip(ids, marks, strict=True):
        if number == 1 or (number == 4 and mark.startswith(newline)):
            order.append("visual" if number == 1 else "speech")
    expected = sorted([(t, 0, "visual") for t in frames] + [(t, 1, "speech") for t in speech])
    assert order == [name for _, _, name in expected]


def test_frames_out_of_order_are_put_in_order():
    clip = parts.item(1)
    order = [3, 0, 4, 1, 2]
    mixed = dataclasses.replace(
        clip,
        frame_features=clip.frame_features[order],
        frame_times_s=np.asarray(clip.frame_times_s)[order],
    )
    one, other = (parts.processor()(x) for x in (clip, mixed))
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize("times", [[float("nan"), 1.0], [float("inf"), -3.0]], ids=str)
def test_times_that_are_no_times_do_no_harm(times):
    item = FusedItem(
        speech=[TimedText(t, t, "a dog") for t in times],
        frame_features=np.zeros((2, parts.SEEN, 2, 2), np.float32),
        frame_times_s=times,
    )
    batch = parts.processor()(item)
    assert batch["frame_times"].isfinite().all()
    assert parts.model().score(**batch).slot_logits.isfinite().all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding(side):
    processor = parts.processor()
    items = [parts.item(1), FusedItem(PostedText("short"))]
    batch, alone = processor(items, padding_side=side), processor(items[1])
    length = alone["input_ids"].shape[1]
    part = slice(-length, None) if side == "left" else slice(0, length)
    for name in ("input_ids", "attention_mask", "modality_ids"):
        assert torch.equal(batch[name][1, part], alone[name][0])
    rest = batch["attention_mask"][1].clone()
    rest[part] = 0
    assert not rest.any()
    marks = batch["input_ids"].gather(1, batch["slot_positions"])
    assert (marks == parts.config().slot_token_id).all()


def test_labels_cover_the_rationale_alone():
    processor = parts.processor()
    items = [parts.item(1), parts.item(2)]
    batch = processor(items, reasons=["a dog", None])
    learnt = batch["labels"][0][batch["labels"][0] != -100]
    assert parts.tokenizer().decode(learnt) == " a dog<|im_end|>"
    assert (batch["labels"][1] == -100).all()
    assert "labels" not in processor(items)


def test_long_sound_is_averaged_to_the_most_tokens():
    processor = parts.processor(max_sound_tokens=4)
    states = np.arange(100.0)[:, None].repeat(parts.HEARD, 1).astype(np.float32)
    item = FusedItem(sound_states=states, sound_start_s=2.0, states_per_second=10.0)
    batch = processor(item)
    assert (batch["modality_ids"] == 2).sum() == 4
    assert batch["sound_features"].shape == (1, 20, parts.HEARD)
    assert batch["sound_features"][0, 0, 0] == pytest.approx(2.0)  # mean of 0, 1, 2, 3, 4
    assert batch["sound_times"][0, :2].tolist() == pytest.approx([2.0, 2.5])
    short = processor(dataclasses.replace(item, sound_states=states[:7]))
    assert torch.equal(short["sound_features"][0], torch.from_numpy(states[:7]))


def test_sound_for_a_tower_is_cut_into_windows():
    processor = parts.processor("large")
    sound = np.random.default_rng(0).normal(size=40_000).astype(np.float32)  # 2.5 s
    batch = processor(FusedItem(sound=sound, sound_start_s=1.0))
    assert batch["input_features"].shape == (1, 3, 20, 100)
    assert batch["sound_mask"].shape == (1, 150)
    assert batch["sound_mask"].sum() == 125
    assert (batch["modality_ids"] == 2).sum() == 25
    assert batch["sound_times"][0, 124] == pytest.approx(1.0 + 124 / 50)
    cut = parts.processor("large", max_sound_tokens=4)(FusedItem(sound=sound))
    assert (cut["modality_ids"] == 2).sum() == 4


def test_many_frames_are_thinned_out_evenly():
    maps = np.arange(40.0, dtype=np.float32)[:, None, None, None]
    maps = np.broadcast_to(maps, (40, parts.SEEN, 2, 2))
    item = FusedItem(frame_features=maps, frame_times_s=np.arange(40.0))
    batch = parts.processor(max_frames=5)(item)
    assert batch["frame_times"].tolist() == [[0.0, 10.0, 20.0, 29.0, 39.0]]
    assert batch["vision_features"][0, :, 0, 0, 0].tolist() == [0.0, 10.0, 20.0, 29.0, 39.0]


@settings(max_examples=60, deadline=None)
@given(total=st.integers(1, 500), most=st.integers(1, 60))
def test_an_even_spread(total, most):
    found = spread(total, most)
    assert len(found) == min(total, most)
    assert found == sorted(set(found))
    assert found[0] >= 0 and found[-1] < total
    if most > 1:
        assert found[0] == 0 and found[-1] == total - 1
        gaps = np.diff(found)
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(
    ("max_tokens", "grid", "wanted"), [(640, 7, 16), (300, 7, 12), (640, 16, 6), (30, 14, 2)]
)
def test_frames_leave_room_for_text(max_tokens, grid, wanted):
    layout = Layout(max_tokens=max_tokens, grid_side=grid)
    assert max_frames(layout) == wanted


def clip(**changes):
    return parts.item(1, **changes)


MISFITS = [
    pytest.param(clip(frame_times_s=[1.0]), "5 frames with 1 times", id="times missing"),
    pytest.param(clip(frames=np.zeros((5, 8, 8, 3), np.uint8)), "not both", id="two kinds"),
    pytest.param(clip(sound_states=np.zeros((4, 3))), r"expected \(T, 12\)", id="narrow states"),
    pytest.param(clip(sound_states=np.zeros(9)), r"shape \(9,\)", id="flat states"),
    pytest.param(
        clip(without=("sound",), sound=np.zeros(800, np.float32)), "takes sound_states", id="sound"
    ),
    pytest.param(clip(motion=np.zeros(3)), "expected 5", id="motion"),
]


@pytest.mark.parametrize(("item", "message"), MISFITS)
def test_what_does_not_fit_is_refused(item, message):
    with pytest.raises(ModelError, match=message):
        parts.processor()([item, parts.item(2)])


def test_states_are_refused_where_a_tower_computes_them():
    item = FusedItem(sound_states=np.zeros((4, 16)))
    with pytest.raises(ModelError, match="sound tower"):
        parts.processor("large")(item)


def test_a_batch_cannot_mix_sizes_of_maps():
    other = dataclasses.replace(
        parts.item(2), frame_features=np.zeros((5, parts.SEEN, 4, 4), np.float32)
    )
    with pytest.raises(ModelError, match="cannot mix frame inputs"):
        parts.processor()([parts.item(1), other])


@pytest.mark.parametrize(
    ("items", "reasons"), [([], None), ([FusedItem()], ["a", "b"])], ids=["none", "one too many"]
)
def test_batches_that_are_none(items, reasons):
    with pytest.raises(ModelError, match="give one each"):
        parts.processor()(items, reasons=reasons)


def test_motion_is_ignored_by_a_model_without_it():
    batch = parts.processor(motion_size=0)(parts.item(1))
    assert "motion_features" not in batch
    number = -(MODALITIES.index("motion") + 1)
    assert batch["attention_mask"][batch["modality_ids"] == number].tolist() == [1]


def test_a_late_only_model_is_given_media_without_placeholders():
    batch = parts.processor(early_fusion=False)(parts.item(1))
    assert not ((batch["modality_ids"] == 1) | (batch["modality_ids"] == 2)).any()
    assert "vision_features" in batch and "sound_features" in batch
    absent = batch["modality_ids"] < 0
    assert not batch["attention_mask"][absent].any()


def test_inputs_are_not_changed():
    item = parts.item(1)
    maps, states = item.frame_features.copy(), item.sound_states.copy()
    parts.processor()(item)
    assert np.array_equal(maps, item.frame_features)
    assert np.array_equal(states, item.sound_states)
