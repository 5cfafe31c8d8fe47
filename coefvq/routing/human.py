"""After the MLLM: an automatic answer or a person.

Fanconi & van der Schaar (arXiv 2506.11887, NeurIPS 2025) weigh a cascade by the risk
R = error + lambda_c cost + lambda_a P(abstain). Item by item that says: ask a person where the
automatic answer's expected error costs more than the abstention, lambda_a. Their code abstains on
the uncertainty of the calibrated estimate; ours raises the chance of an error where the stages
disagree, as far as labels bear it out, and does not trust an answer off the label tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.calibration import log_odds, sigmoid

Vector = NDArray[np.float64]
PULL = 10.0
"""Strength of the pull of the disagreement's weight towards 0, in label units."""


@dataclass(frozen=True)
class HumanStep:
    """Who goes to a person after the MLLM.

    Attributes:
        cost_fn: Cost of passing a violation.
        cost_fp: Cost of flagging what is none.
        call_from: Final probability from which the machine says "violation".
        disagreement: Weight of the stages' distance in log-odds on the odds of an error, >= 0.
        limit: Expected cost of an automatic answer above which a person is asked: lambda_a.
    """

    cost_fn: float
    cost_fp: float
    call_from: float
    disagreement: float
    limit: float

    def risk(self, p1: Vector, p2: Vector, final: Vector) -> Vector:
        """Expected cost of the automatic answer, (n,), >= 0."""
        flagged = final >= self.call_from
        wrong = np.where(flagged, 1 - final, final)
        raised = sigmoid(log_odds(wrong) + self.disagreement * distance(p1, p2))
        return np.where(flagged, self.cost_fp, self.cost_fn) * raised

    def to_json(self) -> dict[str, float]:
        """As stored in a routing policy."""
        return {
            "cost_fn": self.cost_fn,
            "cost_fp": self.cost_fp,
            "call_from": self.call_from,
            "disagreement": self.disagreement,
            "limit": self.limit,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HumanStep:
        """Read what ``to_json`` wrote."""
        return cls(**{name: float(value) for name, value in data.items()})


def distance(p1: Vector, p2: Vector) -> Vector:
    """How far the stages are apart, in log-odds."""
    return np.abs(log_odds(p1) - log_odds(p2))


def fit_human(
    p1: Vector,
    p2: Vector,
    final: Vector,
    labels: NDArray[np.int8],
    call_from: float,
    costs: tuple[float, float],
    *,
    share: float | None = None,
    limit: float | None = None,
) -> HumanStep:
    """Learn how much disagreement tells of errors, then set the limit.

    Args:
        p1: Calibrated prefilter probabilities of items with both stages, (n,).
        p2: Calibrated MLLM probabilities.
        final: Combined probabilities.
        call_from: Final probability from which the machine says "violation".
        costs: (miss, false alarm).
        share: Largest share of these items that may go to a person; sets the limit.
        limit: The cost of asking a person, lambda_a, where it is given instead.

    Raises:
        RoutingError: Neither or both of ``share`` and ``limit`` are given, or out of range.
    """
    if (share is None) == (limit is None):
        raise RoutingError("Give either a share for people or the cost of asking a person.")
    if share is not None and not 0 <= share <= 1:
        raise RoutingError(f"The share for people must be in 0..1, got {share:g}.")
    if limit is not None and not (np.isfinite(limit) and limit > 0):
        raise RoutingError(f"The cost of asking a person must be above 0, got {limit:g}.")
    weight = _disagreement_weight(p1, p2, final, labels, call_from)
    step = HumanStep(costs[0], costs[1], call_from, weight, limit or 0.0)
    if share is None:
        return step
    found = float(np.quantile(step.risk(p1, p2, final), 1 - share, method="higher"))
    return HumanStep(costs[0], costs[1], call_from, weight, found)


def _disagreement_weight(
    p1: Vector, p2: Vector, final: Vector, labels: NDArray[np.int8], call_from: float
) -> float:
    """Penalised maximum likelihood of one slope, >= 0, on top of the calibrated chance of error."""
    from scipy.optimize import minimize_scalar

    flagged = final >= call_from
    wrong = (labels == 1) != flagged
    chance, apart = log_odds(np.where(flagged, 1 - final, final)), distance(p1, p2)

    def loss(slope: float) -> float:
        z = chance + slope * apart
        return float((np.logaddexp(0, z) - wrong * z).sum()) + PULL / 2 * slope**2

    return float(minimize_scalar(loss, bounds=(0.0, 2.0), method="bounded").x)
