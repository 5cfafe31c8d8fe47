"""What the drift monitors share: levels, and how much one uploader counts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError

MIN_ITEMS, MIN_UPLOADERS = 100, 30
PER_UPLOADER = 5
CONFIDENCE = 0.99

Uploaders = Sequence[str | None] | None


class DriftLevel(StrEnum):
    """How far a policy has moved."""

    STABLE = "stable"
    WATCH = "watch"
    DRIFTED = "drifted"
    NOT_ENOUGH = "not_enough"


def number_uploaders(names: Uploaders, items: int) -> NDArray[np.intp]:
    """A number per distinct uploader; unnamed items share one."""
    if names is None:
        return np.arange(items)
    if len(names) != items:
        raise RoutingError(f"{len(names)} uploaders for {items} items")
    numbers: dict[str | None, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def capped_weights(groups: NDArray[np.intp]) -> tuple[NDArray[np.float64], float]:
    """Weights that let an uploader count for ``PER_UPLOADER`` items, and the effective number.

    The videos of one uploader may all be alike, so the effective number is Kish's
    (sum W)^2 / sum W^2 over the uploaders' total weights W, not over videos.
    """
    counts = np.bincount(groups)
    totals = np.minimum(counts, PER_UPLOADER).astype(np.float64)
    weights = (totals / np.maximum(counts, 1))[groups]
    return weights, float(totals.sum() ** 2 / np.square(totals).sum()) if groups.size else 0.0


def level_of(size: float, watch: float, drifted: float) -> DriftLevel:
    """Level of a distance that is more than noise."""
    if size > drifted:
        return DriftLevel.DRIFTED
    return DriftLevel.WATCH if size >= watch else DriftLevel.STABLE


def too_few(items: int, uploaders: int) -> str:
    """Why there is too little to say."""
    return (
        f"not enough: {items} items of {uploaders} uploaders, "
        f"{MIN_ITEMS} of {MIN_UPLOADERS} are needed"
    )
