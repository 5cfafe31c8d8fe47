"""Puts the model together from its parts: a language model, towers, fresh projectors and heads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedConfig

from coefvq.errors import ModelError
from coefvq.mllm.decoder import NO, YES, load_language_model
from coefvq.mllm.fused.configuration import EfficientNetLite0Config, FusedConfig, PrecomputedConfig
from coefvq.mllm.fused.extractors import EfficientNetLite0ImageProcessorPil, SoundStatesExtractor
from coefvq.mllm.fused.layout import MARKS, claim_marks
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.processing import FusedProcessor
from coefvq.mllm.fused.towers import EfficientNetLite0Model
from coefvq.towers.efficientnet_lite import read_weights, weights_path


def configure(
    tokenizer: Any,
    policies: Sequence[str],
    *,
    text_config: PreTrainedConfig,
    vision_config: PreTrainedConfig | None = None,
    sound_config: PreTrainedConfig | None = None,
    **options: Any,
) -> FusedConfig:
    """Make a configuration for a tokenizer; marks that it lacks are added to it.

    Args:
        options: Any field of ``FusedConfig``.

    Raises:
        ModelError: If the tokenizer has no single token for yes or for no.
    """
    marks = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in claim_marks(tokenizer).items()
    }
    assert len(marks) == len(MARKS)
    return FusedConfig(
        text_config=text_config,
        vision_config=vision_config or EfficientNetLite0Config(),
        sound_config=sound_config or PrecomputedConfig(),
        policies=list(policies),
        yes_token_ids=single_tokens(tokenizer, YES),
        no_token_ids=single_tokens(tokenizer, NO),
        **marks,
        **options,
    )


def single_tokens(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """Ids of those spellings that are one token.

    Raises:
        ModelError: If there is none.
    """
    encoded = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    found = sorted({ids[0] for ids in encoded if len(ids) == 1})
    if not found:
        raise ModelError(f"The tokenizer has no single token for any of {', '.join(words)}.")
    return found


def assemble(
    base: Path,
    policies: Sequence[str],
    *,
    rules: Sequence[str] = (),
    dtype: torch.dtype = torch.float32,
    run_vision: bool = True,
    max_tokens: int = 640,
    **options: Any,
) -> tuple[FusedForConditionalGeneration, FusedProcessor]:
    """Make the untrained default model from real parts.

    Everything of the language model and the tower is frozen; projectors, learnt embeddings and
    heads are new and trainable. Slot embeddings start as the colon's and absent embeddings as
    those of the word "none", so at first a prompt reads like plain text.

    Args:
        base: Folder with the language model, from ``coefvq.mllm.base.ensure_base``.
        rules: One line a policy for the system text.
        dtype: Of language model and tower; what is trained stays float32.
        run_vision: Whether to load EfficientNet-Lite0; without it, feature maps are given.
        options: Any other field of ``FusedConfig``.

    Raises:
        ModelError: If weights are missing or do not fit.
    """
    language, tokenizer = load_language_model(base, dtype)
    table = language.get_input_embeddings().weight
    options.setdefault("embedding_scale", float(table.float().square().mean().sqrt()))
    vision = EfficientNetLite0Config() if run_vision else PrecomputedConfig(hidden_size=1280)
    config = configure(
        tokenizer, policies, text_config=language.config, vision_config=vision, **options
    )
    model = FusedForConditionalGeneration(config)
    model.language_model = language
    if len(tokenizer) > table.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.generation_config = language.generation_config
    if isinstance(model.vision_tower, EfficientNetLite0Model):
        model.vision_tower.network.load_state_dict(_without_classes())
        model.vision_tower.requires_grad_(False).to(dtype)  # type: ignore[arg-type]
    _start_as_text(model, tokenizer)
    processor = FusedProcessor.for_model(
        config,
        EfficientNetLite0ImageProcessorPil(),
        SoundStatesExtractor(),
        tokenizer,
        rules=rules,
        max_tokens=max_tokens,
    )
    return model.eval(), processor


def _without_classes() -> dict[str, torch.Tensor]:
    weights = read_weights(weights_path())
    return {name: value for name, value in weights.items() if not name.startswith("classes.")}


@torch.no_grad()
def _start_as_text(model: FusedForConditionalGeneration, tokenizer: Any) -> None:
    table = cast(nn.Embedding, model.get_input_embeddings()).weight.float()
    for embedding, word in ((model.early.slots, ":"), (model.early.absent, " none")):
        ids = tokenizer(word, add_special_tokens=False)["input_ids"]
        embedding.weight.copy_(table[ids].mean(0).expand_as(embedding.weight))
