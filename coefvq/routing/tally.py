"""All measures of an arm from one small table of counts, for any weights of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.arms import Arm
from coefvq.routing.metrics import Confusion, Ranking, average_precision
from coefvq.routing.objective import Objective
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import FLAG, HUMAN, PASS

Vector = NDArray[np.float64]
SHAPE = (2, 2, 4, 2)
"""Label, called, route, escalated."""


@dataclass(frozen=True)
class Tally:
    """Sums over weighted rows.

    Attributes:
        cells: Weight by label, called, route and escalated, (2, 2, 4, 2).
        spent: Cost of the stages that ran.
        whole: Cost of the MLLM on every row.
    """

    cells: Vector
    spent: float
    whole: float

    @property
    def confusion(self) -> Confusion:
        """The machine's own answers against labels."""
        (tn, fp), (fn, tp) = self.cells.sum((2, 3)).tolist()
        return Confusion(tp, fp, fn, tn)

    def error_cost(self, objective: Objective) -> float:
        """Mean cost of the machine's wrong answers an item."""
        found = self.confusion
        wrong = objective.cost_fn * found.false_negative + objective.cost_fp * found.false_positive
        return share(wrong, self.cells.sum())

    def automatic_error(self, cost_fn: float, cost_fp: float) -> float:
        """Mean cost an item of wrong outcomes that no person sees."""
        missed, removed = self.cells[1, :, PASS].sum(), self.cells[0, :, FLAG].sum()
        return share(cost_fn * missed + cost_fp * removed, self.cells.sum())

    def measures(self, objective: Objective) -> dict[str, float]:
        """The measures that are stated for every arm, but for average precision."""
        found, total = self.confusion, self.cells.sum()
        return {
            "f1": found.f1,
            "precision": found.precision,
            "recall": found.recall,
            "miss_rate": share(self.cells[1, :, PASS].sum(), self.cells[1].sum()),
            "error_cost": self.error_cost(objective),
            "escalation_rate": share(self.cells[..., 1].sum(), total),
            "relative_cost": share(self.spent, self.whole),
        }

    def outcomes(self) -> dict[str, float]:
        """Where items end, as shares."""
        total = self.cells.sum()
        return {
            "human_rate": share(self.cells[:, :, HUMAN].sum(), total),
            "auto_pass_rate": share(self.cells[:, :, PASS].sum(), total),
            "auto_flag_rate": share(self.cells[:, :, FLAG].sum(), total),
            "false_removal_rate": share(self.cells[0, :, FLAG].sum(), self.cells[0].sum()),
        }


@dataclass(frozen=True)
class Measured:
    """An arm beside its items, ready to be measured under any weights of the rows."""

    arm: Arm
    items: Predictions
    objective: Objective

    @cached_property
    def _cell(self) -> NDArray[np.int8]:
        code = self.items.label * np.int8(2) + self.arm.called
        return (code * np.int8(SHAPE[2]) + self.arm.route) * np.int8(SHAPE[3]) + self.arm.escalated

    @cached_property
    def _spent(self) -> Vector:
        called = np.where(self.arm.escalated, self.items.mllm_cost, 0.0)
        return called + self.items.prefilter_cost if self.arm.prefiltered else called

    @cached_property
    def _ranking(self) -> Ranking:
        return Ranking(self.items.label, self.arm.probability)

    @cached_property
    def _own(self) -> Tally:
        if (self.items.weight != 1).any():
            return self._count(self.items.weight)
        return self._count(None)

    @cached_property
    def _own_precision(self) -> float:
        own = self.items.weight if self.items.weighted else None
        return average_precision(self.items.label, self.arm.probability, own)

    def tally(self, weights: Vector | None = None) -> Tally:
        """Count rows with their own weights, or with others (n,)."""
        return self._own if weights is None else self._count(weights)

    def _count(self, w: Vector | None) -> Tally:
        """Sums with weights, or of rows that count once each."""
        cells = np.bincount(self._cell, weights=w, minlength=int(np.prod(SHAPE)))
        spent, whole = self._spent, self.items.mllm_cost
        sums = (spent.sum(), whole.sum()) if w is None else (w @ spent, w @ whole)
        return Tally(cells.reshape(SHAPE).astype(np.float64), float(sums[0]), float(sums[1]))

    def average_precision(self, weights: Vector | None = None) -> float:
        """With the rows' own weights, or with others (n,)."""
        return self._own_precision if weights is None else self._ranking(weights)

    def measures(self, weights: Vector | None = None) -> dict[str, float]:
        """Everything that is stated for every arm."""
        found = self.tally(weights).measures(self.objective)
        return found | {"average_precision": self.average_precision(weights)}

    def quality(self, weights: Vector | None = None) -> float:
        """The objective's value, higher = better."""
        if self.objective.name == "ap":
            return self.average_precision(weights)
        counted = self.tally(weights)
        return (
            counted.confusion.f1
            if self.objective.name == "f1"
            else -counted.error_cost(self.objective)
        )


def share(part: float, whole: float) -> float:
    """NaN where there is nothing to be a share of."""
    return float(part / whole) if whole > 0 else float("nan")
