"""Logistic regression that starts at the parent's head and is pulled back to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from coefvq.routing.calibration import sigmoid

Floats = NDArray[np.float64]
_SLOPE_PULL, _SHIFT_PULL = 10.0, 0.1
"""Of the slope to 1 and of the shift to 0, in items' worth of information."""
_STEPS = 100


@dataclass(frozen=True)
class Problem:
    """What one fit is given.

    Attributes:
        design: float (n, k), numbers to learn from.
        pull: float64 (k,), above 0: how strongly each coefficient is held at 0.
        parent: float64 (n,), the parent head's log-odds; zeros where there is none.
        labels: float64 (n,), 0 or 1.
        weights: float64 (n,), at least 0.
        known: Whether there is a parent head: else there is no slope to learn.
    """

    design: sparse.csr_matrix
    pull: Floats
    parent: Floats
    labels: Floats
    weights: Floats
    known: bool


@dataclass(frozen=True)
class Solution:
    """Log-odds are ``slope * parent + shift + design @ delta``; delta is float64 (k,)."""

    slope: float
    shift: float
    delta: Floats

    def logits(self, design: sparse.csr_matrix, parent: Floats) -> Floats:
        """Log-odds (n,) of other items."""
        return self.slope * parent + self.shift + np.asarray(design @ self.delta)


def solve(problem: Problem) -> Solution:
    """Minimise weighted log-loss and pulls with L-BFGS, from the parent; deterministic.

    It is solved in u = sqrt(pull) delta, in which the penalty is round and few steps are needed,
    and only for columns that are filled.
    """
    used = np.unique(problem.design.indices)
    scale = 1.0 / np.sqrt(problem.pull[used])
    narrow = (problem.design[:, used].astype(np.float64) @ sparse.diags(scale)).tocsr()
    turned, first = narrow.T.tocsr(), float(problem.known)
    start = np.zeros(len(used) + 2)
    start[0] = first

    def objective(theta: Floats) -> tuple[float, Floats]:
        slope, shift, inner = theta[0], theta[1], theta[2:]
        logits = slope * problem.parent + shift + narrow @ inner
        rest = problem.weights * (sigmoid(logits) - problem.labels)
        value = float(problem.weights @ (np.logaddexp(0, logits) - problem.labels * logits))
        value += 0.5 * float(inner @ inner)
        value += 0.5 * (_SLOPE_PULL * (slope - first) ** 2 + _SHIFT_PULL * shift**2)
        head = [
            rest @ problem.parent + _SLOPE_PULL * (slope - first),
            rest.sum() + _SHIFT_PULL * shift,
        ]
        return value, np.concatenate([head, turned @ rest + inner])

    slopes = (0.0, None) if problem.known else (0.0, 0.0)
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B",
        bounds=[slopes] + [(None, None)] * (len(used) + 1),
        options={"maxiter": _STEPS, "ftol": 1e-7, "gtol": 1e-4},
    )  # fmt: skip
    delta = np.zeros(problem.design.shape[1])
    delta[used] = found.x[2:] * scale
    return Solution(float(found.x[0]), float(found.x[1]), delta)


def log_loss(labels: Floats, logits: Floats, weights: Floats) -> float:
    """Weighted mean of log(1 + e^z) - y z; 0.0 without weight."""
    total = float(weights.sum())
    each = np.logaddexp(0, logits) - labels * logits
    return float(weights @ each) / total if total > 0 else 0.0
