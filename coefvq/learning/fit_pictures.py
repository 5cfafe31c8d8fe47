"""Fitting the prefilter's picture part, with whole modalities left out at random.

Modality dropout is done with rows, not noise: each clip is shown complete and again without
each of its modalities, at a lower weight. The loss stays smooth, so that full-batch L-BFGS
finds the same weights every time, and the stand-ins for absent modalities are learnt with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coefvq.prefilter.features import (
    BLOCKS,
    CHANGE,
    FRAMES,
    MOTION,
    VISUAL,
    Batch,
    Blocks,
    Scaling,
    block_tensors,
)
from coefvq.prefilter.model import PICTURE_POLICIES, PrefilterNet, Shape
from coefvq.prefilter.text import STATES, SURFACE

DROPPED_WEIGHT = 0.2
"""How much a clip shown without one of its modalities counts."""


@dataclass(frozen=True)
class PictureExample:
    """One clip's blocks with its labels.

    Attributes:
        labels: By policy 0 or 1; a missing policy is unknown.
        weights: By policy how much it counts; missing: 1.
    """

    blocks: Blocks
    labels: dict[str, int]
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Penalty:
    """L2 penalties of a block's straight and bent parts, for standardised inputs."""

    straight: dict[str, float] = field(
        default_factory=lambda: {FRAMES: 3000.0, CHANGE: 30.0, VISUAL: 30.0, MOTION: 100.0}
    )
    violence: dict[str, float] = field(default_factory=lambda: {CHANGE: 1.0, MOTION: 1.0})
    bent: float = 5.0


HIDDEN = {VISUAL: 24, MOTION: 12}


def fit_scaling(rows: Sequence[Blocks]) -> dict[str, Scaling]:
    """Standardisation of each block over the clips that have it."""
    found = {}
    for name in BLOCKS:
        present = [block for row in rows if (block := row.get(name)) is not None]
        found[name] = Scaling.fit(np.stack(present))
    return found


def with_dropout(examples: Sequence[PictureExample]) -> list[PictureExample]:
    """Each example, and again without each of the modalities that it has."""
    shown = list(examples)
    for example in examples:
        has = [name for name in BLOCKS if example.blocks.get(name) is not None]
        weights = {p: DROPPED_WEIGHT * example.weights.get(p, 1.0) for p in example.labels}
        for name in has if len(has) > 1 else ():
            left: Blocks = {**example.blocks, name: None}
            shown.append(PictureExample(left, example.labels, weights))
    return shown


def picture_batch(rows: Sequence[Blocks], scaling: dict[str, Scaling]) -> Batch:
    """A batch without any text."""
    blocks, present = block_tensors(rows, scaling)
    count = len(rows)
    return Batch(
        buckets=torch.zeros(0, dtype=torch.int64),
        weights=torch.zeros(0),
        offsets=torch.zeros(count, dtype=torch.int64),
        surface=torch.zeros(count, len(SURFACE) + len(STATES)),
        blocks=blocks,
        present=present,
    )


def fit_pictures(
    examples: Sequence[PictureExample],
    scaling: dict[str, Scaling],
    *,
    seed: int = 0,
    penalty: Penalty | None = None,
    steps: int = 100,
) -> PrefilterNet:
    """Fit a network's picture part; its text part stays empty."""
    torch.manual_seed(seed)
    shown = with_dropout(examples)
    batch = picture_batch([example.blocks for example in shown], scaling)
    target, weight = _targets(shown)
    widths = {name: len(scale.mean) for name, scale in scaling.items()}
    net = PrefilterNet(Shape(widths, HIDDEN, buckets=1))
    parameters = [*net.branches.parameters(), net.picture_bias]
    pull = penalty or Penalty()

    def loss() -> Tensor:
        fit = torch.nn.functional.binary_cross_entropy_with_logits(
            net.picture_logits(batch), target, weight=weight, reduction="sum"
        )
        return fit + _penalty(net, pull)

    minimise(parameters, loss, steps)
    return net


def minimise(parameters: Sequence[Tensor], loss: Callable[[], Tensor], steps: int) -> float:
    """Full-batch L-BFGS, which is deterministic. Returns the first loss of the run."""
    solver = torch.optim.LBFGS(
        parameters, max_iter=steps, history_size=8, line_search_fn="strong_wolfe",
        tolerance_change=1e-7,
    )  # fmt: skip

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss()
        value.backward()
        return value

    return float(solver.step(closure).detach())


def _targets(examples: Sequence[PictureExample]) -> tuple[Tensor, Tensor]:
    """Labels and weights (n, 4); weight 0 where a label is unknown."""
    target = torch.zeros(len(examples), len(PICTURE_POLICIES))
    weight = torch.zeros_like(target)
    for row, example in enumerate(examples):
        for column, policy in enumerate(PICTURE_POLICIES):
            if policy in example.labels:
                target[row, column] = float(example.labels[policy])
                weight[row, column] = example.weights.get(policy, 1.0)
    return target, weight


def _penalty(net: PrefilterNet, pull: Penalty) -> Tensor:
    total = torch.zeros(())
    for name in BLOCKS:
        branch = net.branch(name)
        straight = branch.straight.weight
        total = total + pull.violence.get(name, 1.0) / 2 * (straight[0] ** 2).sum()
        total = total + pull.straight[name] / 2 * (straight[1:] ** 2).sum()
        total = total + 0.05 * (branch.absent**2).sum()
        if branch.into is not None and branch.out is not None:
            bent = (branch.into.weight**2).sum() + (branch.out.weight**2).sum()
            total = total + pull.bent / 2 * bent
    return total


def picture_logits(
    net: PrefilterNet, rows: Sequence[Blocks], scaling: dict[str, Scaling]
) -> NDArray[np.float64]:
    """Log-odds (n, 4) of ``PICTURE_POLICIES``."""
    with torch.no_grad():
        return net.picture_logits(picture_batch(rows, scaling)).numpy().astype(np.float64)
