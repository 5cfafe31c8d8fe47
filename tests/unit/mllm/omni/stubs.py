"""A processor that needs no torchvision: a real tokenizer, and made-up tokens for media."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from coefvq.mllm.omni.families import Family
from tests.unit.mllm.omni import tiny_omni

VIDEO = Family("stub", "none", sound_s=30.0)
WOVEN = Family("stub", "none", woven=True, sound_s=300.0)
STILLS = Family("stub", "none", video=False)
TOKENS_A_FRAME = 3


class StubProcessor:
    """Turns every frame into ``TOKENS_A_FRAME`` video tokens and every second into one of sound."""

    def __init__(self, template: str | None = None, family: str = "qwen2.5-omni"):
        self.tokenizer = tiny_omni.tokenizer(family)
        self.chat_template = template
        self.calls: list[dict[str, Any]] = []
        self.whole: list[dict[str, Any]] = []
        for kind in ("image", "audio", "video"):
            token = tiny_omni.QWEN_TOKENS[f"{kind}_token"]
            setattr(self, f"{kind}_token", token)
            setattr(self, f"{kind}_token_id", self.tokenizer.convert_tokens_to_ids(token))

    def __call__(self, text: list[str], **given: Any) -> dict[str, Any]:
        self.calls.append({"text": text, **given})
        ids: list[int] = []
        found: dict[str, Any] = {}
        if "videos" in given:
            frames = given["videos"][0]
            assert frames.shape[1] == 3 and frames.dtype == torch.uint8
            ids += [self.video_token_id] * (len(frames) * TOKENS_A_FRAME)
            found["pixel_values_videos"] = torch.zeros(len(frames), 4)
        if "audio" in given:
            ids += [self.audio_token_id] * (len(given["audio"][0]) // given["sampling_rate"])
            found["input_features"] = torch.zeros(1, 4)
        tokens = torch.tensor([ids])
        return found | {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}

    def apply_chat_template(self, messages: list[dict[str, Any]], **given: Any) -> dict[str, Any]:
        self.whole.append({"messages": messages, **given})
        given = {name: x for name, x in given.items() if name != "return_tensors"}
        ids = self.tokenizer.apply_chat_template(messages, **given)["input_ids"]
        tokens = torch.tensor([ids])
        return {
            "input_ids": tokens,
            "attention_mask": torch.ones_like(tokens),
            "pixel_values": torch.zeros(1, 4),
        }


def frames(count: int) -> np.ndarray:
    """Black frames."""
    return np.zeros((count, 4, 6, 3), np.uint8)


def sound(seconds: float) -> np.ndarray:
    """Silence."""
    return np.zeros(int(seconds * 16_000), np.float32)
