"""From a model's log-odds to probabilities that come true as often as they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import ModelError

ISOTONIC_FROM = 1000
"""Positives and negatives needed, each, before a step-wise fit is worth its variance."""
PLATT_FROM = 8
"""Positives and negatives needed, each, before a shift is fitted as well as a slope."""


def sigmoid(logits: ArrayLike) -> NDArray[np.float64]:
    """The logistic function, safe for large values."""
    clipped = np.clip(np.asarray(logits, dtype=np.float64), -60, 60)
    return 1 / (1 + np.exp(-clipped))


def log_odds(probabilities: ArrayLike, floor: float = 1e-4) -> NDArray[np.float64]:
    """The inverse of ``sigmoid``, probabilities held inside floor..1-floor."""
    kept = np.clip(np.asarray(probabilities, dtype=np.float64), floor, 1 - floor)
    return np.log(kept / (1 - kept))


@dataclass(frozen=True)
class Calibrator:
    """A monotone map from log-odds to a probability.

    Attributes:
        kind: ``platt``: sigmoid(a x + b). ``temperature``: the same with b = 0, a = 1/T.
            ``isotonic``: linear between knots.
        a: Slope, >= 0.
        b: Shift.
        knots: For ``isotonic``: pairs of log-odds and probability, rising.
    """

    kind: str = "platt"
    a: float = 1.0
    b: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Probabilities, 0..1, of the same shape as the log-odds."""
        values = np.asarray(logits, dtype=np.float64)
        if self.kind == "isotonic":
            points = np.asarray(self.knots)
            return np.interp(values, points[:, 0], points[:, 1])
        return sigmoid(self.a * values + self.b)

    def to_json(self) -> dict[str, Any]:
        """For the weights' description file."""
        if self.kind == "isotonic":
            return {"kind": self.kind, "knots": [list(knot) for knot in self.knots]}
        return {"kind": self.kind, "a": self.a, "b": self.b}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibrator:
        """Read what ``to_json`` wrote.

        Raises:
            ModelError: For a kind that this version does not know.
        """
        if data["kind"] == "isotonic":
            return cls("isotonic", knots=tuple((float(x), float(y)) for x, y in data["knots"]))
        if data["kind"] not in ("platt", "temperature"):
            raise ModelError(f"Unknown calibration '{data['kind']}'; fit it again.")
        return cls(data["kind"], float(data["a"]), float(data["b"]))


