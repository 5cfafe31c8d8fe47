"""What routing is for: F1, average precision, or the cost of wrong answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError, did_you_mean
from coefvq.routing.metrics import average_precision, error_cost, f1_score

ObjectiveName = Literal["f1", "ap", "cost"]
OBJECTIVES: tuple[ObjectiveName, ...] = ("f1", "ap", "cost")


@dataclass(frozen=True)
class Objective:
    """A measure of a list of final probabilities against labels.

    Attributes:
        name: ``f1``, ``ap`` (average precision) or ``cost``.
        cost_fn: Cost of a missed violation, > 0.
        cost_fp: Cost of a false alarm, > 0.
    """

    name: ObjectiveName = "f1"
    cost_fn: float = 1.0
    cost_fp: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in OBJECTIVES:
            hint = did_you_mean(self.name, OBJECTIVES)
            raise RoutingError(f"There is no objective '{self.name}'.{hint}")
        if not (
            np.isfinite([self.cost_fn, self.cost_fp]).all() and self.cost_fn > 0 < self.cost_fp
        ):
            raise RoutingError("cost_fn and cost_fp must be positive numbers.")

    @classmethod
    def named(cls, name: str, cost_fn: float = 1.0, cost_fp: float = 1.0) -> Objective:
        """Check the name and build."""
        return cls(cast(ObjectiveName, name), cost_fn, cost_fp)

    def threshold(self, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
        """The probability from which an item is called a violation.

        ``cost``: cost_fp / (cost_fn + cost_fp), Elkan 2001. Else the cut with the largest expected
        F1 under the probabilities themselves: its variance is far lower than that of the best
        cut on a few labels (Lipton et al. 2014: the optimum is half of the best F1).
        """
        if self.name == "cost":
            return self.cost_fp / (self.cost_fn + self.cost_fp)
        return expected_f1_cut(probabilities, weights)[0]

    def action_costs(
        self, probabilities: ArrayLike, weights: ArrayLike | None = None
    ) -> tuple[float, float]:
        """(miss, false alarm) costs that the objective comes down to near its best point.

        For F1 with optimum F the cut is F/2, which is that of costs (1 - F/2, F/2).
        """
        if self.name == "cost":
            return self.cost_fn, self.cost_fp
        cut = expected_f1_cut(probabilities, weights)[0]
        return 1 - cut, cut

    def value(
        self,
        labels: NDArray[np.int8] | NDArray[np.float64],
        final: NDArray[np.float64],
        threshold: float,
        weights: NDArray[np.float64] | None = None,
    ) -> float:
        """How good final probabilities are, higher = better; ``cost`` is minus its mean.

        Args:
            labels: 0/1, or probabilities: the value is then the expected one (for F1 and average
                precision: of expected counts).
        """
        if self.name == "ap" and labels.dtype.kind == "f":
            return _expected_average_precision(np.asarray(labels, float), final, weights)
        if self.name == "ap":
            return average_precision(labels, final, weights)
        called = final >= threshold
        if self.name == "f1":
            return f1_score(labels, called, weights)
        return -error_cost(labels, called, self.cost_fn, self.cost_fp, weights)


def expected_f1_cut(
    probabilities: ArrayLike, weights: ArrayLike | None = None
) -> tuple[float, float]:
    """(cut, F1): the cut with the largest expected F1 if the probabilities are true.

    Expected F1 of calling the k likeliest is approximated by 2 sum(p of them) / (k + sum(p)).
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if weights is None:
        falling, called = np.sort(p)[::-1], np.arange(1, len(p) + 1)
        hits = np.cumsum(falling)
    else:
        order = np.argsort(-p, kind="stable")
        w = np.asarray(weights, dtype=np.float64)[order]
        falling, called, hits = p[order], np.cumsum(w), np.cumsum(p[order] * w)
    f1 = 2 * hits / (called + hits[-1])
    best = int(f1.argmax())
    return float(falling[best]), float(f1[best])


def _expected_average_precision(
    chances: NDArray[np.float64],
    scores: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
) -> float:
    """Average precision with each label's probability in its place; equal scores keep row order."""
    order = np.argsort(-scores, kind="stable")
    w = np.ones_like(scores) if weights is None else weights[order]
    found = chances[order] * w
    precision = np.cumsum(found) / np.cumsum(w)
    return float(found @ precision / found.sum())
