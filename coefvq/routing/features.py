"""What is known of an item before the MLLM runs, as inputs of a regressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
NINE_TENTHS = 3.29
"""Standard deviations between the 5th and 95th percentile of a normal distribution."""
REACH = 4.0
"""Inputs are held inside -REACH..REACH: a polynomial must not be asked far outside its data."""


@dataclass(frozen=True)
class FeatureScaling:
    """Centres, scales, and fills what is absent; a flag says where something was absent.

    Attributes:
        names: Feature columns, without the prefix.
        middle: Median of each.
        spread: Standard deviation of each, far tails left out, > 0.
        flagged: Whether a column "is absent" is added for each.
    """

    names: tuple[str, ...]
    middle: tuple[float, ...]
    spread: tuple[float, ...]
    flagged: tuple[bool, ...]

    def __call__(self, features: Matrix) -> Matrix:
        """(n, k) with NaN for absent -> (n, k + flags), finite."""
        if not self.names:
            return np.empty((len(features), 0))
        absent = np.isnan(features)
        scaled = (features - np.array(self.middle)) / np.array(self.spread)
        scaled = np.clip(np.where(absent, 0.0, scaled), -REACH, REACH)
        flags = absent[:, np.array(self.flagged)]
        return np.concatenate([scaled, flags.astype(np.float64)], axis=1) if flags.size else scaled

    def to_json(self) -> dict[str, Any]:
        """As stored in a routing policy."""
        columns = zip(self.names, self.middle, self.spread, self.flagged, strict=True)
        return {"columns": [list(column) for column in columns]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FeatureScaling:
        """Read what ``to_json`` wrote."""
        rows = data["columns"]
        return cls(
            tuple(str(row[0]) for row in rows),
            tuple(float(row[1]) for row in rows),
            tuple(float(row[2]) for row in rows),
            tuple(bool(row[3]) for row in rows),
        )


def fit_scaling(names: tuple[str, ...], features: Matrix) -> FeatureScaling:
    """Learn middle and spread; columns that never vary, or beyond all numbers, are left out."""
    kept, middle, spread, flagged = [], [], [], []
    for name, column in zip(names, features.T, strict=True):
        known = column[~np.isnan(column)]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            wide = _spread(known) if len(known) > 1 else 0.0
        if not 0 < wide < np.inf:
            continue
        kept.append(name)
        middle.append(float(np.median(known)))
        spread.append(float(wide))
        flagged.append(bool(len(known) < len(column)))
    return FeatureScaling(tuple(kept), tuple(middle), tuple(spread), tuple(flagged))


def _spread(known: NDArray[np.float64]) -> float:
    """Standard deviation, or where a few far values blow it up, that of the middle nine tenths."""
    wide = float(known.std())
    low, high = np.quantile(known, [0.05, 0.95])
    middle = float(high - low) / NINE_TENTHS
    return middle if np.isfinite(wide) and 0 < 2 * middle < wide else wide
