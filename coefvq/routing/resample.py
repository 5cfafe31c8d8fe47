"""Bootstrap intervals: items drawn again with replacement, each with the route that it had."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.baselines import Stages
from coefvq.routing.curves import pgr
from coefvq.routing.tally import Measured

Progress = Callable[[int, int], None]
LEVEL = (2.5, 97.5)
LEAST_DEFINED = 0.9
"""A measure that is undefined in more than a tenth of the resamples has no interval."""


def intervals(
    cascade: Measured, stages: Stages, rounds: int, seed: int = 0, progress: Progress | None = None
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of the policy's measures and of PGR.

    Args:
        rounds: Resamples, at least 1.
        progress: Called with (done, all) after each.

    Returns:
        (low, high) by measure; NaN where too many resamples leave it undefined.
    """
    found: dict[str, list[float]] = {}
    for done, weights in enumerate(_draws(cascade.items.weight, rounds, seed), start=1):
        for name, value in _figures(cascade, stages, weights).items():
            found.setdefault(name, []).append(value)
        if progress is not None:
            progress(done, rounds)
    return {name: _percentiles(np.asarray(values)) for name, values in found.items()}


def _draws(weight: NDArray[np.float64], rounds: int, seed: int) -> Iterator[NDArray[np.float64]]:
    rng, n = np.random.default_rng(seed), len(weight)
    for _ in range(rounds):
        yield np.bincount(rng.integers(0, n, n), minlength=n) * weight


def _figures(cascade: Measured, stages: Stages, weights: NDArray[np.float64]) -> dict[str, float]:
    """The measures under the weights of one resample."""
    counted = cascade.tally(weights)
    found = counted.measures(cascade.objective) | counted.outcomes()
    found["average_precision"] = cascade.average_precision(weights)
    some = weights if stages.fair is cascade else weights[stages.rows]
    weak, strong = stages.weak.quality(some), stages.strong.quality(some)
    return found | {"pgr": pgr(stages.fair.quality(some), weak, strong)}


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    kept = values[~np.isnan(values)]
    if len(kept) < max(1.0, LEAST_DEFINED * len(values)):
        return float("nan"), float("nan")
    low, high = np.percentile(kept, LEVEL)
    return float(low), float(high)
