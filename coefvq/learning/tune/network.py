"""The open half of the network learns from corrections, and is held to what it knew."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from coefvq.learning.fused.fit import Rates, batches, fit
from coefvq.learning.monitor import Monitor
from coefvq.learning.tune.options import TuneOptions
from coefvq.learning.tune.parent import Parent
from coefvq.learning.tune.preference import Aims, tuning_loss
from coefvq.learning.tune.states import DROPPED, PLAIN, Kept
from coefvq.mllm.fused.losses import slot_loss

TRAINING = "training the network"
_HELD, _LOOKS = 48, 10
_DECAY = 0.1


def train_network(
    parent: Parent,
    rows: Sequence[Kept],
    aims: Aims,
    held: Callable[[], float | None],
    place: Path,
    options: TuneOptions,
    monitor: Monitor,
) -> int:
    """Train the open half in place, or take up a half-done or finished run.

    Args:
        held: The loss on held-out items as the network is now; ``None`` without any.
        place: File of the finished tensors.

    Returns:
        Item-steps of the whole run.
    """
    steps = drawn_steps(rows, options)
    every = max(1, len(steps) // _LOOKS)

    def loss_of(chosen: Sequence[int], _: int) -> Tensor:
        at = [number % len(rows) for number in chosen]
        forms = [DROPPED if number >= len(rows) else PLAIN for number in chosen]
        states = [rows[row].lower(form) for row, form in zip(at, forms, strict=True)]
        output, log_mass = parent.above(states)
        return tuning_loss(output, log_mass, aims.of(at), options)

    def after(done: int, loss: float) -> None:
        monitor.progress(done, len(steps), TRAINING)
        monitor.loss(done, "training", loss)
        if done % every == 0 or done == len(steps):
            parent.model.eval()
            value = held()
            parent.model.train()
            if value is not None:
                monitor.loss(done, "held out", value)
        monitor.check()

    rates = Rates(options.adapter_rate, 0.0, options.head_rate, head_decay=_DECAY)
    parent.model.train()
    try:
        fit(
            loss_of, steps, parent.open_parameters(), place, rates, seed=options.seed,
            what=TRAINING, progress=lambda _: None, after=after,
        )  # fmt: skip
    finally:
        parent.model.eval()
    return sum(map(len, steps))


def drawn_steps(rows: Sequence[Kept], options: TuneOptions) -> list[list[int]]:
    """Numbers of items by step; every other time an item is seen with modality dropout.

    A number of ``len(rows)`` or more is an item's other form. At most ``options.item_steps``.
    """
    chance = random.Random(f"{options.seed}/steps")
    lengths = [len(row.words[0]) for row in rows]
    steps: list[list[int]] = []
    for epoch in range(options.epochs):
        order = chance.sample(range(len(rows)), len(rows))
        for step in batches(order, lengths, options.batch, chance):
            odd = epoch % 2 == 1
            steps.append([at + len(rows) * (odd and DROPPED in rows[at].forms) for at in step])
    return _capped(steps, options.item_steps)


def _capped(steps: list[list[int]], most: int) -> list[list[int]]:
    kept, left = [], most
    for step in steps:
        if left <= 0:
            break
        kept.append(step[:left])
        left -= len(kept[-1])
    return kept


def held_loss(
    parent: Parent, rows: Sequence[Kept], targets: Tensor, weights: Tensor, batch: int
) -> Callable[[], float | None]:
    """A function that measures the slots' loss on the first held-out items."""
    known = [at for at in range(len(rows)) if bool((~targets[at].isnan()).any())][:_HELD]

    def measure() -> float | None:
        if not known:
            return None
        logits = []
        for start in range(0, len(known), batch):
            states = [rows[at].lower() for at in known[start : start + batch]]
            logits += [said.slot_logits for said in parent.answers(states)]
        return float(slot_loss(torch.stack(logits), targets[known], weights[known]))

    return measure
