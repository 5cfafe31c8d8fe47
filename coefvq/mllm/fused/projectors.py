"""From tower features to language-model tokens: average in time, merge patches, project.

Compression follows NVILA (arXiv 2412.04468, section 2): neighbouring frames are averaged and
squares of patches become one token before anything is projected.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pool_groups(values: Tensor, mask: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Average groups of ``size`` neighbours over what is there.

    Args:
        values: (B, N, ...).
        mask: bool (B, N).

    Returns:
        (B, ceil(N / size), ...), zero where a group has nothing, and bool (B, ceil(N / size)).
    """
    missing = -values.shape[1] % size
    mask = F.pad(mask, (0, missing)).unflatten(1, (-1, size))
    values = F.pad(values, (0, 0) * (values.dim() - 2) + (0, missing)).unflatten(1, (-1, size))
    weights = mask.to(values.dtype).reshape(*mask.shape, *[1] * (values.dim() - 3))
    # A padded place may hold anything, also NaN: it is replaced, not multiplied away.
    kept = torch.where(weights > 0, values, torch.zeros_like(values))
    return kept.sum(2) / weights.sum(2).clamp(min=1.0), mask.any(2)


def merge_patches(grid: Tensor, side: int, mode: str) -> Tensor:
    """Merge ``side`` x ``side`` squares of patches; an incomplete square is filled up.

    Args:
        grid: (B, G, rows, columns, C).
        mode: ``concat`` (filled with zeros) or ``mean`` (over the patches that are there).

    Returns:
        (B, G, tokens, C * side * side) for ``concat``, (B, G, tokens, C) for ``mean``.
    """
    rows, columns = grid.shape[2:4]
    grid = F.pad(grid, (0, 0, 0, -columns % side, 0, -rows % side))
    cut = grid.unflatten(3, (-1, side)).unflatten(2, (-1, side)).transpose(3, 4)
    cut = cut.flatten(2, 3).flatten(3, 4)  # (B, G, tokens, side * side, C)
    if mode == "concat":
        return cut.flatten(3)
    there = F.pad(grid.new_ones(rows, columns), (0, -columns % side, 0, -rows % side))
    there = there.unflatten(1, (-1, side)).unflatten(0, (-1, side)).transpose(1, 2)
    return cut.sum(3) / there.flatten(0, 1).flatten(1).sum(1)[:, None]


def tokens_a_group(rows: int, columns: int, side: int) -> int:
    """How many tokens ``merge_patches`` makes of one grid."""
    return -(-rows // side) * -(-columns // side)


class TimeEncoding(nn.Linear):
    """Tells a token its second: sine and cosine at periods 2, 4, 8, ... s, linearly mapped.

    The map starts at zero, so time is silent until it is learnt.
    """

    def __init__(self, bands: int, width: int):
        super().__init__(2 * bands, width, bias=False)
        self.bands = bands

    def forward(self, seconds: Tensor) -> Tensor:
        """(...) seconds to (..., width)."""
        octave = torch.arange(1, self.bands + 1, device=seconds.device, dtype=torch.float32)
        angle = seconds.float()[..., None] * (2.0 * math.pi / torch.exp2(octave))
        return super().forward(torch.cat([angle.sin(), angle.cos()], -1).to(self.weight.dtype))


class Projector(nn.Module):
    """Two layers from a tower's width to the text width, scaled like text embeddings."""

    def __init__(self, inside: int, middle: int, outside: int, bands: int, scale: float):
        super().__init__()
        self.scale = scale
        self.norm = nn.LayerNorm(inside)
        self.up = nn.Linear(inside, middle)
        self.down = nn.Linear(middle, outside)
        self.level = nn.LayerNorm(outside)
        self.time = TimeEncoding(bands, outside)

    def forward(self, features: Tensor, seconds: Tensor) -> Tensor:
        """(..., inside) features at (...) seconds to (..., outside)."""
        x = self.norm(features.to(self.up.weight.dtype))
        x = self.level(self.down(F.gelu(self.up(x))) + self.time(seconds))
        return x * self.scale
