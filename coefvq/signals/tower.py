"""EfficientNet-Lite0 as a frozen frame encoder: pictures in, 1280 numbers a picture out."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from coefvq.errors import ModelError
from coefvq.towers.efficientnet_lite import (
    MEAN,
    SCALE,
    SIDE,
    WIDTH,
    EfficientNetLite0,
    fold,
    read_weights,
    weights_path,
)

__all__ = [
    "SIDE",
    "WIDTH",
    "EfficientNetLite0",
    "FrameEncoder",
    "fast_precision",
    "fold",
    "frame_encoder",
    "load_network",
    "prepare",
    "weights_path",
]


def fast_precision() -> torch.dtype:
    """bfloat16 where the CPU computes it natively, else float32."""
    native = torch.backends.cpu.get_cpu_capability() == "AVX512"
    flags = torch.cpu._is_avx512_bf16_supported() if native else False
    return torch.bfloat16 if flags else torch.float32


def load_network(precision: torch.dtype = torch.float32) -> EfficientNetLite0:
    """Read the frozen network, ready to run.

    Raises:
        ModelError: The weights are missing or are not those of EfficientNet-Lite0.
    """
    path = weights_path()
    network = EfficientNetLite0()
    try:
        network.load_state_dict(read_weights(path))
    except RuntimeError as error:
        raise ModelError(f"{path} is not EfficientNet-Lite0; reinstall the wheel.") from error
    network.requires_grad_(False)
    return network.eval().to(precision).to(memory_format=torch.channels_last)  # type: ignore


def prepare(frames: NDArray[np.uint8]) -> Tensor:
    """Frames (n, H, W, 3) as normalised float32 (n, 3, 224, 224), channels last.

    The whole picture is squeezed to a square: a crop would lose the borders, where overlays sit.
    """
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
    if pictures.shape[2:] != (SIDE, SIDE):
        size = (SIDE, SIDE)
        pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True)
    return pictures.float().sub_(MEAN).div_(SCALE).contiguous(memory_format=torch.channels_last)


class FrameEncoder:
    """Frozen EfficientNet-Lite0 over frames; the same frames give the same numbers."""

    def __init__(self, precision: torch.dtype | None = None):
        self.precision = fast_precision() if precision is None else precision
        self.network = load_network(self.precision)

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pooled features float32 (n, 1280) of RGB frames uint8 (n, H, W, 3)."""
        with torch.inference_mode():
            features = self.network(prepare(frames).to(self.precision))
        return features.float().numpy()


@cache
def frame_encoder() -> FrameEncoder:
    """The process's one encoder, loaded at first use."""
    return FrameEncoder()
