from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coefvq.errors import ModelError
from coefvq.mllm import checkpoint as files
from coefvq.mllm.lexical import count_words
from coefvq.mllm.prompt import Line
from tests.unit.mllm import tiny


def test_round_trip(tmp_path: Path) -> None:
    made = tiny.checkpoint()
    files.save_checkpoint(made, tmp_path)
    read = files.load_checkpoint(tmp_path)
    assert read.policies == made.policies and read.split == made.split
    assert read.readouts == made.readouts and read.base_hash == "tiny"
    assert torch.equal(read.head, made.head)
    counted = count_words([Line("title", "some words here")])
    assert read.words["scam_spam"](counted) == pytest.approx(made.words["scam_spam"](counted))
    assert read.adapter.keys() == made.adapter.keys()
    assert read.version.startswith("embedded-")


def _change(folder: Path, **changes: object) -> None:
    place = folder / files.DETAILS
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(lambda f: (f / files.DETAILS).unlink(), "cannot be read", id="missing"),
        pytest.param(lambda f: (f / files.DETAILS).write_text("{"), "cannot be read", id="cut"),
        pytest.param(
            lambda f: (f / files.TENSORS).write_bytes(b"junk"), "cannot be read", id="junk"
        ),
        pytest.param(lambda f: _change(f, format=99), "format is 99", id="format"),
        pytest.param(lambda f: _change(f, prompt_version=0), "prompt_version", id="prompt"),
        pytest.param(lambda f: _change(f, tensors_sha256="0"), "tensors_sha256", id="mixed pair"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage, says: str) -> None:
    files.save_checkpoint(tiny.checkpoint(), tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError, match=says):
        files.load_checkpoint(tmp_path)


def test_another_base_is_refused() -> None:
    files.check_base(tiny.checkpoint(), "tiny")
    with pytest.raises(ModelError, match="make setup"):
        files.check_base(tiny.checkpoint(), "other")


def test_merging_equals_lora_beside_the_weights() -> None:
    model, made = tiny.model(), tiny.checkpoint()
    before = model.model.layers[2].self_attn.q_proj.weight.clone()
    files.merge_adapter(model, made.adapter, made.scaling)
    down, up = (made.adapter[f"layers.2.self_attn.q_proj.lora_{x}"] for x in "AB")
    after = model.model.layers[2].self_attn.q_proj.weight
    assert torch.allclose(after, before + 2.0 * up @ down, atol=1e-5)


def test_an_adapter_of_a_deeper_model_is_refused() -> None:
    adapter = {"layers.9.self_attn.q_proj.lora_A": torch.zeros(2, 32)}
    with pytest.raises(ModelError, match="wrong base"):
        files.merge_adapter(tiny.model(), adapter, 1.0)


def test_readout_adds_weighted_parts() -> None:
    readout = files.Readout((0.5, 0.25, 1.0), -1.0)
    parts = [6.0, 8.0, 0.5]
    assert readout.terms(parts).tolist() == [3.0, 2.0, 0.5]
    assert float(readout.probability(parts)) == pytest.approx(1 / (1 + 2.718281828**-4.5))
    assert readout.probability([parts, parts]).shape == (2,)


def test_extreme_parts_do_not_overflow() -> None:
    readout = files.Readout((1.0,), 0.0)
    assert readout.probability([[-1e9], [1e9]]).tolist() == pytest.approx([0.0, 1.0], abs=1e-9)


def test_head_scores() -> None:
    made = replace(tiny.checkpoint(), head=torch.eye(2, 32), bias=torch.tensor([0.0, 1.0]))
    assert files.head_scores(made, torch.ones(1, 32)).tolist() == [[1.0, 2.0]]
