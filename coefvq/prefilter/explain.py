"""What moved a score, in people's words. Exact: evidence adds up, so each part has its share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from coefvq.prefilter.adjust import TEXT, Adjustment
from coefvq.prefilter.features import BLOCKS, FRAMES, Batch
from coefvq.prefilter.model import PICTURE_POLICIES, TEXT_POLICIES
from coefvq.prefilter.text import (
    STATES,
    SURFACE,
    Hits,
    TextRow,
)
from coefvq.prefilter.weights import TEXT_SURFACE, Trained

Contributions = tuple[tuple[str, float], ...]
"""What moved the score and by how much, in log-odds, signed, largest first."""

Parts = Mapping[str, float]
"""What moved a score, by its name for people, all of it."""

NO_WORDS: Contributions = (("no title and no caption", 0.0),)
MOST = 5
_LEAST = 0.05  # log-odds; less is not worth a line
_ABSENT = {
    "frames": "no frames",
    "change": "no frames to compare",
    "visual": "no picture statistics",
    "motion": "no motion measured",
}
_REST = {"visual": "other statistics of the picture"} | dict.fromkeys(
    ("change", "motion"), "other statistics of motion"
)
_WORDS = (
    (r"^still_share|^same_next|^near_next", "pictures that stand still"),
    (r"^steady_corner|^steady_excess|^steady_densest|^steady_moving", "logo-like static corner"),
    (r"^steady", "overlay that never moves"),
    (r"^bar_|^soft_", "bars at the edges"),
    (r"^cut", "hard cuts"),
    (r"^change|^changed|^spread", "how much the picture changes"),
    (r"^speed|^local|^peak", "fast motion"),
    (r"^camera", "camera movement"),
    (r"^disorder|^shear|^jerk|^bursts_up|^between", "abrupt, disordered motion"),
    (r"^sharp|^flat_noise", "sharpness and camera noise"),
    (r"^flat|^top_|^extreme", "flat areas of one colour"),
    (r"^edge_|^line_", "straight lines"),
    (r"^text_share", "picture full of small text"),
    (r"^step_|^away_|^angle_", "how much the scene changes between frames"),
    (r"^glyphs", "lettering that never moves"),
    (r"^frames$", "number of frames seen"),
    (r"^luma|^saturation|^colour", "colours and brightness"),
)


@dataclass(frozen=True)
class Seen:
    """One video as the model reads it.

    Attributes:
        row: Its text as the network weighs it.
        adjusted: As a refit's adjustments weigh it: n-grams new to the network count too.
        inputs: A batch of this one video.
        readable: Whether there are words, in the language that the model reads.
    """

    hits: Hits
    row: TextRow
    adjusted: TextRow
    inputs: Batch
    readable: bool


@cache
def spoken(name: str) -> str:
    """A statistic's name in people's words."""
    return next((words for pattern, words in _WORDS if re.match(pattern, name)), name)


def contributions(trained: Trained, seen: Seen) -> dict[str, Contributions]:
    """By policy what moved it most: the network's evidence, and what a refit added to it."""
    found = _picture_parts(trained, seen.inputs)
    if seen.readable:
        found |= _text_parts(trained, seen.hits, seen.row)
    found |= {policy: {} for policy in trained.covers if policy not in found}
    for policy, adjustment in trained.adjustments.items():
        scaled = {name: adjustment.slope * moved for name, moved in found[policy].items()}
        found[policy] = _sum(scaled, _adjusted_parts(trained, adjustment, seen))
    return {policy: _largest(parts) for policy, parts in found.items()}


def _text_parts(trained: Trained, hits: Hits, row: TextRow) -> dict[str, Parts]:
    """By text policy: words, and surface counts against the average."""
    table = trained.net.words.weight[torch.from_numpy(row.buckets)].numpy()
    weights = trained.net.surface.weight.numpy()
    return {
        policy: _by_word(hits, row, table[:, column]) | _surface(trained, row, weights[column])
        for column, policy in enumerate(TEXT_POLICIES)
    }


def _by_word(hits: Hits, row: TextRow, table: NDArray[np.float32]) -> dict[str, float]:
    """Evidence (k,) of a row's n-grams, dealt to the words that they cover."""
    at = np.searchsorted(row.buckets, hits.buckets)
    counts = np.bincount(at, weights=hits.shares, minlength=len(row.buckets))
    each = row.weights * table / np.maximum(counts, 1e-9)
    moved = np.bincount(hits.places, weights=each[at] * hits.shares, minlength=len(hits.words))
    by_word: dict[str, float] = defaultdict(float)
    for word, change in zip(hits.words, moved.tolist(), strict=True):
        by_word[f"caption wording: '{word}'"] += change
    return by_word


