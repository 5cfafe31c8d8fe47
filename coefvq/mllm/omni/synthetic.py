"""A made-up video in the form in which the families' processors hand it to the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from coefvq.errors import SettingsError

_MEL_PER_SECOND = 100


@dataclass(frozen=True)
class Clip:
    """Size of the made-up video.

    Attributes:
        frames: At least 1.
        height: Pixels, of the frames as sampled.
        width: Pixels.
        sound_s: Seconds; 0.0: none.
        text_tokens: Tokens of text around the media.
    """

    frames: int = 16
    height: int = 252
    width: int = 448
    sound_s: float = 30.0
    text_tokens: int = 400


def synthetic_inputs(config: Any, clip: Clip, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random model inputs as in ``Reading.inputs``: a video, then its sound, then text.

    Raises:
        SettingsError: For a family whose input form is not known here.
    """
    chance = torch.Generator().manual_seed(seed)
    if config.model_type == "gemma4":
        video, audio = _gemma_video(config, clip, chance), _gemma_audio(config, clip, chance)
    elif config.model_type.endswith("_thinker"):
        video, audio = _qwen_video(config, clip, chance), _qwen_audio(config, clip, chance)
    else:
        raise SettingsError(f"No made-up input is known for a model of kind '{config.model_type}'.")
    (before, video_inputs), (between, audio_inputs) = video, audio
    # Low ids: ordinary words in every vocabulary, special tokens are at its end or below 8.
    words = torch.randint(8, 200, (clip.text_tokens,), generator=chance).tolist()
    ids = [*words[:8], *before, *between, *words[8:]]
    inputs = {"input_ids": torch.tensor([ids], dtype=torch.long)} | video_inputs | audio_inputs
    if config.model_type == "gemma4":
        kinds = [_kind(config, token) for token in ids]
        inputs["mm_token_type_ids"] = torch.tensor([kinds], dtype=torch.long)
    return inputs


_Part = tuple[list[int], dict[str, torch.Tensor]]


def _qwen_video(config: Any, clip: Clip, chance: torch.Generator) -> _Part:
    vision = config.vision_config
    merge, patch, span = vision.spatial_merge_size, vision.patch_size, vision.temporal_patch_size
    side = patch * merge
    times = -(-clip.frames // span)
    high, wide = max(1, clip.height // side) * merge, max(1, clip.width // side) * merge
    pixels = torch.randn(times * high * wide, 3 * span * patch * patch, generator=chance)
    count = times * high * wide // merge**2
    ids = [
        config.vision_start_token_id,
        *[config.video_token_id] * count,
        config.vision_end_token_id,
    ]
    return ids, {
        "pixel_values_videos": pixels,
        "video_grid_thw": torch.tensor([[times, high, wide]]),
        "video_second_per_grid": torch.tensor([1.0]),
    }


def _qwen_audio(config: Any, clip: Clip, chance: torch.Generator) -> _Part:
    length = int(clip.sound_s * _MEL_PER_SECOND)
    if not length:
        return [], {}
    if config.model_type.startswith("qwen3"):
        chunk = config.audio_config.n_window * 2
        left = (length % chunk - 1) // 2 + 1
        count = ((left - 1) // 2 + 1 - 1) // 2 + 1 + length // chunk * 13
    else:
        count = ((length - 1) // 2 + 1 - 2) // 2 + 1
    end = getattr(config, "audio_end_token_id", config.audio_start_token_id + 1)
    features = torch.randn(1, config.audio_config.num_mel_bins, length, generator=chance)
    return [config.audio_start_token_id, *[config.audio_token_id] * count, end], {
        "input_features": features,
        "feature_attention_mask": torch.ones(1, length, dtype=torch.long),
    }


def _gemma_video(config: Any, clip: Clip, chance: torch.Generator) -> _Part:
    vision = config.vision_config
    pool, most = vision.pooling_kernel_size, 70 * vision.pooling_kernel_size**2
    scale = (most * vision.patch_size**2 / (clip.height * clip.width)) ** 0.5
    side = pool * vision.patch_size
    high, wide = (int(scale * x) // side * pool for x in (clip.height, clip.width))
    grid = torch.stack(torch.meshgrid(torch.arange(wide), torch.arange(high), indexing="xy"), -1)
    places = torch.full((clip.frames, most, 2), -1)
    places[:, : high * wide] = grid.reshape(1, -1, 2)
    pixels = torch.rand(clip.frames, most, 3 * vision.patch_size**2, generator=chance)
    frame = [config.boi_token_id, *[config.video_token_id] * (high * wide // pool**2)]
    return [*frame, config.eoi_token_id] * clip.frames, {
        "pixel_values_videos": pixels,
        "video_position_ids": places,
        "num_frames_per_video": torch.tensor([clip.frames]),
    }


def _gemma_audio(config: Any, clip: Clip, chance: torch.Generator) -> _Part:
    length = int(min(clip.sound_s, 30.0) * _MEL_PER_SECOND)
    if not length or config.audio_config is None:
        return [], {}
    count = length
    for _ in range(2):
        count = (count - 1) // 2 + 1
    return [config.boa_token_id, *[config.audio_token_id] * count, config.eoa_token_index], {
        "input_features": torch.randn(1, length, 128, generator=chance),
        "input_features_mask": torch.ones(1, length, dtype=torch.bool),
    }


def _kind(config: Any, token: int) -> int:
    kinds = {config.image_token_id: 1, config.video_token_id: 2, config.audio_token_id: 3}
    return kinds.get(token, 0)
