"""From rows of figures to what tables and plots show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.routing_jobs import Done
from benchmarks.routing_splits import MAIN
from benchmarks.routing_statistics import Interval, jackknife, resampled_t

Rows = list[dict[str, Any]]
Vector = NDArray[np.float64]


def rows_of(done: Done, study: str) -> Rows:
    """All rows of a study, in a steady order."""
    keys = sorted(key for key in done if key.startswith(f'["{study}"'))
    return [row for key in keys for row in done[key]]


@dataclass(frozen=True)
class Kept:
    """Share of the MLLM's figure that is kept, or of the cost gap that is recovered.

    Attributes:
        share: Mean over splits of the cascade over the mean of the MLLM alone (for ``cost``:
            of the gap between the stages).
        ahead: Difference to entropy in the same unit, paired by split.
        calls: Mean share of calls made.
    """

    share: float
    ahead: Interval
    calls: float


class Splits:
    """The study of random halves.

    Args:
        rows: Of the study ``splits`` or ``few``.
    """

    def __init__(self, rows: Rows):
        self._rows = rows

    def pick(self, objective: str, rule: str, budget: float, labels: int | None = None) -> Rows:
        """Rows of one cell, by split."""
        found = [
            row
            for row in self._rows
            if (row["objective"], row["rule"], row["budget"]) == (objective, rule, budget)
            and labels in (None, row["labels"])
        ]
        return sorted(found, key=lambda row: int(row["split"]))

    def budgets(self, objective: str) -> list[float]:
        """Budgets that were measured."""
        return sorted({row["budget"] for row in self._rows if row["objective"] == objective})

    def alone(self, objective: str, arm: str, budget: float) -> float:
        """Share kept by ``prefilter_only``, ``random`` or ``oracle`` beside entropy."""
        rows = self.pick(objective, "entropy", budget)
        return _share(objective, rows, np.array([row["alone"][arm] for row in rows]))

    def absolute(self, objective: str, arm: str) -> float:
        """Mean figure of a stage alone."""
        rows = self.pick(objective, "entropy", MAIN[objective])
        return float(np.mean([row["alone"][arm] for row in rows]))

    def kept(
        self, objective: str, rule: str, budget: float, labels: int | None = None
    ) -> Kept | None:
        """Share kept by a rule; ``None`` where it was not measured."""
        rows = self.pick(objective, rule, budget, labels)
        plain = self.pick(objective, "entropy", budget, labels)
        if len(rows) < 2 or len(rows) != len(plain):
            return None
        value, base = (np.array([row["value"] for row in each]) for each in (rows, plain))
        sign = -1.0 if objective == "cost" else 1.0
        ahead = sign * (value - base) / _unit(objective, plain)
        return Kept(
            _share(objective, rows, value),
            resampled_t(ahead),
            float(np.mean([row["calls"] for row in rows])),
        )

    def curve(self, objective: str, rule: str) -> Vector:
        """(splits, 101) quality at call rates 0, 1, ... 100 %."""
        return np.array([row["curve"] for row in self.pick(objective, rule, MAIN[objective])])

    def kept_curve(self, objective: str, rule: str) -> Vector:
        """(101,) share kept at each call rate."""
        rows = self.pick(objective, rule, MAIN[objective])
        mean = self.curve(objective, rule).mean(0)
        if objective != "cost":
            return mean / _unit(objective, rows)
        weak = np.mean([row["alone"]["prefilter_only"] for row in rows])
        return (weak + mean) / _unit(objective, rows)

    def chosen(self, objective: str, budget: float) -> dict[str, int]:
        """How often ``auto`` took what, most often first."""
        names = [row["chosen"] for row in self.pick(objective, "auto", budget)]
        return {n: names.count(n) for n in sorted(set(names), key=lambda n: -names.count(n))}

    def calls_for(self, rule: str, at: float = 0.3, objective: str = "ap") -> Interval:
        """Calls that a rule needs to keep what entropy keeps at ``at``, over ``at``."""
        pair = np.stack([self.curve(objective, rule), self.curve(objective, "entropy")], axis=1)

        def ratio(curves: Vector) -> float:
            mean = curves.mean(0)
            return first_reach(mean[0], float(mean[1, round(100 * at)])) / at

        return resampled_t(jackknife(pair, ratio))


def first_reach(curve: Vector, level: float) -> float:
    """Call rate at which a curve first reaches a level, on straight lines; 1 where never."""
    reached = np.flatnonzero(curve >= level)
    if not len(reached):
        return 1.0
    after = int(reached[0])
    if after == 0:
        return 0.0
    below, above = curve[after - 1], curve[after]
    return float(after - (above - level) / (above - below)) / (len(curve) - 1)


def _unit(objective: str, rows: Rows) -> float:
    """The MLLM's mean figure; for ``cost`` the mean gap between the stages."""
    strong = np.mean([row["alone"]["mllm_only"] for row in rows])
    if objective != "cost":
        return float(strong)
    return float(np.mean([row["alone"]["prefilter_only"] for row in rows]) - strong)


def _share(objective: str, rows: Rows, values: Vector) -> float:
    if objective != "cost":
        return float(values.mean()) / _unit(objective, rows)
    weak = np.mean([row["alone"]["prefilter_only"] for row in rows])
    return float(weak - values.mean()) / _unit(objective, rows)


METHODS = ("certified_fit", "learn_then_test", "conformal_risk_control", "naive")


def broken(rows: Rows, method: str, target: float) -> tuple[int, int, float]:
    """(broken, tried, mean miss rate) of a method; refused fits are not tried."""
    rates = np.array([row[method] for row in rows if row[method] is not None])
    return int((rates > target + 1e-12).sum()), len(rates), float(rates.mean())


def select(rows: Sequence[dict[str, Any]], name: str, gate: str) -> Rows:
    """Rows of one question set and gate, by split."""
    some = [row for row in rows if (row["name"], row["gate"]) == (name, gate)]
    return sorted(some, key=lambda row: int(row["split"]))


def accuracy_at(rows: Rows, rule: str, cost: float) -> Vector:
    """(splits,) accuracy of a rule's curve where its relative cost is ``cost``."""
    curves = [row["curves"][rule] for row in rows]
    return np.array([np.interp(cost, one["cost"], one["accuracy"]) for one in curves])


def cost_for(rows: Rows, rule: str, accuracy: float) -> float:
    """Relative cost at which the mean curve first reaches an accuracy; NaN where it never does."""
    right, cost = mean_curve(rows, rule)
    reached = np.flatnonzero(right >= accuracy)
    if not len(reached):
        return float("nan")
    after = int(reached[0])
    if after == 0:
        return float(cost[0])
    part = (accuracy - right[after - 1]) / (right[after] - right[after - 1])
    return float(cost[after - 1] + part * (cost[after] - cost[after - 1]))


def mean_curve(rows: Rows, rule: str) -> tuple[Vector, Vector]:
    """(accuracy, cost) at equal shares of calls, mean over splits."""
    curves = [row["curves"][rule] for row in rows]
    right, cost = (np.mean([one[name] for one in curves], axis=0) for name in ("accuracy", "cost"))
    return right, cost
