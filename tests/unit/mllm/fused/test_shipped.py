"""A checkpoint on disk becomes a scorer, or is refused with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from coefvq.errors import ModelError
from coefvq.mllm import base
from coefvq.mllm.fused import readout, trained
from coefvq.mllm.fused.shipped import installed_bases, load_scorer, read_shipped
from tests.unit.mllm import tiny_backend as tiny
from tests.unit.mllm.fused import parts


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        yield tiny.install(patch, tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(installed: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(installed, tmp_path / "checkpoint")


def edit(path: Path, change) -> None:
    details = json.loads(path.read_text())
    change(details)
    path.write_text(json.dumps(details))


def test_what_is_loaded_is_what_was_saved(installed):
    found = read_shipped(installed)
    assert found.parts.lora == tiny.SIZES
    assert found.parts.layout.policies == parts.POLICIES
    assert found.parts.layout.rules == tiny.RULES
    scorer = load_scorer(found, installed)
    assert scorer.processor.writer.layout == found.parts.layout
    assert not any("lora" in name for name, _ in scorer.model.named_parameters())
    model, _ = tiny.assemble(installed, parts.POLICIES, rules=tiny.RULES, late_text_layer=1)
    trained.add_lora(model, tiny.SIZES)
    trained.load_trained(model, trained.read_trained(installed)[2])
    inputs = scorer.processor(parts.item(1, "default"))
    wanted, got = model.score(**inputs), scorer.model.score(**inputs)
    assert torch.allclose(got.label_logits, wanted.label_logits, atol=1e-4)
    assert torch.allclose(got.fused_logits, wanted.fused_logits, atol=1e-4)


def test_the_version_changes_with_either_file(installed, folder):
    before = read_shipped(folder).version
    assert before == read_shipped(installed).version and before.startswith("fused-")
    readout.save_readout(tiny.readout(seed=8), folder)
    after = read_shipped(folder).version
    tiny.save_checkpoint(folder, read_shipped(folder).parts.base_hashes, seed=6)
    assert len({before, after, read_shipped(folder).version}) == 3


def test_threads_are_set(installed, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    load_scorer(read_shipped(installed), installed, threads=3)
    load_scorer(read_shipped(installed), installed)
    assert asked == [3]


DAMAGE = {
    "no folder": shutil.rmtree,
    "no tensors": lambda folder: (folder / trained.TENSORS).unlink(),
    "no details": lambda folder: (folder / trained.DETAILS).unlink(),
    "no JSON": lambda folder: (folder / trained.DETAILS).write_text("{"),
    "cut tensors": lambda folder: (folder / trained.TENSORS).write_bytes(b"x" * 50),
    "other format": lambda folder: edit(folder / trained.DETAILS, lambda d: d.update(format=0)),
    "half written": lambda folder: edit(
        folder / trained.DETAILS, lambda d: d.update(tensors_sha256="0" * 64)
    ),
    "no readout": lambda folder: (folder / readout.DETAILS).unlink(),
    "other readout": lambda folder: edit(folder / readout.DETAILS, lambda d: d.update(format=0)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_refused_with_a_remedy(folder, damage):
    damage(folder)
    with pytest.raises(ModelError, match=r"reinstall coefvq|Reinstall coefvq") as caught:
        read_shipped(folder)
    assert str(folder) in str(caught.value)


def test_another_language_model_is_refused(installed):
    ready = installed.parent / "base" / base.READY
    ready.write_text("another")
    try:
        with pytest.raises(ModelError, match=r"trained on smollm2 tiny.*make setup"):
            load_scorer(read_shipped(installed), installed)
    finally:
        ready.write_text("tiny")


def test_other_picture_weights_are_refused(installed, tmp_path, monkeypatch):
    (tmp_path / "other.bin").write_bytes(b"other")
    monkeypatch.setattr(tiny.shipped, "weights_path", lambda: tmp_path / "other.bin")
    with pytest.raises(ModelError, match="trained on efficientnet_lite0"):
        load_scorer(read_shipped(installed), installed)


def test_a_damaged_cache_names_the_remedy(installed):
    ready = installed.parent / "base" / base.READY
    kept = ready.read_text()
    ready.unlink()
    try:
        with pytest.raises(ModelError, match="Delete that folder"):
            load_scorer(read_shipped(installed), installed)
    finally:
        ready.write_text(kept)


def test_another_prompt_layout_is_refused(folder):
    edit(folder / trained.DETAILS, lambda d: d["layout"].update(max_frames=5))
    with pytest.raises(ModelError, match=r"another prompt layout.*coefvq train mllm"):
        load_scorer(read_shipped(folder), folder)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d["config"].update(late_size=8), id="another size"),
        pytest.param(lambda d: d.update(lora=None), id="adapters without sizes"),
        pytest.param(lambda d: d["lora"].update(rank=4), id="another rank"),
    ],
)
def test_tensors_that_do_not_fit_the_model_are_refused(folder, change):
    edit(folder / trained.DETAILS, change)
    with pytest.raises(ModelError, match="differ in"):
        load_scorer(read_shipped(folder), folder)


def test_the_installed_bases_are_named_by_their_bytes(installed):
    found = installed_bases(installed.parent / "base")
    assert found.keys() == {"smollm2", "efficientnet_lite0"}
    assert found["smollm2"] == "tiny" and len(found["efficientnet_lite0"]) == 64
