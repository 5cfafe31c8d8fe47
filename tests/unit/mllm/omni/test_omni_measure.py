from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from click.testing import CliRunner

from coefvq.mllm.omni import measure, sizes
from coefvq.mllm.omni.families import family_of
from coefvq.mllm.omni.synthetic import Clip
from tests.unit.mllm.omni import folders, tiny_omni


@pytest.mark.parametrize("family", tiny_omni.FAMILIES)
def test_a_folders_size_is_measured_without_its_weights(tmp_path: Path, family: str) -> None:
    folder = folders.save_weights(tmp_path / "m", family)
    (folder / "model.safetensors").unlink()
    small = ["--frames", "2", "--sound-s", "1", "--questions", "2", "--repeats", "1"]
    done = CliRunner().invoke(measure.main, ["--config", str(folder), *small])
    assert done.exit_code == 0, done.output
    assert "tokens a video" in done.output and "for 2 questions" in done.output


def test_more_frames_are_more_tokens() -> None:
    found = [
        measure.measure(
            tiny_omni.config("qwen3-omni"),
            Clip(frames=frames, height=64, width=96, sound_s=1.0),
            questions=1,
            repeats=1,
            device=torch.device("cpu"),
        )
        for frames in (2, 8)
    ]
    assert found[0].tokens < found[1].tokens and found[0].parameters == found[1].parameters
    assert found[0].peak_gib is None or found[0].peak_gib > 0


@pytest.mark.parametrize(
    ("size", "billions"),
    [("qwen2.5-omni-3b", 4.70), ("qwen2.5-omni-7b", 8.93), ("qwen3-omni-30b-a3b", 31.7)],
)
def test_the_sizes_have_the_published_number_of_weights(size: str, billions: float) -> None:
    config = sizes.config_of(size)
    with torch.device("meta"):
        model = getattr(transformers, family_of(config).model_class)._from_config(config)
    assert sum(w.numel() for w in model.parameters()) / 1e9 == pytest.approx(billions, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], "either --family or --config", id="neither"),
        pytest.param(["--family", "gpt"], "qwen2.5-omni-3b", id="unknown size"),
    ],
)
def test_wrong_use_is_refused(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(measure.main, arguments)
    assert done.exit_code == 2 and says in done.output


def test_an_unknown_family_is_refused(tmp_path: Path) -> None:
    transformers.SmolVLMConfig().save_pretrained(tmp_path)
    config = measure.thinker_of(transformers.AutoConfig.from_pretrained(tmp_path))
    with pytest.raises(measure.CoefVQError, match="No made-up input is known"):
        measure.synthetic_inputs(config, Clip())


def test_full_memory_is_said(monkeypatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(measure, "measure", full)
    folder = folders.save_weights(tmp_path / "m", "gemma4-deaf")
    done = CliRunner().invoke(measure.main, ["--config", str(folder)])
    assert done.exit_code == 1 and "smaller model" in done.output
