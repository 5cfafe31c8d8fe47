"""One training loop for both phases: deterministic, resumable, with the time that remains."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from coefvq.errors import TrainingStopped
from coefvq.learning.clock import Clock, Progress

_HEADS = ("late.", "head.", "combination.")
_SAVE_EVERY = 40


@dataclass(frozen=True)
class Rates:
    """Peak learning rates of AdamW, and its decay.

    Attributes:
        adapter: Of LoRA.
        projector: Of projectors and learnt embeddings.
        head: Of late fusion, head and combination.
        decay: Weight decay of all.
        head_decay: Of late fusion and head, which small data must not overfit.
    """

    adapter: float = 4e-4
    projector: float = 5e-4
    head: float = 1e-3
    decay: float = 0.01
    head_decay: float = 0.1


Loss = Callable[[Sequence[int], int], Tensor]
"""From the numbers of a batch's examples and a seed to the loss."""


def fit(
    loss_of: Loss,
    steps: Sequence[Sequence[int]],
    parameters: Mapping[str, nn.Parameter],
    place: Path,
    rates: Rates,
    *,
    seed: int,
    what: str,
    progress: Progress,
    after: Callable[[int, float], None] | None = None,
) -> dict[str, Tensor]:
    """Train ``parameters`` in place over the steps, or take up a half-done or finished run.

    Args:
        place: File of the finished tensors; ``.partial`` beside it holds a half-done run.
        after: Told how many steps are done and the mean loss; may end the training by raising
            ``TrainingStopped``, after which a later call goes on from this step.

    Returns:
        The trained tensors by name.
    """
    if place.is_file():
        return load_into(parameters, torch.load(place))
    partial = place.with_suffix(".partial")
    optimiser = _optimiser(parameters, rates)
    first = _resume(partial, parameters, optimiser)
    clock = Clock(len(steps), what, progress, first)
    tensors, mean = list(parameters.values()), 0.0
    for number in range(first, len(steps)):
        _set_rates(optimiser, number, len(steps))
        torch.manual_seed(seed * 100_003 + number)  # dropout is the same after a restart
        loss = loss_of(steps[number], seed * 100_003 + number)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(tensors, 1.0)
        optimiser.step()
        mean = 0.95 * mean + 0.05 * float(loss.detach()) if number else float(loss.detach())
        clock.tick(f"loss {mean:.3f}")
        try:
            (after or _nothing)(number + 1, mean)
        except TrainingStopped:
            _keep(partial, number + 1, parameters, optimiser)
            raise
        if number % _SAVE_EVERY == _SAVE_EVERY - 1:
            _keep(partial, number + 1, parameters, optimiser)
    save_atomically(place, copied(parameters))
    partial.unlink(missing_ok=True)
    return copied(parameters)


def _nothing(_: int, __: float) -> None:
    return None


def _optimiser(parameters: Mapping[str, nn.Parameter], rates: Rates) -> torch.optim.Optimizer:
    kinds: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        kind = (rates.projector, rates.decay)
        if "lora_" in name:
            kind = (rates.adapter, rates.decay)
        elif name.startswith(_HEADS):
            kind = (rates.head, rates.head_decay)
        kinds.setdefault(kind, []).append(parameter)
    groups = [
        {"params": rows, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), rows in sorted(kinds.items(), key=lambda item: item[0])
    ]
    return torch.optim.AdamW(groups)


def _set_rates(optimiser: torch.optim.Optimizer, step: int, steps: int) -> None:
    warm = max(1, steps // 20)
    share = (step + 1) / warm if step < warm else 0.5 * (1 + np.cos(np.pi * step / steps))
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * float(share)


def _keep(
    partial: Path, step: int, parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> None:  # fmt: skip
    state = {"step": step, "tensors": copied(parameters), "optimiser": optimiser.state_dict()}
    save_atomically(partial, state)


def _resume(
    partial: Path, parameters: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer
) -> int:
    if not partial.is_file():
        return 0
    saved = torch.load(partial)
    load_into(parameters, saved["tensors"])
    optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])


def copied(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Detached copies."""
    return {name: value.detach().clone() for name, value in parameters.items()}


@torch.no_grad()
def load_into(
    parameters: Mapping[str, nn.Parameter], saved: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Set parameters to saved values, by name; saved values of other names are left out."""
    for name, parameter in parameters.items():
        parameter.copy_(saved[name])
    return copied(parameters)


def save_atomically(path: Path, value: object) -> None:
    """Save tensors so that a reader finds either the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    torch.save(value, scratch)
    scratch.replace(path)


def batches(
    order: Sequence[int], lengths: Sequence[int], size: int, chance: random.Random
) -> list[list[int]]:
    """Batches of similar length: sorted within stretches of eight batches, then shuffled."""
    result: list[list[int]] = []
    for start in range(0, len(order), size * 8):
        stretch = sorted(order[start : start + size * 8], key=lambda index: lengths[index])
        rows = [stretch[at : at + size] for at in range(0, len(stretch), size)]
        chance.shuffle(rows)
        result += rows
    return result
