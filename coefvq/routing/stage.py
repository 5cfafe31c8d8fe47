"""From a stage's raw score, of any scale, to a calibrated probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError
from coefvq.routing.calibration import Calibrator, fit_calibrator, log_odds

FLOOR = 1e-4
"""Probabilities stay inside FLOOR..1-FLOOR: no label count here supports more certainty."""

FLATTEST = 0.2
"""At a temperature above five a score is taken to say nothing: its fit pulls it towards one."""


@dataclass(frozen=True)
class StageCalibration:
    """Raw score -> place on a line (log-odds where the score is a probability) -> probability.

    Attributes:
        on_log_odds: Whether raw scores are probabilities, whose log-odds are taken first.
        shift: Subtracted from raw scores of any other scale.
        scale: What they are divided by, > 0.
        calibrator: From the line to a probability.
    """

    on_log_odds: bool
    shift: float
    scale: float
    calibrator: Calibrator

    def line(self, raw: ArrayLike) -> NDArray[np.float64]:
        """Where the raw scores lie; spread about 1 where they are not probabilities."""
        values = np.asarray(raw, dtype=np.float64)
        if self.on_log_odds:
            return log_odds(values, FLOOR)
        return np.clip((values - self.shift) / self.scale, -12.0, 12.0)

    def __call__(self, raw: ArrayLike) -> NDArray[np.float64]:
        """Probabilities in FLOOR..1-FLOOR; NaN stays NaN."""
        return np.clip(self.calibrator(self.line(raw)), FLOOR, 1 - FLOOR)

    @property
    def informative(self) -> bool:
        """False where a higher score came with no more violations, so that it says nothing."""
        found = self.calibrator
        if found.kind == "isotonic":
            return len({rate for _, rate in found.knots}) > 1
        return found.a > (FLATTEST if found.kind == "temperature" else 0.0)

    def to_json(self) -> dict[str, Any]:
        """As stored in a routing policy."""
        place = {"on_log_odds": self.on_log_odds, "shift": self.shift, "scale": self.scale}
        return place | {"calibrator": self.calibrator.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> StageCalibration:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: The scale is not above 0.
        """
        scale = float(data["scale"])
        if not scale > 0:
            raise ValueError(f"scale {scale}")
        return cls(
            bool(data["on_log_odds"]),
            float(data["shift"]),
            scale,
            Calibrator.from_json(data["calibrator"]),
        )


def fit_stage(
    raw: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, name: str = "prefilter"
) -> StageCalibration:
    """Calibrate one stage on its labelled scores.

    Scores inside 0..1 count as probabilities, others are centred and scaled first. So are those
    whose log-odds all lie beyond FLOOR: as probabilities they would be one and the same.

    Raises:
        RoutingError: The score is the same everywhere, or too large to be scaled.
    """
    values = np.asarray(raw, dtype=np.float64)
    if np.ptp(values) == 0:
        raise RoutingError(
            f"{name} is {values[0]:g} for all {len(values)} labelled rows: a score that never "
            "varies cannot route. Check the column."
        )
    probabilities = bool(values.min() >= 0 and values.max() <= 1)
    probabilities = probabilities and bool(np.ptp(log_odds(values, FLOOR)) > 0)
    with np.errstate(over="ignore", under="ignore"):
        spread = float(values.std())
    if not 0 < spread < np.inf:
        raise RoutingError(f"{name} has a spread of {spread:g}: scale the column to usual numbers.")
    bare = StageCalibration(probabilities, float(values.mean()), spread, Calibrator())
    if weights is not None:
        given = np.asarray(weights, dtype=np.float64)
        weights = given / given.mean()
    found = fit_calibrator(bare.line(values), labels, weights, probabilities)
    return StageCalibration(probabilities, bare.shift, spread, found)
