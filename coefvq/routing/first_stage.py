"""All that a routing policy makes of the prefilter's score and the features of an item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError, did_you_mean
from coefvq.routing.calibration import log_odds, sigmoid
from coefvq.routing.features import FeatureScaling
from coefvq.routing.regress import Regressor, regressor_from_json
from coefvq.routing.scores import Known
from coefvq.routing.stage import FLOOR, StageCalibration

Vector = NDArray[np.float64]
BASES = ("prefilter", "features", "forecast")


@dataclass(frozen=True)
class FirstStage:
    """Calibration, features, and the probability of an item that is not escalated.

    Attributes:
        calibration: Of the prefilter's score.
        scaling: Of the features that the policy reads.
        base: Which probability counts without the MLLM: ``prefilter`` (calibrated score),
            ``features`` (score and features in one logistic regression) or ``forecast``.
        logistic: Weights of the log-odds, of each feature input, and the constant.
        forecast: Regressor of the square root of the MLLM's probability.
    """

    calibration: StageCalibration
    scaling: FeatureScaling
    base: str = "prefilter"
    logistic: tuple[float, ...] = ()
    forecast: Regressor | None = None

    def __post_init__(self) -> None:
        if self.base not in BASES:
            raise RoutingError(f"There is no base '{self.base}'.{did_you_mean(self.base, BASES)}")
        if self.base == "forecast" and self.forecast is None:
            raise RoutingError("The base `forecast` needs a forecast, and there is none.")
        if self.base == "features" and not self.logistic:
            raise RoutingError("The base `features` needs logistic weights, and there are none.")

    def know(self, raw: ArrayLike, features: Vector) -> Known:
        """From raw scores (n,) and the policy's features (n, k) to what rules read."""
        p1 = self.calibration(raw)
        inputs = self._inputs(p1, features)
        forecast = None if self.forecast is None else self.forecast_of(inputs)
        return Known(p1, self._base(p1, inputs, forecast), inputs, forecast)

    def inputs(self, raw: ArrayLike, features: Vector) -> Vector:
        """(n, 1 + k'): log-odds of the calibrated score, then the scaled features."""
        return self._inputs(self.calibration(raw), features)

    def _inputs(self, p1: Vector, features: Vector) -> Vector:
        place = log_odds(p1, FLOOR) / 2
        return np.concatenate([place[:, None], self.scaling(features)], axis=1)

    def forecast_of(self, inputs: Vector) -> Vector:
        """The MLLM's expected probability, FLOOR..1-FLOOR."""
        assert self.forecast is not None
        root = np.clip(self.forecast(inputs), 0.0, 1.0)
        return np.clip(root * root, FLOOR, 1 - FLOOR)

    def _base(self, p1: Vector, inputs: Vector, forecast: Vector | None) -> Vector:
        if self.base == "forecast" and forecast is not None:
            return forecast
        if self.base == "features" and self.logistic:
            weights = np.asarray(self.logistic)
            return np.clip(sigmoid(inputs @ weights[:-1] + weights[-1]), FLOOR, 1 - FLOOR)
        return p1

    def to_json(self) -> dict[str, Any]:
        """As stored in a routing policy."""
        return {
            "calibration": self.calibration.to_json(),
            "features": self.scaling.to_json(),
            "base": self.base,
            "logistic": list(self.logistic),
            "forecast": None if self.forecast is None else self.forecast.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FirstStage:
        """Read what ``to_json`` wrote."""
        forecast = data["forecast"]
        return cls(
            StageCalibration.from_json(data["calibration"]),
            FeatureScaling.from_json(data["features"]),
            str(data["base"]),
            tuple(float(weight) for weight in data["logistic"]),
            None if forecast is None else regressor_from_json(forecast),
        )