def _surface(trained: Trained, row: TextRow, weights: NDArray[np.float32]) -> dict[str, float]:
    average = np.asarray(trained.averages.get(TEXT_SURFACE, np.zeros_like(row.surface)))
    moved = weights * (row.surface - average)
    names = [*(f"caption: {name}" for name in SURFACE), *(f"fields: {name}" for name in STATES)]
    return dict(zip(names, moved.tolist(), strict=True))


def _picture_parts(trained: Trained, batch: Batch) -> dict[str, Parts]:
    """By picture policy: its signals, against the average training clip."""
    found: dict[str, dict[str, float]] = {policy: defaultdict(float) for policy in PICTURE_POLICIES}
    for name in BLOCKS:
        for policy, parts in _block_parts(trained, batch, name).items():
            for words, moved in parts.items():
                found[policy][words] += moved
    return dict(found)


def _adjusted_parts(trained: Trained, adjustment: Adjustment, seen: Seen) -> Parts:
    """What a refit's own numbers add, in the same words as the network's."""
    found: Parts = {}
    if TEXT in adjustment.reads and seen.readable:
        table = adjustment.per_bucket(seen.adjusted.buckets)
        found = _by_word(seen.hits, seen.adjusted, table)
        if adjustment.surface is not None:
            found = _sum(found, _surface(trained, seen.adjusted, adjustment.surface))
    for name, weights in adjustment.blocks.items():
        found = _sum(found, _adjusted_block(trained, adjustment, seen.inputs, name, weights))
    return found


def _adjusted_block(
    trained: Trained, adjustment: Adjustment, inputs: Batch, name: str, weights: NDArray[np.float32]
) -> Parts:
    if not bool(inputs.present[name][0]):
        return {_ABSENT[name]: adjustment.absent.get(name, 0.0)}
    moved = weights * inputs.blocks[name][0].numpy()
    if name == FRAMES:
        return {"what the frames show": float(moved.sum())}
    parts: dict[str, float] = defaultdict(float)
    for label, change in zip(trained.names[name], moved.tolist(), strict=True):
        parts[spoken(label)] += change
    return parts


def _sum(one: Parts, two: Parts) -> Parts:
    return {name: one.get(name, 0.0) + two.get(name, 0.0) for name in (*one, *two)}


def _block_parts(trained: Trained, batch: Batch, name: str) -> dict[str, dict[str, float]]:
    branch, block = trained.net.branch(name), batch.blocks[name]
    evidence = branch(block, batch.present[name])[0]
    average = torch.tensor(trained.averages.get(name, [0.0] * len(PICTURE_POLICIES)))
    total = (evidence - average).tolist()
    if not bool(batch.present[name][0]):
        return {p: {_ABSENT[name]: total[i]} for i, p in enumerate(PICTURE_POLICIES)}
    if name == FRAMES:
        return {p: {"what the frames show": total[i]} for i, p in enumerate(PICTURE_POLICIES)}
    slope = _slopes(trained, name, block)
    found = {}
    for column, policy in enumerate(PICTURE_POLICIES):
        parts: dict[str, float] = defaultdict(float)
        for label, moved in zip(
            trained.names[name], (slope[column] * block[0]).tolist(), strict=True
        ):
            parts[spoken(label)] += moved
        rest = total[column] - sum(parts.values())
        parts[_REST[name]] += rest
        found[policy] = dict(parts)
    return found


def _slopes(trained: Trained, name: str, block: torch.Tensor) -> torch.Tensor:
    """Secant of each number's effect: the straight part, plus the bent part at half way."""
    branch = trained.net.branch(name)
    slope = branch.straight.weight.clone()
    if branch.into is not None and branch.out is not None:
        bend = 1 - torch.tanh(branch.into(block / 2))[0] ** 2
        slope[1:] += branch.out.weight @ (bend[:, None] * branch.into.weight)
    return slope * branch.heard[:, None]


def _largest(parts: Parts) -> Contributions:
    kept = [(name, round(moved, 3)) for name, moved in parts.items() if abs(moved) >= _LEAST]
    return tuple(sorted(kept, key=lambda part: -abs(part[1]))[:MOST])
