"""The trained parts: LoRA on, saved, loaded, merged; the wrong ones refused."""

from __future__ import annotations

import json

import pytest
import torch

from coefvq.errors import ModelError
from coefvq.mllm.fused import FusedConfig, FusedForConditionalGeneration
from coefvq.mllm.fused.trained import (
    DETAILS,
    TENSORS,
    LoraSizes,
    TrainedParts,
    add_lora,
    check_bases,
    layer_of,
    load_trained,
    merge_lora,
    read_trained,
    save_trained,
    trained_parameters,
    trained_state,
)
from tests.unit.mllm.fused import parts

SIZES = LoraSizes(rank=2, alpha=4)


def trained_model(seed=0, sizes=SIZES):
    """A model whose trained parts are random, as after training."""
    model = parts.model("default")
    model.requires_grad_(False)
    add_lora(model, sizes)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in trained_parameters(model):
            parameter.add_(torch.randn(parameter.shape, generator=chance) * 0.1)
        model.late.scale_motion.mean.add_(0.7)
    return model.eval()


def described(lora=SIZES):
    layout = parts.processor("default").writer.layout
    return TrainedParts(lora, {"language": "a" * 64, "frames": "b" * 64}, layout, {"n": 3})


@pytest.fixture(scope="module")
def batch():
    return parts.processor("default")([parts.item(1, "default"), parts.item(2, "default")])


def test_a_fresh_adapter_changes_nothing(batch):
    model = parts.model("default")
    before = model.score(**batch)
    add_lora(model, SIZES)
    assert torch.allclose(model.score(**batch).slot_logits, before.slot_logits, atol=1e-6)


def test_only_the_new_parts_and_the_adapter_are_trained(batch):
    model = parts.model("default")
    add_lora(model, SIZES)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in trained_parameters(model)}
    assert {name.split(".")[0] for name in trained} == {
        "early", "late", "head", "combination", "language_model"
    }  # fmt: skip
    model.train()(**batch, slot_labels=torch.ones(2, 3)).loss.backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) is (name in trained), name


@pytest.mark.parametrize(("first", "adapted"), [(0, {0, 1}), (1, {1})])
def test_lower_layers_can_be_left_out(first, adapted):
    model = parts.model()
    add_lora(model, LoraSizes(rank=2, first_layer=first))
    names = [name for name, _ in trained_parameters(model) if "lora_" in name]
    assert {int(name.split("layers.")[1].split(".")[0]) for name in names} == adapted
    assert len(names) == 2 * 7 * len(adapted)


def test_saved_and_loaded_again_gives_the_same(tmp_path, batch):
    model = trained_model()
    save_trained(model, described(), tmp_path)
    found, config, tensors = read_trained(tmp_path)
    assert found == described()
    torch.manual_seed(0)  # the same frozen bases
    again = FusedForConditionalGeneration(FusedConfig(**config))
    add_lora(again, found.lora)
    load_trained(again, tensors)
    one, other = model.score(**batch), again.eval().score(**batch)
    # Float16 on disk keeps three digits.
    assert torch.allclose(one.slot_logits, other.slot_logits, atol=2e-2)
    assert torch.equal(again.late.scale_motion.mean, model.late.scale_motion.mean)
    assert torch.equal(again.head.weight, model.head.weight)


def test_the_checkpoint_holds_no_base_and_no_folder_of_this_machine(tmp_path):
    model = trained_model()
    model.config.text_config._name_or_path = "/somewhere/private"
    save_trained(model, described(), tmp_path)
    _, _, tensors = read_trained(tmp_path)
    assert not [name for name in tensors if "tower" in name or "base_layer" in name]
    assert not [name for name in tensors if "language_model" in name and "lora_" not in name]
    assert "private" not in (tmp_path / DETAILS).read_text()
    small = sum(value.numel() for value in trained_state(model).values())
    assert (tmp_path / TENSORS).stat().st_size < 4 * small + 20_000


def test_merging_keeps_what_the_model_computes(batch):
    model = trained_model()
    before = model.score(**batch)
    merge_lora(model)
    assert not [name for name, _ in model.named_parameters() if "lora_" in name]
    names = set(parts.model("default").state_dict())
    assert set(model.state_dict()) == names
    after = model.score(**batch)
    assert torch.allclose(after.slot_logits, before.slot_logits, atol=1e-4)


def test_the_lower_half_alone_can_be_merged(batch):
    model = trained_model()
    before = model.score(**batch)
    merge_lora(model, below=1)
    left = {layer_of(name) for name, _ in model.named_parameters() if "lora_" in name}
    assert left == {1} and layer_of("head.weight") == -1
    assert torch.allclose(model.score(**batch).slot_logits, before.slot_logits, atol=1e-4)


def test_a_merged_model_is_an_ordinary_one(tmp_path, batch):
    model = trained_model()
    merge_lora(model)
    model.save_pretrained(tmp_path)
    again = FusedForConditionalGeneration.from_pretrained(tmp_path)
    found, wanted = again.score(**batch), model.score(**batch)
    assert torch.allclose(found.slot_logits, wanted.slot_logits, atol=1e-5)


def damage_tensors(folder):
    data = bytearray((folder / TENSORS).read_bytes())
    data[-1] ^= 1
    (folder / TENSORS).write_bytes(bytes(data))


def edit(**changes):
    def spoil(folder):
        details = json.loads((folder / DETAILS).read_text())
        (folder / DETAILS).write_text(json.dumps(details | changes))

    return spoil


SPOILT = [
    pytest.param(damage_tensors, "tensors_sha256", id="a flipped bit"),
    pytest.param(lambda folder: (folder / TENSORS).unlink(), "cannot be read", id="no tensors"),
    pytest.param(lambda folder: (folder / DETAILS).unlink(), "cannot be read", id="no details"),
    pytest.param(
        lambda folder: (folder / DETAILS).write_text("{"), "cannot be read", id="half a file"
    ),
    pytest.param(
        lambda folder: (folder / TENSORS).write_bytes(b"x" * 9), "cannot be read", id="other bytes"
    ),
    pytest.param(edit(format=99), "format is 99", id="another format"),
]


@pytest.mark.parametrize(("spoil", "message"), SPOILT)
def test_damaged_checkpoints_are_refused(tmp_path, spoil, message):
    save_trained(trained_model(), described(), tmp_path)
    spoil(tmp_path)
    with pytest.raises(ModelError, match=message):
        read_trained(tmp_path)


@pytest.mark.parametrize(
    ("sizes", "options"),
    [(None, {}), (LoraSizes(rank=3), {}), (SIZES, {"late_size": 8})],
    ids=["no adapter", "another rank", "another width"],
)
def test_models_of_another_shape_are_refused(sizes, options):
    tensors = trained_state(trained_model())
    other = parts.model("default", **options)
    if sizes:
        add_lora(other, sizes)
    with pytest.raises(ModelError, match="differ in"):
        load_trained(other, tensors)


@pytest.mark.parametrize(
    ("installed", "refused"),
    [
        ({"language": "a" * 64, "frames": "b" * 64}, None),
        ({"language": "c" * 64, "frames": "b" * 64}, "language aaaaaaaaaaaa.*cccccccccccc"),
        ({"language": "a" * 64}, "frames bbbbbbbbbbbb.*none"),
    ],
    ids=["the same", "another", "missing"],
)
def test_bases_are_compared(installed, refused):
    if refused is None:
        check_bases(described(), installed)
        return
    with pytest.raises(ModelError, match=refused):
        check_bases(described(), installed)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save_trained(trained_model(), described(), tmp_path / name)
    for file in (TENSORS, DETAILS):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
