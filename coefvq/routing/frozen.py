"""The baseline that a routing policy carries from its fit, for the drift monitors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.calibration_drift import CalibrationBaseline, calibration_baseline
from coefvq.routing.drift import Baseline

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class FrozenBaseline:
    """What one task looked like when its policy was fitted.

    Attributes:
        scores: Distribution of the prefilter's task probability, before the policy calibrates it.
        calibration: Observed minus predicted rate of the calibrated probability; ``None`` where
            the labels were too few to say.
    """

    scores: Baseline
    calibration: CalibrationBaseline | None = None

    def __post_init__(self) -> None:
        error = self.calibration
        more = () if error is None else (error.error, error.standard_error)
        numbers = (self.scores.items, *self.scores.edges, *self.scores.shares, *more)
        if not all(isinstance(number, int | float) for number in numbers):
            raise RoutingError("a drift baseline holds numbers only")
        if not (np.isfinite(numbers).all() and self.scores.items > 0):
            raise RoutingError("a drift baseline needs finite numbers and some items")

    @classmethod
    def of(
        cls, scores: Vector, predicted: Vector, labels: NDArray[np.int8], weights: Vector
    ) -> FrozenBaseline | None:
        """Freeze; ``None`` where there are too few rows.

        Args:
            scores: (n,) the prefilter's, any scale.
            predicted: (n,) calibrated, 0..1.
            labels: (n,) 0/1.
            weights: (n,) > 0, 1 / propensity up to a factor.
        """
        try:
            known = Baseline.from_scores(scores, weights=weights)
        except RoutingError:  # too few rows; the drift report says that there is no baseline
            return None
        try:
            error = calibration_baseline(predicted, labels, float(weights.min()) / weights)
        except RoutingError:  # too few labels of one kind; the report says so
            return cls(known)
        return cls(known, error)

    def to_json(self) -> dict[str, Any]:
        """As stored in a routing policy."""
        error = self.calibration
        return {
            "scores": self.scores.to_json(),
            "calibration": None if error is None else error.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> FrozenBaseline | None:
        """Read what ``to_json`` wrote; ``None`` stays ``None``.

        Raises:
            RoutingError: For values that do not fit.
        """
        if data is None:
            return None
        error = data["calibration"]
        read = None if error is None else CalibrationBaseline.from_json(error)
        return cls(Baseline.from_json(data["scores"]), read)
