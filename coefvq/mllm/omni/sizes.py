"""Settings of the published model sizes, for measuring without their weights.

The numbers are those of the published ``config.json`` files as far as known here; the parameter
count that ``measure`` prints tells whether they are right. Gemma's are not among them: name a
folder with its ``config.json`` instead.
"""

from __future__ import annotations

from typing import Any

_VISION_TOKENS: dict[str, Any] = {"vision_start_token_id": 151652, "vision_end_token_id": 151653}
SIZES = ("qwen2.5-omni-3b", "qwen2.5-omni-7b", "qwen3-omni-30b-a3b")


def config_of(size: str) -> Any:
    """The thinker's settings of one of ``SIZES``."""
    if size == "qwen3-omni-30b-a3b":
        return _qwen3()
    return _qwen25(3 if size == "qwen2.5-omni-3b" else 7)


def _qwen25(billions: int) -> Any:
    from transformers import Qwen2_5OmniThinkerConfig

    small = {
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
    }
    text: dict[str, Any] = small if billions == 3 else {"hidden_size": 3584}
    text["rope_parameters"] = {
        "rope_type": "default",
        "rope_theta": 1_000_000.0,
        "mrope_section": [16, 24, 24],
    }
    width = text["hidden_size"]
    return Qwen2_5OmniThinkerConfig(
        text_config=text,
        vision_config={"hidden_size": 1280, "out_hidden_size": width},
        audio_config={"output_dim": width},
        **_VISION_TOKENS,
    )


def _qwen3() -> Any:
    from transformers import Qwen3OmniMoeThinkerConfig

    rope = {
        "rope_type": "default",
        "rope_theta": 1_000_000.0,
        "mrope_section": [24, 20, 20],
        "mrope_interleaved": True,
    }
    return Qwen3OmniMoeThinkerConfig(
        text_config={
            "vocab_size": 152064,
            "hidden_size": 2048,
            "intermediate_size": 768,
            "num_hidden_layers": 48,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "head_dim": 128,
            "rope_parameters": rope,
        },
        vision_config={"out_hidden_size": 2048},
        audio_config={"output_dim": 2048},
        position_id_per_seconds=13,
        audio_token_id=151675,
        audio_start_token_id=151669,
        **_VISION_TOKENS,
    )
