"""How a policy's parts are joined and calibrated after a fine-tune."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from coefvq.routing.calibration import sigmoid

Floats = NDArray[np.float64]
_SPREAD, _LEAST_SPREAD, _SHIFT = 0.3, 0.1, 1.0
_LINE_SLOPE, _LINE_SHIFT = 0.25, 0.7
_GRID = np.linspace(0.05, 0.95, 91)
_FEWEST = 10


@dataclass(frozen=True)
class Join:
    """``parts @ weights + intercept``; no weight is negative."""

    weights: Floats
    intercept: float

    def logits(self, parts: Floats) -> Floats:
        """Log-odds (n,) of parts (n, 4)."""
        return np.asarray(parts @ self.weights + self.intercept)


def join_parts(
    parts: Floats, labels: Floats, weights: Floats, start: Join, *, known: bool = True
) -> Join:
    """Logistic weights of the parts, drawn to the parent's by a Gaussian prior.

    A part's weight may move by about a third of the parent's and a tenth besides; for a policy
    that the parent does not know, by one half.
    """
    spread = _LEAST_SPREAD + _SPREAD * start.weights if known else np.full(len(start.weights), 0.5)
    return _fitted(parts, labels, weights, start, spread, _SHIFT)


def line(logits: Floats, labels: Floats, weights: Floats) -> tuple[float, float]:
    """Slope and shift of a calibration line (Platt 1999), drawn to 1 and 0."""
    start = Join(np.ones(1), 0.0)
    found = _fitted(logits[:, None], labels, weights, start, np.full(1, _LINE_SLOPE), _LINE_SHIFT)
    return max(float(found.weights[0]), 0.05), found.intercept


def on_line(join: Join, slope: float, shift: float) -> Join:
    """The join with its calibration line in it."""
    return Join(join.weights * slope, join.intercept * slope + shift)


def best_threshold(logits: Floats, labels: Floats, default: float) -> float:
    """The probability with the best macro-F1; the default where a class has too few items."""
    positives = int(labels.sum())
    if min(positives, len(labels) - positives) < _FEWEST:
        return default
    said = sigmoid(logits)[None] >= _GRID[:, None]
    macro = (_f1(said, labels > 0.5) + _f1(~said, labels < 0.5)) / 2
    return float(_GRID[int(np.argmax(macro))])


def _f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> Floats:
    """F1 of answers (k, n) about items (n,), (k,)."""
    both = (said & true).sum(1)
    return np.asarray(2.0 * both / np.maximum(said.sum(1) + true.sum(), 1))


def _fitted(
    parts: Floats, labels: Floats, weights: Floats, start: Join, spread: Floats, shift: float
) -> Join:
    prior = np.append(start.weights, start.intercept)
    tight = 1.0 / np.append(spread, shift) ** 2

    def objective(theta: Floats) -> tuple[float, Floats]:
        logits = parts @ theta[:-1] + theta[-1]
        rest = weights * (sigmoid(logits) - labels)
        off = theta - prior
        value = float(weights @ (np.logaddexp(0, logits) - labels * logits))
        slope = np.append(parts.T @ rest, rest.sum()) + tight * off
        return value + 0.5 * float(tight @ off**2), slope

    limits = [(0.0, None)] * len(start.weights) + [(None, None)]
    found = minimize(objective, prior, jac=True, method="L-BFGS-B", bounds=limits)
    return Join(np.asarray(found.x[:-1]), float(found.x[-1]))
