"""Held-out answers of the fused model, one row an example and policy."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.learning.fused.example import HELD, Example
from coefvq.learning.fused.heads import PLANS, fit_weights
from coefvq.learning.fused.mixture import ALIGN_VIDEO
from coefvq.learning.text_corpora import SCAM
from coefvq.mllm.fused.readout import PARTS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """One policy's held-out answers, arrays in the order of ``examples``.

    Attributes:
        parts: (n, 4), log-odds in the order of ``PARTS``, each from what never saw the example.
        mass: (n,), label mass.
        label: (n,), 0 or 1.
        fold: (n,).
        probability: (n,), joined by weights that were fitted without the example's fold.
        weights: Of the joint model of all primary rows, and its intercept.
    """

    policy: str
    examples: tuple[Example, ...]
    parts: Floats
    mass: Floats
    label: NDArray[np.int64]
    fold: NDArray[np.int64]
    probability: Floats
    weights: tuple[tuple[float, ...], float]

    def part(self, *names: str) -> NDArray[np.bool_]:
        """Which examples belong to the named parts of the mixture."""
        return np.array([example.part in names for example in self.examples])

    @property
    def primary(self) -> NDArray[np.bool_]:
        """Rows of the set that figures and calibration come from; see ``is_measured``."""
        return self.part(PLANS[self.policy].primary) & is_measured(self.policy, self.fold)

    def only(self, rows: NDArray[np.bool_]) -> Predictions:
        """Some of the rows."""
        chosen = tuple(e for e, keep in zip(self.examples, rows, strict=True) if keep)
        return replace(
            self, examples=chosen, parts=self.parts[rows], mass=self.mass[rows],
            label=self.label[rows], fold=self.fold[rows], probability=self.probability[rows],
        )  # fmt: skip


def is_measured(policy: str, fold: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows that nothing trained on: for scam, not the comments of the first phase's video."""
    return (fold != ALIGN_VIDEO) if policy == SCAM else np.ones(len(fold), dtype=bool)


def collect(policy: str, examples: Sequence[Example], parts: Floats, mass: Floats) -> Predictions:
    """Join parts to probabilities; a fold's come from weights fitted on the other folds.

    Where only one part counts there is nothing to join: all folds share one calibration line,
    which cannot change an order.
    """
    label = np.array([example.targets[policy] for example in examples])
    fold = np.array([example.fold for example in examples])
    blank = np.zeros(len(label))
    raw = Predictions(policy, tuple(examples), parts, mass, label, fold, blank, ((), 0.0))
    primary = raw.primary
    if len(set(label[primary].tolist())) < 2:  # a trial with too few folds: rough, but not none
        primary = raw.part(PLANS[policy].primary)
    used = PLANS[policy].used
    counted = parts * np.array([name in used for name in PARTS])
    everything = fit_weights(counted[primary], label[primary])
    probability = joined(parts, everything)
    for number in set(fold[primary]) - {HELD} if len(used) > 1 else ():
        others = primary & (fold != number)
        if len(set(label[others])) == 2:
            here = fold == number
            probability[here] = joined(parts[here], fit_weights(counted[others], label[others]))
    return replace(raw, probability=probability, weights=everything)


def joined(parts: Floats, weights: tuple[tuple[float, ...], float]) -> Floats:
    """Probabilities (n,) of parts (n, 4)."""
    raw = parts @ np.array(weights[0]) + weights[1]
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(raw, -30.0, 30.0))))


def write_predictions(path: Path, answers: Sequence[Predictions]) -> None:
    """Write all rows; ``probability`` is calibrated without the row's fold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("item_id", "part", "policy", "fold", "label", *PARTS, "mass",
                         "probability"))  # fmt: skip
        for one in answers:
            numbers = np.column_stack([one.parts, one.mass, one.probability])
            for example, row in zip(one.examples, numbers, strict=True):
                known = (item_name(example), example.part, one.policy, example.fold,
                         example.targets[one.policy])  # fmt: skip
                writer.writerow([*known, *(f"{number:.6f}" for number in row)])


def item_name(example: Example) -> str:
    """The item's name in its data set, as the prefilter's predictions have it."""
    if example.id == example.footage:
        return example.id
    return example.id.removeprefix(f"{example.part}/")
