"""Tiny model folders as they are published: settings, weights, tokenizer and processors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from safetensors.torch import save_file

from tests.unit.mllm.omni import tiny_omni


def save_weights(folder: Path, family: str) -> Path:
    """Write settings and weights; of the Qwen models in the published layout of the whole model.

    There the thinker's weights carry the prefix ``thinker.``, and language model, vision and
    sound have the names of the first release. A weight of the talker is there as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_omni.model(family)
    if family.startswith("gemma") or family == tiny_omni.OTHER:
        model.save_pretrained(folder)
        return folder
    model.save_pretrained(folder / "thinker")
    settings = json.loads((folder / "thinker" / "config.json").read_text("utf-8"))
    kind = settings["model_type"].removesuffix("_thinker")
    published = {"model_type": kind, "thinker_config": settings, "enable_audio_output": False}
    (folder / "config.json").write_text(json.dumps(published), encoding="utf-8")
    weights = _published(folder / "thinker")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _published(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found = load_file(folder / "model.safetensors")
    weights = {f"thinker.{name}": weight.clone() for name, weight in found.items()}
    first = next(iter(weights.values()))
    return weights | {"talker.codec_head.weight": first.clone()}


def save_processor(folder: Path, family: str) -> Path:
    """Write tokenizer, chat template and processors; needs torchvision."""
    tokenizer = tiny_omni.tokenizer(family)
    if family.startswith("gemma"):
        processor = transformers.Gemma4Processor(
            feature_extractor=transformers.Gemma4AudioFeatureExtractor(),
            image_processor=transformers.Gemma4ImageProcessor(),
            tokenizer=tokenizer,
            video_processor=transformers.Gemma4VideoProcessor(),
            chat_template=tokenizer.chat_template,
        )
    else:
        processor = _qwen_processor(family, tokenizer)
    processor.save_pretrained(folder)
    return folder


def _qwen_processor(family: str, tokenizer: Any) -> Any:
    if family == tiny_omni.OTHER:
        return transformers.Qwen2VLProcessor(
            image_processor=transformers.Qwen2VLImageProcessor(),
            video_processor=transformers.Qwen2VLVideoProcessor(),
            tokenizer=tokenizer,
            chat_template=tokenizer.chat_template,
        )
    newer = family == "qwen3-omni"
    name = "Qwen3OmniMoeProcessor" if newer else "Qwen2_5OmniProcessor"
    patch = {"patch_size": 16 if newer else 14}
    return getattr(transformers, name)(
        image_processor=transformers.Qwen2VLImageProcessor(**patch),
        video_processor=transformers.Qwen2VLVideoProcessor(**patch),
        feature_extractor=transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=300),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
