from __future__ import annotations

import importlib
import importlib.util
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from coefvq.errors import ModelError, SettingsError
from coefvq.mllm.omni import environment, families
from tests.unit.mllm.omni import folders, tiny_omni


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for family in ("qwen2.5-omni", "qwen3-omni", "gemma4", "gemma4-deaf"):
        folders.save_weights(folder / family, family)
    return folder


@pytest.mark.parametrize("family", tiny_omni.FAMILIES)
def test_a_published_folder_gives_the_thinker_with_its_weights(published, family) -> None:
    folder = published / family
    kind = families.family_of(environment.read_config(folder))
    found = families.load_model(folder, kind, torch.device("cpu")).state_dict()
    wanted = tiny_omni.model(family).state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("qwen2.5-omni", families.QWEN25),
        ("qwen3-omni", families.QWEN3),
        ("gemma4", families.GEMMA4),
        ("gemma4-deaf", families.GEMMA4_DEAF),
    ],
)
def test_families_are_told_from_the_settings(published, name, family) -> None:
    assert families.family_of(environment.read_config(published / name)) == family


def test_an_unknown_family_is_tried_with_pictures() -> None:
    found = families.family_of(SimpleNamespace(model_type="smolvlm"))
    assert (found.model_class, found.video, found.sound_s) == (
        "AutoModelForMultimodalLM",
        False,
        0.0,
    )


def copy_of(published: Path, tmp_path: Path, drop: str | None = None) -> Path:
    weights = load_file(published / "gemma4-deaf" / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if name != drop}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    settings = (published / "gemma4-deaf" / "config.json").read_text("utf-8")
    (tmp_path / "config.json").write_text(settings, encoding="utf-8")
    return tmp_path


def load(folder: Path) -> object:
    return families.load_model(folder, families.GEMMA4_DEAF, torch.device("cpu"))


def test_missing_weights_are_not_filled_with_chance(published, tmp_path) -> None:
    name = "model.language_model.layers.1.mlp.down_proj.weight"
    assert load(copy_of(published, tmp_path))
    with pytest.raises(ModelError, match=r"1 weights are missing.*down_proj"):
        load(copy_of(published, tmp_path, drop=name))


def test_weights_of_another_shape_are_refused(published, tmp_path) -> None:
    folder = copy_of(published, tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["model.language_model.norm.weight"] = torch.zeros(7)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(folder)


def test_full_memory_while_loading_is_left_to_the_caller(monkeypatch, published) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(transformers.Gemma4ForConditionalGeneration, "from_pretrained", full)
    with pytest.raises(torch.OutOfMemoryError):
        load(published / "gemma4-deaf")


def test_no_weights_at_all_say_which_folder(published, tmp_path) -> None:
    folder = copy_of(published, tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(folder)


def test_a_torn_download_is_an_error_of_the_model(published, tmp_path) -> None:
    folder = copy_of(published, tmp_path)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(folder)


def test_the_fingerprint_tells_weights_and_settings_apart(published, tmp_path) -> None:
    folder = copy_of(published, tmp_path)
    first = environment.fingerprint(folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.language_model.norm.weight"] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    second = environment.fingerprint(folder)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    assert len({first, second, environment.fingerprint(folder)}) == 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("no/such-model", "hf download no/such-model", id="not downloaded"),
        pytest.param("/no/such/folder", "no folder '/no/such/folder'", id="no folder"),
        pytest.param("a/b/c", "no folder 'a/b/c'", id="no hub name"),
    ],
)
def test_a_model_that_is_not_there_says_how_to_get_it(monkeypatch, tmp_path, name, says) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="There is no folder") as caught:
        environment.model_folder(name)
    assert says in str(caught.value)


def test_a_folder_without_settings_is_refused(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        environment.model_folder(str(tmp_path))


@pytest.mark.parametrize(
    "settings", ["{", '{"model_type": "no-such-kind"}', "{}"], ids=["torn", "unknown", "empty"]
)
def test_damaged_settings_are_an_error_of_the_model(tmp_path, settings) -> None:
    (tmp_path / "config.json").write_text(settings, encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json cannot be used"):
        environment.read_config(tmp_path)


def test_settings_cannot_bring_code(tmp_path) -> None:
    own = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(own), encoding="utf-8")
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')", encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json cannot be used"):
        environment.read_config(tmp_path)


@pytest.mark.parametrize(
    ("there", "failure", "error", "says"),
    [
        pytest.param(False, None, SettingsError, "needs torchvision", id="missing"),
        pytest.param(
            True,
            RuntimeError("operator torchvision::nms does not exist"),
            ModelError,
            "does not fit torch",
            id="of another build",
        ),
        pytest.param(True, ImportError("libcudart"), ModelError, "libcudart", id="broken"),
    ],
)
def test_the_environment_is_checked_first(monkeypatch, there, failure, error, says) -> None:
    def failing(name: str) -> None:
        assert name == "torchvision" and failure is not None
        raise failure

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if there else None)
    monkeypatch.setattr(importlib, "import_module", failing)
    with pytest.raises(error, match=says) as caught:
        environment.check_environment()
    assert "requirements-omni.txt" in str(caught.value)


def test_running_without_a_gpu_is_said(monkeypatch, caplog) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        assert environment.choose_device() == torch.device("cpu")
    assert "No GPU" in caplog.text
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert environment.choose_device() == torch.device("cuda:0")


def test_the_pinned_torchvision_is_that_of_the_pinned_torch() -> None:
    root = Path(__file__).parents[4]
    lines = (root / "requirements-omni.txt").read_text("utf-8").splitlines()
    assert "-r requirements.txt" in lines and "torchvision==0.28.0" in lines
    main = (root / "requirements.txt").read_text("utf-8").splitlines()
    # https://github.com/pytorch/vision#installation: 0.28 goes with 2.13.
    assert "torch==2.13.0" in main and not any(x.startswith("torchvision") for x in main)
