"""Penalised logistic regression that starts at the parent and is pulled back to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.optimize import minimize

from coefvq.routing.calibration import sigmoid

Floats = NDArray[np.float64]
Design: TypeAlias = Any
"""float (n, k), a sparse matrix or an array."""
SLOPE_PULL, SHIFT_PULL = 10.0, 0.1
"""Pulls of the slope towards 1 and of the shift towards 0, in items' worth of information."""
SLOPES = (0.5, 1.25)
"""Cases that reach people lie where the parent is unsure: they say little of how much its answer
is worth elsewhere, so what is learnt never takes more than half of it away."""
_JITTER = 1e-9


@dataclass(frozen=True)
class Problem:
    """What one fit is given.

    Attributes:
        design: float (n, k), numbers to learn from, each to be pulled to 0 with strength 1.
        parent: float64 (n,), the parent's calibrated log-odds; zeros where it has none.
        targets: float64 (n,), 0..1.
        weights: float64 (n,), at least 0.
        slopes: Least and most slope of the parent's log-odds.
    """

    design: Design
    parent: Floats
    targets: Floats
    weights: Floats
    slopes: tuple[float, float] = SLOPES


@dataclass(frozen=True)
class Solution:
    """Log-odds are ``slope * parent + shift + design @ delta``.

    Attributes:
        delta: float64 (k,).
        loss: Mean weighted log-loss of what it was fitted on.
    """

    slope: float
    shift: float
    delta: Floats
    loss: float

    def logits(self, design: Design, parent: Floats) -> Floats:
        """Log-odds (n,) of other videos."""
        return self.slope * parent + self.shift + np.asarray(design @ self.delta)


def solve(problem: Problem, steps: int = 100) -> Solution:
    """Minimise log-loss + pulls with L-BFGS, from the parent; deterministic.

    sum w (log(1 + e^z) - y z) + 1/2 |delta|^2 + pulls of slope and shift,
    z = slope parent + shift + design delta.
    """
    design, turned = problem.design, problem.design.T
    if sparse.issparse(design):
        turned = turned.tocsr()
    low, high = problem.slopes
    middle = min(max(1.0, low), high)
    start = np.zeros(design.shape[1] + 2)
    start[0] = middle

    def objective(theta: Floats) -> tuple[float, Floats]:
        slope, shift, delta = theta[0], theta[1], theta[2:]
        logits = slope * problem.parent + shift + design @ delta
        fit = np.logaddexp(0, logits) - problem.targets * logits
        rest = problem.weights * (sigmoid(logits) - problem.targets)
        value = float(problem.weights @ fit) + 0.5 * float(delta @ delta)
        value += 0.5 * (SLOPE_PULL * (slope - middle) ** 2 + SHIFT_PULL * shift**2)
        head = [
            rest @ problem.parent + SLOPE_PULL * (slope - middle),
            rest.sum() + SHIFT_PULL * shift,
        ]
        return value, np.concatenate([head, turned @ rest + delta])

    limits: list[tuple[float | None, float | None]] = [problem.slopes]
    limits += [(None, None)] * (design.shape[1] + 1)
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=limits,
        options={"maxiter": steps, "maxcor": 10, "ftol": 1e-8, "gtol": 1e-4},
    )  # fmt: skip
    slope, shift, delta = float(found.x[0]), float(found.x[1]), found.x[2:]
    logits = slope * problem.parent + shift + design @ delta
    return Solution(slope, shift, delta, log_loss(problem.targets, logits, problem.weights))


def narrowed(design: sparse.csr_matrix, pull: Floats) -> tuple[sparse.csr_matrix, Floats]:
    """A design in which every coefficient is pulled with strength 1, of its filled columns.

    Args:
        pull: float64 (k,), above 0: each coefficient's own strength.

    Returns:
        The narrow design (n, m), and ``back`` (k, m) to get the wide coefficients from its own.
    """
    used = np.unique(design.indices)
    scale = 1 / np.sqrt(pull[used])
    back = sparse.csr_matrix(
        (scale, (used, np.arange(len(used)))), shape=(design.shape[1], len(used))
    )
    return (design.astype(np.float64) @ back).tocsr(), back


def compact(sides: Sequence[tuple[sparse.csr_matrix, Floats]], count: int) -> Floats:
    """A square design (n, n) that gives the same answers as all of ``sides`` together.

    The best coefficients lie in the span of the rows, so the rows' inner products are all that a
    fit needs: with K = sum X diag(1 / pull) X' = R R', a fit on R with |u|^2 is a fit on X.
    """
    kernel = np.zeros((count, count))
    for design, pull in sides:
        narrow, _ = narrowed(design, pull)
        kernel += np.asarray((narrow @ narrow.T).todense())
    size = float(np.trace(kernel)) / max(count, 1)
    kernel[np.diag_indices(count)] += _JITTER * max(size, 1.0)
    return linalg.cholesky(kernel, lower=True, check_finite=False)


def log_loss(targets: Floats, logits: Floats, weights: Floats) -> float:
    """Weighted mean of log(1 + e^z) - y z; 0.0 without weight."""
    each = np.logaddexp(0, logits) - targets * logits
    total = float(weights.sum())
    return float(weights @ each) / total if total > 0 else 0.0