def fit_platt(
    logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, ridge: float = 1e-3
) -> Calibrator:
    """Platt (1999): logistic regression on the log-odds, with his smoothed targets.

    The slope is held at or above 0, so that the order of videos never turns round; where labels
    ask for less than 0 the answer is the base rate everywhere.

    Args:
        ridge: A light pull of the slope towards 1 and the shift towards 0.
    """
    x = np.asarray(logits, dtype=np.float64)
    y = np.asarray(labels, dtype=np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=np.float64)
    positives, negatives = float((w * y).sum()), float((w * (1 - y)).sum())
    target = np.where(y > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale = float(x.std()) or 1.0
    design = np.stack([x / scale, np.ones_like(x)], axis=1)
    prior = np.array([scale, 0.0])

    def loss(beta: NDArray[np.float64]) -> float:
        logits = design @ beta
        fit = float((w * (np.logaddexp(0, logits) - target * logits)).sum())
        return fit + ridge / 2 * float(((beta - prior) ** 2).sum())

    beta = np.array([1.0, 0.0])
    for _ in range(100):
        p = sigmoid(design @ beta)
        gradient = design.T @ (w * (p - target)) + ridge * (beta - prior)
        curve = (design * (w * p * (1 - p))[:, None]).T @ design + ridge * np.eye(2)
        step, now = np.linalg.solve(curve, gradient), loss(beta)
        while loss(beta - step) > now and np.abs(step).max() > 1e-9:
            step = step / 2
        beta = beta - step
        if np.abs(step).max() < 1e-9:
            break
    if beta[0] <= 0:
        return Calibrator("platt", 0.0, float(np.log((positives + 1) / (negatives + 1))))
    return Calibrator("platt", float(beta[0]) / scale, float(beta[1]))


def fit_temperature(
    logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, ridge: float = 1.0
) -> Calibrator:
    """Temperature scaling (Guo et al. 2017): one slope 1/T on log-odds, no shift.

    For scores that are probabilities already, where labels are too few for a second number.

    Args:
        ridge: Pull of the slope towards 1, so that three labels do not give T = 0.
    """
    from scipy.optimize import minimize_scalar

    x = np.asarray(logits, dtype=np.float64)
    y = np.asarray(labels, dtype=np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=np.float64)

    def loss(log_slope: float) -> float:
        scaled = np.exp(log_slope) * x
        return float((w * (np.logaddexp(0, scaled) - y * scaled)).sum()) + ridge * log_slope**2

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return Calibrator("temperature", float(np.exp(found.x)), 0.0)


def fit_isotonic(
    logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, least: int = 40
) -> Calibrator:
    """Pool adjacent violators over blocks of equal mass, then straight lines between blocks.

    Args:
        least: Items a block starts with; blocks keep single items from giving 0 or 1.
    """
    order = np.argsort(np.asarray(logits, dtype=np.float64), kind="stable")
    x = np.asarray(logits, dtype=np.float64)[order]
    y = np.asarray(labels, dtype=np.float64)[order]
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=np.float64)[order]
    parts = _blocks(x, max(2, len(x) // least))
    blocks = [
        [float(np.average(x[b], weights=w[b])), float((w * y)[b].sum() + 0.5), w[b].sum() + 1.0]
        for b in parts
    ]
    pooled: list[list[float]] = []
    for block in blocks:
        pooled.append(list(block))
        while len(pooled) > 1 and _rate(pooled[-2]) > _rate(pooled[-1]):
            right = pooled.pop()
            left = pooled[-1]
            total = left[2] + right[2]
            left[0] = (left[0] * left[2] + right[0] * right[2]) / total
            left[1], left[2] = left[1] + right[1], total
    return Calibrator("isotonic", knots=tuple((block[0], _rate(block)) for block in pooled))


def _blocks(rising: NDArray[np.float64], count: int) -> list[NDArray[np.intp]]:
    """Rows in about ``count`` blocks of equal size; equal values stay in one block."""
    sizes = [len(part) for part in np.array_split(rising, count)]
    edges = np.searchsorted(rising, rising[np.cumsum(sizes)[:-1]], side="left")
    return np.split(np.arange(len(rising)), np.unique(edges[edges > 0]))


def _rate(block: list[float]) -> float:
    return block[1] / block[2]


def moved_to_rate(found: Calibrator, share: float, rate: float) -> Calibrator:
    """Carry a calibrator from a set with one share of positives to another base rate.

    Saerens, Latinne & Decaestecker 2002: with the classes themselves unchanged, log-odds shift
    by the difference of the two rates' log-odds.

    Args:
        share: Positives in the set that it was fitted on, between 0 and 1.
        rate: Positives where it will be used, between 0 and 1.
    """
    shift = float(log_odds(rate) - log_odds(share))
    if found.kind == "isotonic":
        knots = tuple((x, float(sigmoid(log_odds(y) + shift))) for x, y in found.knots)
        return Calibrator("isotonic", knots=knots)
    return Calibrator("platt", found.a, found.b + shift)


def fit_calibrator(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    probabilities: bool = False,
) -> Calibrator:
    """The richest map that the number of labels carries.

    Isotonic where both classes have ``ISOTONIC_FROM`` items, else Platt. Where one class has fewer
    than ``PLATT_FROM`` and the scores are log-odds of probabilities, temperature only.

    Args:
        probabilities: Whether zero log-odds mean something (the score was a probability).
    """
    y = np.asarray(labels)
    fewest = min((y == 1).sum(), (y == 0).sum())
    if fewest >= ISOTONIC_FROM:
        return fit_isotonic(logits, labels, weights)
    if fewest < PLATT_FROM and probabilities:
        return fit_temperature(logits, labels, weights)
    return fit_platt(logits, labels, weights)
