"""Tiny fused models with random weights, and items to feed them."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, Qwen3Config, SiglipVisionConfig, WhisperConfig
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.whisper.feature_extraction_whisper import WhisperFeatureExtractor

from coefvq.domain import PostedText, TimedText
from coefvq.mllm.fused import (
    EfficientNetLite0Config,
    EfficientNetLite0ImageProcessorPil,
    FusedConfig,
    FusedForConditionalGeneration,
    FusedItem,
    FusedProcessor,
    PrecomputedConfig,
    SoundStatesExtractor,
)
from coefvq.mllm.fused.assemble import configure
from tests.unit.mllm import tiny

POLICIES = ("violence", "scam_spam", "hate_harassment")
HEARD, SEEN, MOTION = 12, 8, 5
KINDS = ("default", "large", "precomputed")


@cache
def tokenizer() -> Any:
    """The tiny byte-level tokenizer with the placeholders' control tokens."""
    return copy.deepcopy(tiny.tokenizer())


def text_config(kind: str) -> Any:
    """A language model of two layers: Llama, or Qwen3 with an output layer of its own."""
    sizes = {
        "vocab_size": 340,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
    }
    if kind == "large":
        return Qwen3Config(**sizes, head_dim=8, tie_word_embeddings=False)
    return LlamaConfig(**sizes, tie_word_embeddings=True, initializer_range=0.2)


def config(kind: str = "precomputed", **options: Any) -> FusedConfig:
    """A configuration like the shipped model, like a large one, or without towers."""
    towers = {
        "default": (EfficientNetLite0Config(image_size=64), PrecomputedConfig(hidden_size=HEARD)),
        "large": (_siglip(), _whisper()),
        "precomputed": (PrecomputedConfig(hidden_size=SEEN), PrecomputedConfig(hidden_size=HEARD)),
    }
    vision, sound = towers[kind]
    given = {"motion_size": MOTION, "late_size": 16, "modality_dropout": 0.0, "sound_pool": 5}
    return configure(
        tokenizer(),
        POLICIES,
        text_config=text_config(kind),
        vision_config=vision,
        sound_config=sound,
        **(given | options),
    )


def _siglip() -> SiglipVisionConfig:
    return SiglipVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        image_size=32, patch_size=8,
    )  # fmt: skip


def _whisper() -> WhisperConfig:
    return WhisperConfig(
        d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24,
        num_mel_bins=20, max_source_positions=50,
    )  # fmt: skip


def model(kind: str = "precomputed", seed: int = 0, **options: Any) -> Any:
    """A random model in evaluation mode."""
    torch.manual_seed(seed)
    return FusedForConditionalGeneration(config(kind, **options)).eval()


def processor(kind: str = "precomputed", *, rules: Any = (), **options: Any) -> FusedProcessor:
    """The processor that fits ``model(kind, **options)``."""
    limits = {k: options.pop(k) for k in tuple(options) if k.startswith("max_")}
    picture, sound = EfficientNetLite0ImageProcessorPil, SoundStatesExtractor(feature_size=HEARD)
    side = {"default": 64, "large": 32, "precomputed": 32}[kind]
    if kind == "large":
        picture = SiglipImageProcessorPil
        sound = WhisperFeatureExtractor(feature_size=20, chunk_length=1)
    images = picture(size={"height": side, "width": side})
    return FusedProcessor.for_model(
        config(kind, **options), images, sound, tokenizer(), rules=rules, **limits
    )


def item(seed: int = 0, kind: str = "precomputed", *, without: Any = (), **changes: Any) -> Any:
    """A random clip of about four seconds with every modality but those left out."""
    chance = np.random.default_rng(seed)
    words = ["buy", "now", "dog", "run", "hello", "free", "fight", "sun"]
    lines = [
        TimedText(float(at), at + 1.0, " ".join(chance.choice(words, 4))) for at in (0.5, 1.7, 3.1)
    ]
    given = {
        "posted": PostedText(f"title {seed}", " ".join(chance.choice(words, 3))),
        "speech": lines[:2],
        "screen_text": lines[2:],
        "motion": chance.normal(size=MOTION),
        **_sight(chance, kind),
        **_sound(chance, kind),
    }
    gone = {"caption": ("posted",), "visual": ("frames", "frame_features"),
            "sound": ("sound", "sound_states")}  # fmt: skip
    for name in without:
        for key in gone.get(name, (name,)):
            given.pop(key, None)
    return FusedItem(**(given | changes))


def _sight(chance: np.random.Generator, kind: str) -> dict[str, Any]:
    times = np.sort(chance.uniform(0, 4, 5))
    if kind == "precomputed":
        maps = chance.normal(size=(5, SEEN, 3, 3)).astype(np.float32)
        return {"frame_features": maps, "frame_times_s": times}
    frames = chance.integers(0, 256, (5, 40, 30, 3), dtype=np.uint8)
    return {"frames": frames, "frame_times_s": times}


def _sound(chance: np.random.Generator, kind: str) -> dict[str, Any]:
    if kind == "large":
        return {"sound": chance.normal(size=20_000).astype(np.float32) * 0.1}
    return {"sound_states": chance.normal(size=(23, HEARD)).astype(np.float32),
            "states_per_second": 6.0}  # fmt: skip
