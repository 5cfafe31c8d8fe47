"""One training run of the MLLM stage: LoRA on the upper layers over cached lower states.

The lower layers are frozen, so their states are computed once an example and kept on disk;
what is trained then costs a fifth. A run leaves one fold out; ``final`` leaves none out. States,
half-done runs and finished runs are files and are taken up again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from coefvq.learning.clock import Clock, Progress
from coefvq.learning.mllm_mix import ALWAYS, POLICIES, TRAINED_PARTS, Example
from coefvq.mllm.decoder import SplitDecoder, pool
from coefvq.mllm.prompt import Prompt, PromptBuilder

FINAL = "final"
VIDEO_PARTS = ("video", "video_moved")
LIMITS = {"overlay": 200, "comment": 600, "tweet": 450, "headline": 150}
_CHUNK = 128


@dataclass(frozen=True)
class Recipe:
    """What is trained and how. ``split`` layers stay frozen."""

    split: int = 26
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    rate: float = 4e-4
    batch: int = 16
    mass_weight: float = 0.1
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )


@dataclass(frozen=True)
class Cached:
    """An example with its prompt and its lower states, bfloat16 (tokens, hidden)."""

    example: Example
    prompt: Prompt
    states: torch.Tensor


def prepare(
    decoder: SplitDecoder,
    builder: PromptBuilder,
    examples: Sequence[Example],
    folder: Path,
    progress: Progress,
    *,
    backwards: bool = False,
) -> list[Cached]:
    """Compute the frozen half of every example, or read it where it was computed before.

    Args:
        backwards: Start from the last chunk, so that two processes meet in the middle.
    """
    prompts = [builder.build(example.lines) for example in examples]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index].ids))
    chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
    folder.mkdir(parents=True, exist_ok=True)
    names = list(range(len(chunks)))
    clock = Clock(len(names), "frozen layers", progress)
    for number in reversed(names) if backwards else names:
        if not (folder / f"{number:04d}.pt").is_file():
            rows = [prompts[index] for index in chunks[number]]
            save_atomically(folder / f"{number:04d}.pt", _lower_states(decoder, rows))
        clock.tick()
    return _read_chunks(folder, chunks, examples, prompts)


def _read_chunks(
    folder: Path,
    chunks: Sequence[Sequence[int]],
    examples: Sequence[Example],
    prompts: Sequence[Prompt],
) -> list[Cached]:
    result: dict[int, Cached] = {}
    for number, indices in enumerate(chunks):
        states = torch.load(folder / f"{number:04d}.pt", mmap=True)
        for index, row in zip(indices, states, strict=True):
            result[index] = Cached(examples[index], prompts[index], row)
    return [result[index] for index in range(len(examples))]


@torch.inference_mode()
def _lower_states(decoder: SplitDecoder, prompts: Sequence[Prompt]) -> list[torch.Tensor]:
    states: list[torch.Tensor] = []
    for start in range(0, len(prompts), 8):
        batch = prompts[start : start + 8]
        out = decoder.lower(batch).to(torch.bfloat16)
        states += [row[: len(p.ids)].clone() for row, p in zip(out, batch, strict=True)]
    return states


def pooled_states(items: Sequence[Cached]) -> np.ndarray:
    """Mean lower state over the texts of each item, float32 (items, hidden)."""
    return torch.stack([pool(item.states, item.prompt) for item in items]).numpy()


def plan_epochs(
    items: Sequence[Cached], held: int | None, epochs: int, chance: random.Random
) -> list[Cached]:
    """The examples of one run in training order, without what the run holds out.

    Videos come once an epoch, plain and moved in turn; everything else once in all, at most
    ``LIMITS`` of each kind.
    """
    allowed = [
        item
        for item in items
        if item.example.part in TRAINED_PARTS
        and (item.example.fold == ALWAYS or item.example.fold != held)
    ]
    others = [item for kind in LIMITS for item in _drawn(allowed, kind, chance)]
    chance.shuffle(others)
    plan: list[Cached] = []
    for epoch in range(epochs):
        part = VIDEO_PARTS[epoch % len(VIDEO_PARTS)]
        rows = [item for item in allowed if item.example.part == part] + others[epoch::epochs]
        chance.shuffle(rows)
        plan += rows
    return plan


def _drawn(items: Sequence[Cached], kind: str, chance: random.Random) -> list[Cached]:
    # A comment may be there in two placements; one of them is trained on.
    placements: dict[str, list[Cached]] = {}
    for item in items:
        if item.example.part.startswith(kind):
            placements.setdefault(item.example.id, []).append(item)
    rows = [chance.choice(placed) for placed in placements.values()]
    return chance.sample(rows, min(len(rows), LIMITS[kind]))


def batches(plan: Sequence[Cached], size: int, chance: random.Random) -> list[list[Cached]]:
    """Batches of similar length: sorted within stretches of eight batches, then shuffled."""
    result: list[list[Cached]] = []
    for start in range(0, len(plan), size * 8):
        stretch = sorted(plan[start : start + size * 8], key=lambda item: len(item.prompt.ids))
        rows = [stretch[at : at + size] for at in range(0, len(stretch), size)]
        chance.shuffle(rows)
        result += rows
    return result


def stack(items: Sequence[Cached]) -> tuple[torch.Tensor, torch.Tensor]:
    """Lower states padded on the right, (items, longest, hidden), and slots."""
    longest = max(len(item.prompt.ids) for item in items)
    states = torch.zeros(len(items), longest, items[0].states.shape[1], dtype=torch.bfloat16)
    for row, item in zip(states, items, strict=True):
        row[: len(item.prompt.ids)] = item.states
    return states, torch.tensor([list(item.prompt.slots.values()) for item in items])


def loss_of(
    margin: torch.Tensor, log_mass: torch.Tensor, items: Sequence[Cached], mass_weight: float
) -> torch.Tensor:
    """Cross-entropy of the labelled slots, plus a little for mass outside the label tokens."""
    rows = [item.example for item in items]
    target = torch.tensor([[float(t or 0) for t in row.targets] for row in rows])
    known = torch.tensor([[float(t is not None) for t in row.targets] for row in rows])
    weight = torch.tensor([row.weights for row in rows]) * known
    losses = binary_cross_entropy_with_logits(margin, target, reduction="none")
    return (losses * weight).sum() / weight.sum().clamp(min=1.0) - mass_weight * log_mass.mean()


def add_adapter(model: Any, recipe: Recipe) -> Any:
    """Put LoRA on the layers above the split; only it is trainable."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.targets),
        layers_to_transform=list(range(recipe.split, model.config.num_hidden_layers)),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def trained_tensors(model: Any) -> dict[str, torch.Tensor]:
    """The trainable tensors by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def train_run(
    decoder: SplitDecoder,
    model: Any,
    items: Sequence[Cached],
    name: str,
    folder: Path,
    recipe: Recipe,
    *,
    seed: int,
    epochs: int,
    progress: Progress,
) -> dict[str, torch.Tensor]:
    """Train one adapter from scratch, or take up a half-done one; returns its tensors.

    Args:
        model: The model with an adapter from ``add_adapter``; its adapter is overwritten.
        name: ``final`` or the number of the fold to hold out.
    """
    done = folder / f"run-{name}.pt"
    tensors = trained_tensors(model)
    if done.is_file():
        return _load_into(tensors, torch.load(done))
    chance = random.Random(f"{seed}/{name}")
    torch.manual_seed(seed)
    _fresh(tensors)
    plan = plan_epochs(items, None if name == FINAL else int(name), epochs, chance)
    steps = batches(plan, recipe.batch, chance)
    optimiser = torch.optim.AdamW(tensors.values(), lr=recipe.rate, weight_decay=0.01)
    partial = folder / f"run-{name}.partial.pt"
    first = _resume(partial, tensors, optimiser)
    clock = Clock(len(steps), f"run {name}", progress, first)
    model.train()
    for number in range(first, len(steps)):
        _set_rate(optimiser, recipe.rate, number, len(steps))
        loss = _step(decoder, steps[number], optimiser, tensors, recipe, seed * 100003 + number)
        clock.tick(f"loss {loss:.3f}")
        if number % 50 == 49:
            save_atomically(
                partial,
                {
                    "step": number + 1,
                    "tensors": _copy(tensors),
                    "optimiser": optimiser.state_dict(),
                },
            )
    model.eval()
    save_atomically(done, _copy(tensors))
    partial.unlink(missing_ok=True)
    return _copy(tensors)


def _step(
    decoder: SplitDecoder,
    batch: Sequence[Cached],
    optimiser: torch.optim.Optimizer,
    tensors: dict[str, torch.Tensor],
    recipe: Recipe,
    seed: int,
) -> float:
    torch.manual_seed(seed)  # dropout must not depend on where a run was taken up again
    states, slots = stack(batch)
    with torch.autocast("cpu", torch.bfloat16):
        margin, log_mass = decoder.upper(states, slots)
    loss = loss_of(margin.float(), log_mass.float(), batch, recipe.mass_weight)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(tensors.values()), 1.0)
    optimiser.step()
    return float(loss.detach())


@torch.inference_mode()
def margins(
    decoder: SplitDecoder, items: Sequence[Cached], batch: int = 16
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-odds and label mass of each item and policy, float32 (items, policies) each."""
    order = sorted(range(len(items)), key=lambda index: len(items[index].prompt.ids))
    shape = (len(items), len(POLICIES))
    margin, mass = torch.zeros(shape), torch.zeros(shape)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        states, slots = stack([items[index] for index in rows])
        with torch.autocast("cpu", torch.bfloat16):
            found, log_mass = decoder.upper(states, slots)
        margin[rows], mass[rows] = found.float(), log_mass.float().exp()
    return margin, mass


def _fresh(tensors: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in sorted(tensors.items()):
            if "lora_B" in name:
                tensor.zero_()
            else:
                torch.nn.init.kaiming_uniform_(tensor, a=5**0.5)


def _resume(
    partial: Path, tensors: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer
) -> int:
    if not partial.is_file():
        return 0
    saved = torch.load(partial)
    _load_into(tensors, saved["tensors"])
    optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])


def _set_rate(optimiser: torch.optim.Optimizer, rate: float, step: int, steps: int) -> None:
    warm = max(1, steps // 20)
    share = (step + 1) / warm if step < warm else 0.5 * (1 + np.cos(np.pi * step / steps))
    for group in optimiser.param_groups:
        group["lr"] = rate * float(share)


def _copy(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _load_into(
    tensors: dict[str, torch.Tensor], saved: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(saved[name])
    return _copy(tensors)


def save_atomically(path: Path, value: object) -> None:
    """Save tensors so that a reader finds either the whole file or none."""
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    torch.save(value, scratch)
    scratch.replace(path)
