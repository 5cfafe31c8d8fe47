"""What both models said of the same videos, beside what people said: all that the gate judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import Assessment
from coefvq.learning.dataset.items import LabelledVideo

Vector = NDArray[np.float64]
CALIBRATION_CAP = 10.0
"""Largest weight of one video in calibration: an audit that stands for a hundred would drown all
others. Ranking counts each video once; the miss rate counts the whole weight."""


@dataclass(frozen=True)
class Sheet:
    """n videos, k policies.

    Attributes:
        label: float64 (n, k), 1 violation, 0 not; NaN: not labelled.
        old, new: float64 (n, k), probabilities of the model in force and of the candidate; NaN:
            not answered.
        weight: float64 (n, k), of how many videos of the traffic each one stands for: one over the
            probability with which the case of the policy's task came to a person.
        drawn: bool (n,), whether it counts for rates of the traffic: the test split is a part of it
            by groups; golden cases were chosen by people, and new audits alone would count twice.
        group: str (n,).
        slices: By name, bool (n,).
        old_ms, new_ms: float64 (n,), processor time of each answer; NaN where it was not taken.
        odd: Answers of the candidate that are no numbers.
    """

    policies: tuple[str, ...]
    label: Vector
    old: Vector
    new: Vector
    weight: Vector
    drawn: NDArray[np.bool_]
    group: NDArray[np.str_]
    slices: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    old_ms: Vector = field(default_factory=lambda: np.zeros(0))
    new_ms: Vector = field(default_factory=lambda: np.zeros(0))
    odd: int = 0

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def capped(self) -> Vector:
        """Weights for calibration, (n, k)."""
        return np.minimum(self.weight, CALIBRATION_CAP)

    @classmethod
    def of(
        cls,
        items: Sequence[LabelledVideo],
        old: Sequence[Assessment],
        new: Sequence[Assessment],
        slices: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> Sheet:
        """Lay out two models' answers; policies are those that either model answers or people did.

        Args:
            old, new: One answer a video, in the order of ``items``.
        """
        names = sorted(
            {name for item in items for name in item.labels}
            | {name for said in (*old, *new) for name, score in said.scores.items()
               if score.covered}
        )  # fmt: skip
        ours, theirs = _probabilities(new, names), _probabilities(old, names)
        odd = np.isinf(ours) | ((ours < 0) | (ours > 1))
        missing = sum(_not_numbers(said) for said in new)
        return cls(
            policies=tuple(names),
            label=np.array(
                [[item.labels.get(name, np.nan) for name in names] for item in items], dtype=float
            ).reshape(len(items), len(names)),
            old=theirs,
            new=np.where(odd, np.nan, ours),
            weight=np.array(
                [
                    [1.0 / item.propensities.get(name, item.propensity) for name in names]
                    for item in items
                ],
                dtype=float,
            ).reshape(len(items), len(names)),
            drawn=np.array([item.split == "test" for item in items], dtype=bool),
            group=np.array([item.group for item in items], dtype=str),
            slices=dict(slices or {}),
            old_ms=np.array([said.milliseconds for said in old], dtype=float),
            new_ms=np.array([said.milliseconds for said in new], dtype=float),
            odd=int(odd.sum()) + missing,
        )


def _probabilities(said: Sequence[Assessment], names: Sequence[str]) -> Vector:
    found = np.full((len(said), len(names)), np.nan)
    for row, one in enumerate(said):
        for column, name in enumerate(names):
            score = one.scores.get(name)
            if score is not None and score.probability is not None:
                found[row, column] = score.probability
    return found


def _not_numbers(said: Assessment) -> int:
    """Answers that claim to be there and are NaN."""
    return sum(
        score.probability is not None and np.isnan(score.probability)
        for score in said.scores.values()
    )
