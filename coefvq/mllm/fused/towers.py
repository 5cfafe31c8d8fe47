"""Vision and sound towers: pictures to grids of features, sound to a row of states."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutput

from coefvq.errors import ModelError
from coefvq.mllm.fused.configuration import EfficientNetLite0Config, PrecomputedConfig
from coefvq.towers.efficientnet_lite import EfficientNetLite0


class EfficientNetLite0Model(PreTrainedModel):
    """The bare network as a transformers model, so that a config can name it."""

    config_class = EfficientNetLite0Config
    main_input_name = "pixel_values"
    base_model_prefix = "network"

    def __init__(self, config: EfficientNetLite0Config):
        super().__init__(config)
        self.network = EfficientNetLite0(classes=False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        # Without normalisation layers, 0.02 would let the signal vanish after a few layers.
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                init.zeros_(module.bias)

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutput:
        """Features (n, rows * columns, 1280) of normalised pictures (n, 3, S, S)."""
        pictures = pixel_values.to(memory_format=torch.channels_last)
        found = self.network.feature_map(pictures)
        return BaseModelOutput(last_hidden_state=found.flatten(2).transpose(1, 2))


AutoModel.register(EfficientNetLite0Config, EfficientNetLite0Model)


def build_tower(config: Any) -> PreTrainedModel | None:
    """Make the tower that a config names; ``None`` where its states are computed elsewhere."""
    if isinstance(config, PrecomputedConfig):
        return None
    if config.model_type == "whisper":
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        return WhisperEncoder(config)
    return AutoModel.from_config(config)


def tower_width(config: PreTrainedConfig) -> int:
    """Features a patch or a sound state has."""
    return int(config.hidden_size)


def grid_side(config: PreTrainedConfig) -> int:
    """Rows (and columns) of features that the tower makes of one of the processor's pictures."""
    if isinstance(config, PrecomputedConfig):
        return 0
    if isinstance(config, EfficientNetLite0Config):
        return -(-config.image_size // 32)
    if config.model_type == "siglip2_vision_model":
        return round(config.num_patches**0.5)
    return int(config.image_size) // int(config.patch_size)


def look(tower: PreTrainedModel | None, pictures: Tensor) -> Tensor:
    """Features (n, rows, columns, C) of pictures (n, 3, S, S).

    Raises:
        ModelError: If the model has no vision tower, or its output is no square grid.
    """
    if tower is None:
        raise ModelError(
            "This model takes precomputed feature maps (vision_features); it has no vision tower "
            "for pixel_values."
        )
    states = tower(**_vision_inputs(tower, pictures.to(tower.dtype))).last_hidden_state
    side = int(states.shape[1] ** 0.5)
    if states.shape[1] - side * side > 8:
        raise ModelError(f"The vision tower gave {states.shape[1]} features, which is no square.")
    # Class and register tokens, where a tower has them, come first.
    return states[:, states.shape[1] - side * side :].unflatten(1, (side, side))


def listen(tower: PreTrainedModel | None, sound: Tensor) -> Tensor:
    """States (n, T, C) of log-mel windows (n, bands, frames).

    Raises:
        ModelError: If the model has no sound tower.
    """
    if tower is None:
        raise ModelError(
            "This model takes precomputed sound states (sound_features); it has no sound tower "
            "for input_features."
        )
    return tower(sound.to(tower.dtype)).last_hidden_state


def _vision_inputs(tower: PreTrainedModel, pictures: Tensor) -> dict[str, Tensor]:
    if tower.config.model_type != "siglip2_vision_model":
        return {"pixel_values": pictures}
    patch = int(tower.config.patch_size)
    count, _, height, width = pictures.shape
    rows, columns = height // patch, width // patch
    cut = pictures.reshape(count, 3, rows, patch, columns, patch).permute(0, 2, 4, 3, 5, 1)
    shape = torch.tensor([[rows, columns]] * count, device=pictures.device)
    return {
        "pixel_values": cut.reshape(count, rows * columns, -1),
        "pixel_attention_mask": shape.new_ones(count, rows * columns),
        "spatial_shapes": shape,
    }
