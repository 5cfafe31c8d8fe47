"""Towers give grids and rows of states, whichever model they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoModel,
    CLIPVisionConfig,
    Dinov2WithRegistersConfig,
    Siglip2VisionConfig,
    SiglipVisionConfig,
)
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from coefvq.errors import ModelError
from coefvq.mllm.fused import EfficientNetLite0Config, PrecomputedConfig
from coefvq.mllm.fused.extractors import EfficientNetLite0ImageProcessorPil
from coefvq.mllm.fused.towers import (
    EfficientNetLite0Model,
    _vision_inputs,
    build_tower,
    grid_side,
    listen,
    look,
    tower_width,
)
from coefvq.signals.tower import prepare
from coefvq.towers.efficientnet_lite import read_weights, weights_path
from tests.unit.mllm.fused import parts

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION = [
    pytest.param(EfficientNetLite0Config(image_size=96), 96, id="efficientnet"),
    pytest.param(
        SiglipVisionConfig(**SMALL, intermediate_size=8, image_size=32, patch_size=8), 32,
        id="siglip",
    ),
    pytest.param(
        Siglip2VisionConfig(**SMALL, intermediate_size=8, patch_size=8, num_patches=16), 32,
        id="siglip2",
    ),
    pytest.param(
        CLIPVisionConfig(**SMALL, intermediate_size=8, image_size=32, patch_size=8), 32,
        id="clip with a class token",
    ),
    pytest.param(
        Dinov2WithRegistersConfig(**SMALL, image_size=32, patch_size=8, num_register_tokens=4), 32,
        id="dino with registers",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("config", "side"), VISION)
def test_a_grid_of_the_promised_size(config, side):
    torch.manual_seed(0)
    tower = build_tower(config).eval()
    with torch.inference_mode():
        found = look(tower, torch.randn(2, 3, side, side))
    cells = grid_side(config)
    assert found.shape == (2, cells, cells, tower_width(config))
    assert found.isfinite().all()
    assert not torch.allclose(found[0], found[1])


def test_the_grid_keeps_rows_and_columns():
    tower = EfficientNetLite0Model(EfficientNetLite0Config())
    weights = read_weights(weights_path())
    tower.network.load_state_dict({k: v for k, v in weights.items() if "classes" not in k})
    dark = torch.full((1, 3, 160, 160), -1.0)
    bright = dark.clone()
    bright[:, :, :40, 120:] = 1.0  # the upper right corner
    with torch.inference_mode():
        change = (look(tower.eval(), bright) - look(tower, dark)).abs().mean(-1)[0]
    corners = {(row, column): change[row : row + 2, column : column + 2].mean().item()
               for row in (0, 3) for column in (0, 3)}  # fmt: skip
    assert max(corners, key=lambda at: corners[at]) == (0, 3)


def test_efficientnet_is_the_prefilters_network():
    from coefvq.signals.tower import load_network

    tower = EfficientNetLite0Model(EfficientNetLite0Config()).eval()
    weights = read_weights(weights_path())
    tower.network.load_state_dict({k: v for k, v in weights.items() if "classes" not in k})
    frames = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    ours = EfficientNetLite0ImageProcessorPil()(images=list(frames), return_tensors="pt")
    with torch.inference_mode():
        found = look(tower, ours["pixel_values"]).mean((1, 2))
        wanted = load_network()(prepare(frames))
    assert torch.allclose(found, wanted, atol=1e-3)


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (224, 224)], ids=str)
def test_pictures_are_squeezed_not_cropped(shape):
    frame = np.zeros((*shape, 3), np.uint8)
    frame[:, -3:] = 255
    frame[-3:] = 255
    ready = EfficientNetLite0ImageProcessorPil()(images=[frame], return_tensors="np")
    picture = ready["pixel_values"][0]
    assert picture.shape == (3, 224, 224)
    assert picture[0, 0, 0] == pytest.approx(-127 / 128, abs=1e-5)
    assert picture[0, 0, -1] == pytest.approx(1.0, abs=1e-5)
    assert picture[0, -1, 0] == pytest.approx(1.0, abs=1e-5)


def test_siglip2_gets_patches_as_its_own_processor_cuts_them():
    config = Siglip2VisionConfig(**SMALL, intermediate_size=8, patch_size=8, num_patches=16)
    frame = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    theirs = Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)(
        images=[Image.fromarray(frame)], return_tensors="pt"
    )
    picture = torch.from_numpy(frame).permute(2, 0, 1)[None] / 127.5 - 1.0
    ours = _vision_inputs(AutoModel.from_config(config), picture)
    assert torch.allclose(ours["pixel_values"], theirs["pixel_values"].float(), atol=0.02)
    assert ours["spatial_shapes"].tolist() == theirs["spatial_shapes"].tolist()


def test_whisper_is_its_encoder_alone():
    config = parts.config("large").sound_config
    tower = build_tower(config).eval()
    assert type(tower).__name__ == "WhisperEncoder"
    with torch.inference_mode():
        found = listen(tower, torch.randn(3, 20, 100))
    assert found.shape == (3, 50, 16)
    assert tower_width(config) == 16


def test_a_precomputed_tower_is_no_module_and_says_so():
    config = PrecomputedConfig(hidden_size=9)
    assert build_tower(config) is None
    assert tower_width(config) == 9
    assert grid_side(config) == 0
    with pytest.raises(ModelError, match="vision_features"):
        look(None, torch.zeros(1, 3, 8, 8))
    with pytest.raises(ModelError, match="sound_features"):
        listen(None, torch.zeros(1, 20, 100))


def test_an_output_that_is_no_grid_is_refused():
    class Odd(torch.nn.Module):
        dtype = torch.float32
        config = CLIPVisionConfig()

        def forward(self, pixel_values):
            states = torch.zeros(1, 60, 4)
            return type("Found", (), {"last_hidden_state": states})

    with pytest.raises(ModelError, match="no square"):
        look(Odd(), torch.zeros(1, 3, 8, 8))


def test_random_weights_let_the_signal_through():
    torch.manual_seed(0)
    tower = EfficientNetLite0Model(EfficientNetLite0Config(image_size=64)).eval()
    with torch.inference_mode():
        found = look(tower, torch.randn(4, 3, 64, 64))
    assert found.std() > 1e-2
