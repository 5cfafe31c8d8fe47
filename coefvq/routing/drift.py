"""Has a policy drifted since its thresholds were fitted? Scores, and the report for people.

Scores are compared with a frozen ``Baseline`` by the population stability index; for calibration
see ``coefvq/routing/calibration_drift.py``. One uploader counts for at most ``PER_UPLOADER``
videos, and the noise of a monitor is computed from the number of distinct uploaders: a flood from
one account raises no alarm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError
from coefvq.routing.budget import read_state
from coefvq.routing.calibration_drift import CalibrationDrift
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

# The usual convention of credit scoring (Siddiqi, Credit Risk Scorecards, 2006).
WATCH_PSI, DRIFTED_PSI = 0.10, 0.25


@dataclass(frozen=True)
class Baseline:
    """The frozen distribution of a policy's scores.

    Attributes:
        edges: Inner bin edges, increasing; bin i holds edges[i-1] <= score < edges[i].
        shares: Of each bin, one more than edges, smoothed: none is 0, their sum is 1.
        items: Effective number of items behind it: the distinct uploaders, where they are known.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    items: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(self.edges))
        object.__setattr__(self, "shares", tuple(self.shares))
        rising = all(a < b for a, b in zip(self.edges, self.edges[1:], strict=False))
        shares = len(self.shares) == len(self.edges) + 1 and all(s > 0 for s in self.shares)
        if not (rising and shares and math.isclose(sum(self.shares), 1.0, abs_tol=1e-6)):
            raise RoutingError("a drift baseline needs rising edges and positive shares of sum 1")

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike,
        bins: int = 10,
        uploaders: Uploaders = None,
        weights: ArrayLike | None = None,
    ) -> Baseline:
        """Bins at the quantiles of ``scores`` (n,); a score that fills a bin gets one of its own.

        Args:
            scores: All finite.
            bins: How many.
            uploaders: As in ``score_drift``.
            weights: (n,) > 0, how many items of the traffic each stands for; alike by default.

        Raises:
            RoutingError: For fewer than 2 bins, under ``MIN_ITEMS`` scores, or one not finite.
        """
        values = np.asarray(scores, dtype=np.float64).ravel()
        if bins < 2 or values.size < MIN_ITEMS or not np.isfinite(values).all():
            raise RoutingError(
                f"a drift baseline needs at least 2 bins and {MIN_ITEMS} finite scores, "
                f"got {bins} bins and {int(np.isfinite(values).sum())} of {values.size}"
            )
        inner = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
        edges, times = np.unique(inner, return_counts=True)
        heavy = edges[times > 1]  # the value alone fills more than a bin: close it on both sides
        edges = np.unique(np.concatenate([edges, np.nextafter(heavy, np.inf)]))
        counted, items = _counted(number_uploaders(uploaders, values.size), weights)
        shares = _shares(values, edges, counted)
        return cls(tuple(map(float, edges)), tuple(map(float, shares)), items)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the database."""
        return {"edges": list(self.edges), "shares": list(self.shares), "items": self.items}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Baseline:
        """The inverse of ``to_json``; ``RoutingError`` for values that do not fit."""
        return read_state(cls, raw)


@dataclass(frozen=True)
class ScoreDrift:
    """PSI of a window of scores against the baseline.

    Attributes:
        psi: Population stability index; ``None`` where there is not enough to say.
        noise: What PSI stays below with probability ``CONFIDENCE`` without any drift.
        items: Scores that are numbers.
        uploaders: Distinct uploaders among them; equals ``items`` where none are given.
    """

    level: DriftLevel
    psi: float | None
    noise: float | None
    items: int
    uploaders: int
    reason: str


@dataclass(frozen=True)
class DriftReport:
    """What people see of one policy: the worse of both levels, and a line for each monitor."""

    policy: str
    level: DriftLevel
    reasons: tuple[str, ...]
    scores: ScoreDrift
    calibration: CalibrationDrift | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "level": str(self.level), "reasons": list(self.reasons)}


def score_drift(baseline: Baseline, scores: ArrayLike, uploaders: Uploaders = None) -> ScoreDrift:
    """PSI = sum (q - p) ln(q / p) over the bins, p the baseline's shares and q the window's.

    Without drift, PSI / (1/n + 1/m) is close to chi-squared with bins - 1 degrees of freedom
    (Yurdakul and Naranjo, Journal of Risk Model Validation, 2020), so its mean is
    (bins - 1)(1/n + 1/m). No alarm below its ``CONFIDENCE`` quantile; n and m are the effective
    numbers of uploaders.

    Args:
        baseline: Frozen.
        scores: (n,), those of the window; what is no number is left out, and reported.
        uploaders: (n,) names. ``None`` entries count as one uploader; without the
            argument every item counts as an uploader of its own.
    """
    values = np.asarray(scores, dtype=np.float64).ravel()
    finite = np.isfinite(values)
    groups = number_uploaders(uploaders, values.size)[finite]
    bad = int((~finite).sum())
    note = f"; {bad} of {values.size} scores are no numbers" if bad else ""
    items, distinct = int(finite.sum()), np.unique(groups).size
    if items < MIN_ITEMS or distinct < MIN_UPLOADERS:
        reason = f"scores: {too_few(items, distinct)}{note}"
        return ScoreDrift(DriftLevel.NOT_ENOUGH, None, None, items, distinct, reason)
    weights, effective = capped_weights(groups)
    p, q = np.array(baseline.shares), _shares(values[finite], baseline.edges, weights)
    psi = float(np.sum((q - p) * np.log(q / p)))
    noise = _psi_noise(p.size, effective, baseline.items)
    level = DriftLevel.STABLE if psi <= noise else level_of(psi, WATCH_PSI, DRIFTED_PSI)
    reason = f"scores {level}: PSI {psi:.3f}, noise up to {noise:.3f}, {distinct} uploaders{note}"
    return ScoreDrift(level, psi, noise, items, distinct, reason)


def drift_report(
    policy: str, scores: ScoreDrift, calibration: CalibrationDrift | None = None
) -> DriftReport:
    """Put both monitors of a policy together; the worse level counts, a silent one does not."""
    both: list[ScoreDrift | CalibrationDrift] = [scores]
    if calibration is not None:
        both.append(calibration)
    order = (DriftLevel.NOT_ENOUGH, DriftLevel.STABLE, DriftLevel.WATCH, DriftLevel.DRIFTED)
    level = max((monitor.level for monitor in both), key=order.index)
    return DriftReport(policy, level, tuple(m.reason for m in both), scores, calibration)


def _counted(
    groups: NDArray[np.intp], weights: ArrayLike | None
) -> tuple[NDArray[np.float64], float]:
    """Weights of items with their uploaders capped, and Kish's effective number of uploaders."""
    capped, items = capped_weights(groups)
    if weights is None:
        return capped, items
    given = capped * np.asarray(weights, dtype=np.float64).ravel()
    totals = np.bincount(groups, given)
    items = float(totals.sum() ** 2 / np.square(totals).sum())
    return given * (items / given.sum()), items


def _shares(
    values: NDArray[np.float64], edges: ArrayLike, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted share of each bin, with half an item added to each (Jeffreys), so none is 0."""
    inner = np.asarray(edges, dtype=np.float64)
    places = np.searchsorted(inner, values, side="right")
    counts = np.bincount(places, weights, minlength=inner.size + 1) + 0.5
    return counts / counts.sum()


def _psi_noise(bins: int, items: float, baseline_items: float) -> float:
    from scipy.stats import chi2

    return float(chi2.ppf(CONFIDENCE, bins - 1)) * (1 / items + 1 / baseline_items)
