"""One probability from two stages: each is right where the other is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError
from coefvq.routing.calibration import log_odds, sigmoid

PRIOR = np.array([0.0, 0.0, 1.0])
"""Where the fit is pulled to: the calibrated MLLM alone."""
PULLS = (300.0, 30.0, 3.0, 0.3)
"""Strengths of the pull that cross-validation chooses from; the first is nearly the MLLM alone."""

MOST = 4000
"""Rows that the strength of the pull is chosen on: beyond, all strengths agree."""


@dataclass(frozen=True)
class Combination:
    """final = sigmoid(bias + a log-odds(p1) + b log-odds(p2)), p1 and p2 calibrated.

    A product of experts with learnt trust: both weights are held at or above 0, so that a stage
    that says "more likely" never makes a violation less likely.

    Attributes:
        bias: Added to the log-odds.
        prefilter: Weight of the first stage, >= 0.
        mllm: Weight of the second stage, >= 0.
    """

    bias: float = 0.0
    prefilter: float = 0.0
    mllm: float = 1.0

    def __call__(self, p1: ArrayLike, p2: ArrayLike) -> NDArray[np.float64]:
        """Final probabilities; NaN where p2 is NaN."""
        return sigmoid(self.bias + self.prefilter * log_odds(p1) + self.mllm * log_odds(p2))

    def to_json(self) -> dict[str, float]:
        """As stored in a routing policy."""
        return {"bias": self.bias, "prefilter": self.prefilter, "mllm": self.mllm}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Combination:
        """Read what ``to_json`` wrote."""
        return cls(float(data["bias"]), float(data["prefilter"]), float(data["mllm"]))


def fit_combination(
    p1: ArrayLike, p2: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, seed: int = 0
) -> Combination:
    """Logistic regression on both log-odds, pulled towards the MLLM alone.

    How strong the pull is, is chosen by cross-validated log loss with the one-standard-error
    rule: with few labels, or where the prefilter adds nothing, the MLLM's answer stands.

    Args:
        p1: Calibrated probabilities of the prefilter, (n,).
        p2: Calibrated probabilities of the MLLM, (n,), no NaN.

    Raises:
        RoutingError: There is no row.
    """
    y = np.asarray(labels, dtype=np.float64)
    if not len(y):
        raise RoutingError("No row has an MLLM score: run both stages on some labelled items.")
    x = np.stack([np.ones_like(y), log_odds(p1), log_odds(p2)], axis=1)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    w = w / w.mean()
    return Combination(*_fit(x, y, w, _chosen_pull(x, y, w, seed)).tolist())


def _chosen_pull(
    x: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64], seed: int
) -> float:
    rows = np.random.default_rng(seed).permutation(len(y))[:MOST]
    x, y, w = x[rows], y[rows], w[rows]
    folds = stratified_folds(y, 5, seed)
    losses = np.empty((len(PULLS), len(y)))
    for row, pull in enumerate(PULLS):
        for fold in range(5):
            test = folds == fold
            z = x[test] @ _fit(x[~test], y[~test], w[~test], pull)
            losses[row, test] = w[test] * (np.logaddexp(0, z) - y[test] * z)
    best = int(losses.mean(1).argmin())
    for row in range(best):
        worse = losses[row] - losses[best]
        if worse.mean() <= worse.std() / np.sqrt(len(y)):
            return PULLS[row]
    return PULLS[best]


def _fit(
    x: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64], pull: float
) -> NDArray[np.float64]:
    """Penalised maximum likelihood with weights of the stages >= 0 (L-BFGS-B)."""
    from scipy.optimize import minimize

    def loss(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ beta
        away = beta - PRIOR
        value = float((w * (np.logaddexp(0, z) - y * z)).sum()) + pull / 2 * float(away @ away)
        return value, x.T @ (w * (sigmoid(z) - y)) + pull * away

    bounds = [(None, None), (0.0, None), (0.0, None)]
    found = minimize(loss, PRIOR, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x, dtype=np.float64)


def stratified_folds(labels: ArrayLike, folds: int, seed: int) -> NDArray[np.intp]:
    """Fold number of each item, both classes spread evenly."""
    y = np.asarray(labels)
    rng = np.random.default_rng(seed)
    found = np.empty(len(y), dtype=np.intp)
    for value in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == value))
        found[rows] = (np.arange(len(rows)) + rng.integers(folds)) % folds
    return found
