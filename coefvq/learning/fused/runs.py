"""Second phase: late fusion and head, once a fold, over what the language model made of each item.

The language model with its adapters, the projectors and the embeddings stay as the first phase
left them, so every example passes them once, with its own modality dropout; what is kept of it
is small, and a run takes seconds. A run leaves one fold out; ``final`` none.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from coefvq.learning.clock import Clock, Progress
from coefvq.learning.fused.align import rough_length, slot_targets
from coefvq.learning.fused.dropping import drawn_dropout, has, without
from coefvq.learning.fused.example import ALWAYS, HELD, Example
from coefvq.learning.fused.fit import Rates, fit, load_into, save_atomically
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.losses import slot_loss
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.split import Top, answer_tops, embed, tops
from coefvq.mllm.fused.trained import trained_parameters

FINAL = "final"
BATCH = 64
_CHUNK, _PASS = 128, 8
_UPPER = ("late.", "head.", "combination.")


@dataclass(frozen=True)
class Bench:
    """Everything that the second phase needs."""

    model: FusedForConditionalGeneration
    processor: Any
    examples: Sequence[Example]
    items: Sequence[FusedItem]
    folder: Path
    split: int
    seed: int
    progress: Progress
    bases: Mapping[str, str]


def read_tops(
    bench: Bench, rows: Sequence[int], name: str, shown: Sequence[FusedItem]
) -> dict[int, Top]:
    """What the head reads of examples ``rows``, computed or read from the folder.

    Args:
        name: Of the folder; all that is ever read into it has lost the same things.
        shown: The items as they are shown, one a row.
    """
    folder = bench.folder / f"tops-{name}"
    known = _known(folder)
    ids = [bench.examples[row].id for row in rows]
    missing = [at for at, id_ in enumerate(ids) if id_ not in known]
    order = sorted(missing, key=lambda at: rough_length(shown[at]))
    chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
    clock = Clock(len(chunks), f"language model, {name}", bench.progress)
    for chunk in chunks:
        found = _chunk(bench, [shown[at] for at in chunk])
        states = {ids[at]: state for at, state in zip(chunk, found, strict=True)}
        digest = hashlib.sha256("\n".join(states).encode()).hexdigest()[:16]
        save_atomically(folder / f"{digest}.pt", states)
        known |= states
        clock.tick()
    return {row: known[id_] for row, id_ in zip(rows, ids, strict=True)}


def _known(folder: Path) -> dict[str, Top]:
    """States by the id of their example."""
    known: dict[str, Top] = {}
    for path in sorted(folder.glob("*.pt")):
        with torch.serialization.safe_globals([Top]):
            known |= torch.load(path)
    return known


@torch.no_grad()
def _chunk(bench: Bench, items: Sequence[FusedItem]) -> list[Top]:
    found: list[Top] = []
    for start in range(0, len(items), _PASS):
        embedded = embed(bench.model, bench.processor(items[start : start + _PASS]))
        found += tops(bench.model, embedded, bench.split)
    return found


def training_items(bench: Bench, rows: Sequence[int]) -> tuple[list[FusedItem], set[int]]:
    """Examples with their modality dropout, and which of them lost something.

    Real videos as they are lose nothing.
    """
    shown, cut = [], set()
    for index in rows:
        example = bench.examples[index]
        lost = frozenset() if example.part == "video" else drawn_dropout(example, bench.seed)
        shown.append(without(bench.items[index], lost))
        if any(has(bench.items[index], name) for name in lost):
            cut.add(index)
    return shown, cut


def train_run(
    bench: Bench, states: Mapping[int, Top], aligned: Mapping[str, Tensor], name: str,
    rates: Rates, *, epochs: int,
) -> dict[str, Tensor]:  # fmt: skip
    """Train one run from the first phase's tensors.

    Args:
        name: ``final`` or the number of the fold to leave out; a suffix after a dash names a
            variant.
    """
    parameters = upper_parameters(bench.model)
    load_into(parameters, aligned)
    held = held_by(name)
    chance = random.Random(f"{bench.seed}/{name}")
    rows = [i for i in sorted(states) if may_train(bench.examples[i], held)]
    steps: list[list[int]] = []
    for _ in range(epochs):
        order = chance.sample(rows, len(rows))
        steps += [order[at : at + BATCH] for at in range(0, len(order), BATCH)]

    def loss_of(chosen: Sequence[int], _: int) -> Tensor:
        output = answer_tops(bench.model, [states[i] for i in chosen])
        targets, weights = slot_targets([bench.examples[i] for i in chosen])
        assert output.slot_logits is not None and output.fused_logits is not None
        return slot_loss(output.slot_logits, targets, weights) + slot_loss(
            output.fused_logits, targets, weights
        )

    bench.model.train()
    found = fit(
        loss_of, steps, parameters, bench.folder / f"run-{name}.pt", rates,
        seed=bench.seed + 1 + (97 if held is None else held), what=f"run {name}",
        progress=bench.progress,
    )  # fmt: skip
    bench.model.eval()
    return found


def held_by(name: str) -> int | None:
    """The fold that a run leaves out."""
    number = name.split("-")[0]
    return None if number == FINAL else int(number)


def upper_parameters(model: FusedForConditionalGeneration) -> dict[str, nn.Parameter]:
    """What the second phase changes."""
    return {name: p for name, p in trained_parameters(model) if name.startswith(_UPPER)}


def may_train(example: Example, held: int | None) -> bool:
    """Whether a run that leaves fold ``held`` out may see an example."""
    return example.fold != HELD and (example.fold == ALWAYS or example.fold != held)


@dataclass(frozen=True)
class Answered:
    """Answers in the order of the items: float32 (n, P) each."""

    label_logits: NDArray[np.float32]
    fused_logits: NDArray[np.float32]
    label_mass: NDArray[np.float32]


@torch.inference_mode()
def answer(bench: Bench, states: Sequence[Top]) -> Answered:
    """Answer every slot with the model as it is now."""
    found: list[list[Tensor]] = [[], [], []]
    for start in range(0, len(states), BATCH):
        output = answer_tops(bench.model, states[start : start + BATCH])
        for rows, value in zip(
            found, (output.label_logits, output.fused_logits, output.label_mass), strict=True
        ):
            assert value is not None
            rows.append(value.float())
    size = (0, len(bench.model.config.policies or ()))
    return Answered(*(torch.cat([torch.zeros(size), *rows]).numpy() for rows in found))
