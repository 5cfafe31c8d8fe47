"""The bank of known violations that ``similar`` compares with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.scores import Similar, entropy_bits

BANK = 256
"""Violations kept at most: more cost memory and time and add little recall."""
NEIGHBOURS = 3
QUANTILES = 65


def fit_similar(
    scaled: NDArray[np.float64],
    labels: NDArray[np.int8],
    p1: NDArray[np.float64],
    seed: int = 0,
) -> Similar:
    """Keep violations as a bank and learn how near an ordinary item is to it.

    Args:
        scaled: (n, k) scaled features.
        labels: (n,) 0/1.
        p1: (n,) calibrated prefilter probabilities.

    Raises:
        RoutingError: There is no feature to compare by.
    """
    if not scaled.shape[1]:
        raise RoutingError(
            "The rule `similar` compares features, and the predictions have none that vary. Add "
            "feature_* columns, or use another rule."
        )
    rows = np.flatnonzero(labels == 1)
    if len(rows) > BANK:
        rows = np.random.default_rng(seed).choice(rows, BANK, replace=False)
    neighbours = max(1, min(NEIGHBOURS, len(rows) - 1))
    marks = np.linspace(0, 1, QUANTILES)
    bits = np.quantile(entropy_bits(p1), marks)
    bare = Similar(scaled[rows], neighbours, np.zeros(0), bits)
    # A violation of the bank is at distance 0 from itself: only the others tell what is ordinary.
    others = np.setdiff1d(np.arange(len(scaled)), rows)
    ordinary = bare.distance(scaled[others if len(others) else rows])
    return Similar(bare.bank, neighbours, np.quantile(ordinary, marks), bits)
