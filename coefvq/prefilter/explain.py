"""What moved a score, in people's words. Exact: evidence adds up, so each part has its share."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import numpy as np
import torch

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


@cache
def spoken(name: str) -> str:
    """A statistic's name in people's words."""
    return next((words for pattern, words in _WORDS if re.match(pattern, name)), name)


def text_contributions(trained: Trained, hits: Hits, row: TextRow) -> dict[str, Contributions]:
    """By text policy: the words, and surface counts against the average, that moved it most."""
    at = np.searchsorted(row.buckets, hits.buckets)
    counts = np.bincount(at, weights=hits.shares, minlength=len(row.buckets))
    table = trained.net.words.weight[torch.from_numpy(row.buckets)].numpy()
    found = {}
    for column, policy in enumerate(TEXT_POLICIES):
        each = row.weights * table[:, column] / np.maximum(counts, 1e-9)
        moved = np.bincount(hits.places, weights=each[at] * hits.shares, minlength=len(hits.words))
        by_word: dict[str, float] = defaultdict(float)
        for word, change in zip(hits.words, moved.tolist(), strict=True):
            by_word[f"caption wording: '{word}'"] += change
        found[policy] = _largest(by_word | _surface(trained, row, column))
    return found


def _surface(trained: Trained, row: TextRow, column: int) -> dict[str, float]:
    average = np.asarray(trained.averages.get(TEXT_SURFACE, np.zeros_like(row.surface)))
    moved = trained.net.surface.weight[column].numpy() * (row.surface - average)
    names = [*(f"caption: {name}" for name in SURFACE), *(f"fields: {name}" for name in STATES)]
    return dict(zip(names, moved.tolist(), strict=True))


def picture_contributions(trained: Trained, batch: Batch) -> dict[str, Contributions]:
    """By picture policy: the signals that moved it most, against the average training clip."""
    found: dict[str, dict[str, float]] = {policy: defaultdict(float) for policy in PICTURE_POLICIES}
    for name in BLOCKS:
        for policy, parts in _block_parts(trained, batch, name).items():
            for words, moved in parts.items():
                found[policy][words] += moved
    return {policy: _largest(parts) for policy, parts in found.items()}


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


def _largest(parts: dict[str, float]) -> Contributions:
    kept = [(name, round(moved, 3)) for name, moved in parts.items() if abs(moved) >= _LEAST]
    return tuple(sorted(kept, key=lambda part: -abs(part[1]))[:MOST])
