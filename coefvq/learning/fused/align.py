"""First phase: LoRA, projectors, embeddings and heads end to end, on what every fold may see."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coefvq.learning.clock import Progress
from coefvq.learning.fused.dropping import drawn_dropout, without
from coefvq.learning.fused.example import POLICIES, Example
from coefvq.learning.fused.fit import Rates, batches, fit
from coefvq.learning.fused.reasons import reason_of
from coefvq.mllm.fused.configuration import MODALITIES
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.losses import next_token_loss
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.trained import trained_parameters

BATCH = 8


def align(
    model: FusedForConditionalGeneration,
    processor: Any,
    examples: Sequence[Example],
    items: Sequence[FusedItem],
    place: Path,
    rates: Rates,
    *,
    seed: int,
    epochs: int,
    progress: Progress,
) -> dict[str, Tensor]:
    """Train everything that is trained on the examples marked ``align``.

    Args:
        place: File of the finished tensors.

    Returns:
        The trained tensors by name.
    """
    chosen = [index for index, example in enumerate(examples) if example.align]
    set_motion_scale(model, [items[index] for index in chosen])
    chance = random.Random(f"{seed}/align")
    lengths = [rough_length(item) for item in items]
    steps: list[list[int]] = []
    for _ in range(epochs):
        order = chance.sample(chosen, len(chosen))
        steps += batches(order, lengths, BATCH, chance)

    def loss_of(rows: Sequence[int], step: int) -> Tensor:
        shown = [without(items[i], drawn_dropout(examples[i], step)) for i in rows]
        told = [reason_of(examples[i], item) for i, item in zip(rows, shown, strict=True)]
        batch = processor(shown, reasons=told)
        return batch_loss(model, batch, batch.pop("labels"), [examples[i] for i in rows])

    model.train()
    parameters = dict(trained_parameters(model))
    found = fit(
        loss_of, steps, parameters, place, rates, seed=seed, what="first phase", progress=progress
    )
    model.eval()
    return found


def batch_loss(
    model: FusedForConditionalGeneration,
    batch: Any,
    labels: Tensor,
    examples: Sequence[Example],
) -> Tensor:
    """The slots' loss, and the rationale's over the last positions only."""
    wanted = (labels != -100).nonzero()
    first = int(wanted[:, 1].min()) - 1 if len(wanted) else labels.shape[1] - 1
    targets, weights = slot_targets(examples)
    output = model(
        **batch,
        slot_labels=targets,
        slot_weights=weights,
        dropped=torch.zeros(len(examples), len(MODALITIES), dtype=torch.bool),
        logits_to_keep=labels.shape[1] - first,
        use_cache=False,
    )
    if not len(wanted):
        return output.loss
    return output.loss + model.config.lm_loss_weight * next_token_loss(
        output.logits, labels[:, first:]
    )


def slot_targets(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Targets (B, P), NaN where not labelled, and weights (B, P)."""
    targets = [[example.targets.get(p, float("nan")) for p in POLICIES] for example in examples]
    weights = [[example.weights.get(p, 1.0) for p in POLICIES] for example in examples]
    return torch.tensor(targets), torch.tensor(weights)


def set_motion_scale(model: FusedForConditionalGeneration, items: Sequence[FusedItem]) -> None:
    """Measure mean and spread of the motion statistics once, before training.

    The spread is that of the rows at hand, so that a single one has a spread too.
    """
    rows = [item.motion for item in items if item.motion is not None]
    if model.late is None or not rows:
        return
    motion = torch.from_numpy(np.stack(rows)).float()
    model.late.scale_motion.get_buffer("mean").copy_(motion.mean(0))
    model.late.scale_motion.get_buffer("spread").copy_(motion.std(0, correction=0) + 1e-6)


def rough_length(item: FusedItem) -> int:
    """A rough measure, enough to put items of similar length into one batch."""
    lines = [*(item.speech or ()), *(item.screen_text or ())]
    posted = len(item.posted.title or "") + len(item.posted.caption or "")
    shown = 64 if item.frame_features is not None else 0
    return shown + (posted + sum(len(line.text) + 16 for line in lines)) // 4
