"""Every family as a few thousand random weights, with a real tokenizer and a chat template."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from coefvq.mllm.omni.families import family_of

FAMILIES = ("qwen2.5-omni", "qwen3-omni", "gemma4", "gemma4-deaf")
OTHER = "qwen2-vl"  # a family that is not known to the profile: pictures through AutoModel
QWEN_TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
GEMMA_TOKENS = {
    "image_token": "<|image|>",
    "audio_token": "<|audio|>",
    "video_token": "<|video|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
}
_CONTENT = (
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'video' %}VIDEO{% elif c.type == 'audio' %}AUDIO"
    "{% elif c.type == 'image' %}IMAGE{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    + _CONTENT.replace("VIDEO", "<|vision_bos|><|VIDEO|><|vision_eos|>")
    .replace("AUDIO{", "<|audio_bos|><|AUDIO|><|audio_eos|>{")
    .replace("IMAGE{", "<|vision_bos|><|IMAGE|><|vision_eos|>{")
    + "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|turn>{{ m.role }}\n"
    + _CONTENT.replace("VIDEO", "<|video|>\n")
    .replace("AUDIO{", "<|audio|>\n{")
    .replace("IMAGE{", "<|image|>\n{")
    .replace("{{ c.text }}", "{{ c.text | trim }}")
    + "<turn|>\n{% endfor %}{% if add_generation_prompt %}<|turn>model\n{% endif %}"
)
_TEXT = " Yes No yes no Rule Question You moderate videos. data, not instructions {} [] title " * 20


@cache
def tokenizer(family: str = "qwen2.5-omni") -> Any:
    """Byte-level BPE that knows any text; the special tokens are the last of its vocabulary."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([f"Yes\nNo\n{_TEXT}"], trainer)
    gemma = family.startswith("gemma")
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<bos>" if gemma else "<|im_start|>",
        eos_token="<turn|>" if gemma else "<|im_end|>",
        pad_token="<pad>",
        additional_special_tokens=["<|turn>"] if gemma else [],
        extra_special_tokens=GEMMA_TOKENS if gemma else QWEN_TOKENS,
    )
    if gemma:  # they must be among the special tokens as well
        made.add_special_tokens({"additional_special_tokens": ["<|turn>"]})
    made.chat_template = GEMMA_TEMPLATE if gemma else QWEN_TEMPLATE
    return made


def _id(family: str, name: str) -> int:
    tokens = GEMMA_TOKENS if family.startswith("gemma") else QWEN_TOKENS
    return int(tokenizer(family).convert_tokens_to_ids(tokens[name]))


def config(family: str) -> Any:
    """Two or a few more layers, hidden size 32, and a vocabulary that fits the tokenizer."""
    if family.startswith("gemma"):
        return _gemma(family)
    if family == OTHER:
        return _qwen2_vl(family)
    return _qwen25(family) if family == "qwen2.5-omni" else _qwen3(family)


def _text(family: str, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer(family)),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "initializer_range": 0.3,
        "max_position_embeddings": 8192,
    } | more


def _qwen_ids(family: str) -> dict[str, int]:
    return {
        "image_token_id": _id(family, "image_token"),
        "video_token_id": _id(family, "video_token"),
        "audio_token_id": _id(family, "audio_token"),
        "vision_start_token_id": _id(family, "vision_bos_token"),
        "vision_end_token_id": _id(family, "vision_eos_token"),
        "audio_start_token_id": _id(family, "audio_bos_token"),
        "audio_end_token_id": _id(family, "audio_eos_token"),
    }


def _rope(**more: Any) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]} | more


def _qwen25(family: str) -> Any:
    return transformers.Qwen2_5OmniThinkerConfig(
        text_config=_text(family, rope_parameters=_rope()),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
        audio_config={
            "encoder_layers": 1,
            "d_model": 32,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "output_dim": 32,
        },
        **_qwen_ids(family),
    )


def _qwen3(family: str) -> Any:
    moe = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    return transformers.Qwen3OmniMoeThinkerConfig(
        text_config=_text(family, rope_parameters=_rope(mrope_interleaved=True), **moe),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 32,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 256,
        },
        audio_config={
            "encoder_layers": 1,
            "d_model": 32,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "output_dim": 32,
            "downsample_hidden_size": 16,
        },
        position_id_per_seconds=13,
        **_qwen_ids(family),
    )


def _qwen2_vl(family: str) -> Any:
    ids = {name: at for name, at in _qwen_ids(family).items() if not name.startswith("audio")}
    return transformers.Qwen2VLConfig(
        text_config=_text(family, rope_parameters=_rope()),
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 32,
            "mlp_ratio": 2,
            "num_heads": 2,
        },
        **ids,
    )


def _gemma(family: str) -> Any:
    hears = family == "gemma4"
    shared = {"num_kv_shared_layers": 2} if hears else {"use_bidirectional_attention": "vision"}
    layers = {"num_hidden_layers": 4, "layer_types": ["sliding_attention", "full_attention"] * 2}
    audio = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "subsampling_conv_channels": [128, 4],
        "output_proj_dims": 32,
    }
    return transformers.Gemma4Config(
        text_config=_text(
            family,
            global_head_dim=16,
            sliding_window=64,
            hidden_size_per_layer_input=8 if hears else 0,
            vocab_size_per_layer_input=len(tokenizer(family)),
            **layers,
            **shared,
        ),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "position_embedding_size": 256,
        },
        audio_config=audio if hears else None,
        boi_token_id=_id(family, "boi_token"),
        eoi_token_id=_id(family, "eoi_token"),
        image_token_id=_id(family, "image_token"),
        video_token_id=_id(family, "video_token"),
        boa_token_id=_id(family, "boa_token"),
        eoa_token_index=_id(family, "eoa_token"),
        audio_token_id=_id(family, "audio_token"),
    )


@cache
def model(family: str) -> Any:
    """A random model, float32."""
    torch.manual_seed(0)
    made = config(family)
    loader = getattr(transformers, family_of(made).model_class)
    if family == OTHER:
        return loader.from_config(made).eval().requires_grad_(False)
    return loader(made).eval().requires_grad_(False)
