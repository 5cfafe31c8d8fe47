"""The cheap signals of one video as the model's input: text, and blocks of picture statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coefvq.domain import CheapSignals
from coefvq.prefilter.text import TextRow

FRAMES, CHANGE, VISUAL, MOTION = "frames", "change", "visual", "motion"
BLOCKS = (FRAMES, CHANGE, VISUAL, MOTION)
"""What is read of the pictures. Sound is not read yet: no labelled set here has sound."""

Floats = NDArray[np.float32]
Blocks = dict[str, Floats | None]
"""By block name its vector, ``None`` where the modality is absent."""


def pooled_frames(embeddings: Floats) -> Floats:
    """Mean over frames.

    Args:
        embeddings: float32 (frames, width), at least one frame.

    Returns:
        float32 (width,).
    """
    return embeddings.mean(axis=0).astype(np.float32)


CHANGE_NAMES = (
    "step_mean", "step_most", "step_least", "step_std", "step_ends",
    "away_mean", "away_most", "angle_mean", "angle_most",
)  # fmt: skip


def frame_changes(embeddings: Floats) -> Floats:
    """How far frames lie from their neighbours and from their mean, in feature space.

    Lengths are logarithms, log(1 + x); angles are 1 - cosine. One frame alone gives zeros.

    Args:
        embeddings: float32 (frames, width), at least one frame.

    Returns:
        float32 (len(CHANGE_NAMES),).
    """
    if len(embeddings) < 2:
        return np.zeros(len(CHANGE_NAMES), dtype=np.float32)
    steps = np.linalg.norm(np.diff(embeddings, axis=0), axis=1)
    away = np.linalg.norm(embeddings - embeddings.mean(axis=0), axis=1)
    size = np.linalg.norm(embeddings, axis=1) + 1e-6
    angle = 1 - (embeddings[1:] * embeddings[:-1]).sum(axis=1) / (size[1:] * size[:-1])
    ends = np.linalg.norm(embeddings[-1] - embeddings[0])
    lengths = [steps.mean(), steps.max(), steps.min(), steps.std(), ends, away.mean(), away.max()]
    return np.asarray([*np.log1p(lengths), angle.mean(), angle.max()], dtype=np.float32)


def picture_blocks(cheap: CheapSignals | None) -> Blocks:
    """The blocks of one video; values that are not finite count as 0."""
    if cheap is None:
        return dict.fromkeys(BLOCKS)
    frames = cheap.frame_embeddings
    if frames is not None and not len(frames):
        frames = None
    found: Blocks = {
        FRAMES: None if frames is None else pooled_frames(frames),
        CHANGE: None if frames is None else frame_changes(frames),
        VISUAL: cheap.visual,
        MOTION: cheap.motion,
    }
    return {
        name: None if block is None else np.nan_to_num(np.asarray(block, dtype=np.float32))
        for name, block in found.items()
    }


@dataclass(frozen=True)
class Scaling:
    """Mean and spread of a block over the training clips.

    Attributes:
        mean: float32 (width,).
        spread: float32 (width,), at least a small positive number.
    """

    mean: Floats
    spread: Floats

    @classmethod
    def fit(cls, rows: Floats) -> Scaling:
        """Measure rows (n, width)."""
        spread = rows.std(axis=0)
        floor = max(1e-6, 0.05 * float(np.median(spread)))
        return cls(
            rows.mean(axis=0).astype(np.float32), np.maximum(spread, floor).astype(np.float32)
        )

    def __call__(self, row: Floats) -> Floats:
        """Standard units, held inside -4..4 so that one odd number decides nothing."""
        return np.clip((row - self.mean) / self.spread, -4, 4).astype(np.float32)


@dataclass(frozen=True)
class Batch:
    """Several videos as tensors.

    Attributes:
        buckets: int64 (k,), all texts' buckets one after another.
        weights: float32 (k,).
        offsets: int64 (n,), where each text begins.
        surface: float32 (n, s).
        blocks: By name float32 (n, width), standardised; rows of absent ones are 0.
        present: By name bool (n,).
    """

    buckets: Tensor
    weights: Tensor
    offsets: Tensor
    surface: Tensor
    blocks: dict[str, Tensor]
    present: dict[str, Tensor]

    @property
    def size(self) -> int:
        """How many videos."""
        return len(self.offsets)


def text_tensors(rows: Sequence[TextRow]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Buckets, weights, offsets and surface of several texts (see ``Batch``)."""
    lengths = [len(row.buckets) for row in rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return (
        torch.from_numpy(np.concatenate([row.buckets for row in rows])),
        torch.from_numpy(np.concatenate([row.weights for row in rows])),
        torch.from_numpy(offsets),
        torch.from_numpy(np.stack([row.surface for row in rows])),
    )


def block_tensors(
    rows: Sequence[Blocks], scaling: dict[str, Scaling]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Standardised blocks and which are present (see ``Batch``)."""
    blocks, present = {}, {}
    for name, scale in scaling.items():
        found = [row.get(name) for row in rows]
        values = [np.zeros_like(scale.mean) if block is None else scale(block) for block in found]
        blocks[name] = torch.from_numpy(np.stack(values))
        present[name] = torch.tensor([block is not None for block in found])
    return blocks, present


def batch(
    texts: Sequence[TextRow], pictures: Sequence[Blocks], scaling: dict[str, Scaling]
) -> Batch:
    """Put several videos together for the model."""
    return Batch(*text_tensors(texts), *block_tensors(pictures, scaling))
