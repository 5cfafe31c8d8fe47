"""The bank of known violations that ``similar`` compares with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.scores import Similar, entropy_bits

BANK = 256
"""Items of each kind kept at most: more cost memory and time and add little recall."""
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
    rng = np.random.default_rng(seed)
    violations, others = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    bank = _sample(rng, violations, BANK)
    ordinary = _sample(rng, others, min(BANK, (len(others) + 1) // 2))
    neighbours = max(1, min(NEIGHBOURS, len(bank) - 1, len(ordinary) - 1))
    marks = np.linspace(0, 1, QUANTILES)
    bits = np.quantile(entropy_bits(p1), marks)
    bare = Similar(scaled[bank], scaled[ordinary], neighbours, np.zeros(0), bits)
    # What is in a bank is at distance 0 from itself: only the others tell what is usual.
    left = np.setdiff1d(others, ordinary)
    usual = bare.like(scaled[left if len(left) else others])
    return replace(bare, likeness=np.quantile(usual, marks))


def _sample(rng: np.random.Generator, rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    return rows if len(rows) <= most else rng.choice(rows, most, replace=False)
