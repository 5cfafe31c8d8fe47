"""Has a policy's calibration drifted? Observed against predicted rate, beside a frozen baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError
from coefvq.routing.budget import read_state
from coefvq.routing.drift_levels import (
    CONFIDENCE,
    MIN_ITEMS,
    MIN_UPLOADERS,
    DriftLevel,
    Uploaders,
    capped_weights,
    level_of,
    number_uploaders,
    too_few,
)

WATCH_ERROR, DRIFTED_ERROR = 0.02, 0.05
# Fewer uncertain answers than this, and no interval of a rate is worth its name.
MIN_EXPECTED = 5.0
# Of one label. What is asked for less often than 1 in 100 counts too little; the price of a
# variance that one lucky draw cannot blow up.
MAX_WEIGHT = 100.0


@dataclass(frozen=True)
class CalibrationBaseline:
    """Observed minus predicted rate at the time of the fit, and its standard error."""

    error: float
    standard_error: float

    def to_json(self) -> dict[str, float]:
        """Plain values for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> CalibrationBaseline:
        """The inverse of ``to_json``; ``RoutingError`` for values that do not fit."""
        return read_state(cls, raw)


@dataclass(frozen=True)
class CalibrationDrift:
    """How the calibration error moved.

    Attributes:
        error: Observed minus predicted rate now, weighted; ``None`` if not enough.
        change: ``error`` minus the baseline's.
        low, high: Interval of ``change`` at ``CONFIDENCE``.
        items: Labelled items.
        uploaders: Distinct uploaders among them.
    """

    level: DriftLevel
    error: float | None
    change: float | None
    low: float | None
    high: float | None
    items: int
    uploaders: int
    reason: str


def calibration_baseline(
    predicted: ArrayLike,
    labels: ArrayLike,
    propensity: ArrayLike | None = None,
    uploaders: Uploaders = None,
) -> CalibrationBaseline:
    """Freeze the calibration error; arguments as in ``calibration_drift``.

    Raises:
        RoutingError: Also where there are too few labels to freeze anything.
    """
    sample = _Labelled.of(predicted, labels, propensity, uploaders)
    if sample.lacking():
        raise RoutingError(f"no calibration baseline: {sample.lacking()}")
    return CalibrationBaseline(*sample.error())


def calibration_drift(
    baseline: CalibrationBaseline,
    predicted: ArrayLike,
    labels: ArrayLike,
    propensity: ArrayLike | None = None,
    uploaders: Uploaders = None,
) -> CalibrationDrift:
    """Has observed minus predicted rate moved since the baseline?

    Items are weighted by 1 / propensity, at most ``MAX_WEIGHT`` (Hajek's estimate), because labels
    exist mostly where the cascade was unsure. The variance is the larger of that between
    uploaders and the binomial one under the predictions: a window without a single violation
    would otherwise look certain.

    Args:
        baseline: Frozen.
        predicted: (n,) calibrated probabilities, 0..1.
        labels: (n,) 0 or 1.
        propensity: (n,) probability with which the label was asked for, (0, 1]; 1 by default.
        uploaders: As in ``score_drift``.

    Raises:
        RoutingError: For values out of range or arrays of different lengths.
    """
    sample = _Labelled.of(predicted, labels, propensity, uploaders)
    items, distinct = sample.labels.size, sample.distinct
    if lacking := sample.lacking():
        none, reason = DriftLevel.NOT_ENOUGH, f"calibration: {lacking}"
        return CalibrationDrift(none, None, None, None, None, items, distinct, reason)
    error, standard_error = sample.error()
    change = error - baseline.error
    half = _student(distinct) * math.hypot(standard_error, baseline.standard_error)
    low, high = change - half, change + half
    level = DriftLevel.STABLE
    if low > 0 or high < 0:
        level = level_of(abs(change), WATCH_ERROR, DRIFTED_ERROR)
    reason = (
        f"calibration {level}: observed minus predicted rate moved by {100 * change:+.1f} points "
        f"({100 * low:+.1f} to {100 * high:+.1f}), {items} labels of {distinct} uploaders"
    )
    return CalibrationDrift(level, error, change, low, high, items, distinct, reason)


@dataclass(frozen=True)
class _Labelled:
    """Checked arrays (n,) of labelled items, each with its capped weight."""

    predicted: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]
    groups: NDArray[np.intp]
    counted: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        predicted: ArrayLike,
        labels: ArrayLike,
        propensity: ArrayLike | None,
        uploaders: Uploaders,
    ) -> _Labelled:
        p = np.asarray(predicted, dtype=np.float64).ravel()
        y = np.asarray(labels, dtype=np.float64).ravel()
        q = np.ones(p.size) if propensity is None else np.asarray(propensity, np.float64).ravel()
        if not p.size == y.size == q.size:
            raise RoutingError("predicted, labels and propensity must have the same length")
        if not (((p >= 0) & (p <= 1)).all() and np.isin(y, (0, 1)).all()):
            raise RoutingError("predicted must be in 0..1 and labels 0 or 1")
        if not ((q > 0) & (q <= 1)).all():
            raise RoutingError("a propensity must be above 0 and at most 1")
        groups = number_uploaders(uploaders, p.size)
        counted, _ = capped_weights(groups)
        return cls(p, y, counted * np.minimum(1 / q, MAX_WEIGHT), groups, counted)

    @property
    def distinct(self) -> int:
        return int(np.unique(self.groups).size)

    def lacking(self) -> str:
        """Why there is too little to say; empty where there is enough."""
        if self.labels.size < MIN_ITEMS or self.distinct < MIN_UPLOADERS:
            return too_few(self.labels.size, self.distinct)
        expected = float(np.sum(self.counted * np.minimum(self.predicted, 1 - self.predicted)))
        if expected < MIN_EXPECTED:
            return f"not enough: {expected:.1f} uncertain answers expected, {MIN_EXPECTED:g} needed"
        return ""

    def error(self) -> tuple[float, float]:
        """Weighted observed minus predicted rate, and its standard error."""
        total = float(self.weights.sum())
        difference = self.labels - self.predicted
        mean = float(self.weights @ difference) / total
        by_uploader = np.bincount(self.groups, self.weights * (difference - mean))
        clustered = float(by_uploader @ by_uploader) * self.distinct / (self.distinct - 1)
        binomial = float(self.weights**2 @ (self.predicted * (1 - self.predicted)))
        return mean, math.sqrt(max(clustered, binomial)) / total


def _student(uploaders: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, uploaders - 1))
