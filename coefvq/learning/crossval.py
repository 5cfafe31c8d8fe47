"""Folds that keep a group on one side, and calibration that never sees its own fold."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.routing.calibration import fit_calibrator


def grouped_folds(
    groups: Sequence[str], labels: Sequence[int], folds: int = 5, seed: int = 0
) -> NDArray[np.int64]:
    """Deal groups into folds so that sizes and shares of positives come out alike.

    Groups go largest first, each to the fold whose counts of both classes stay lowest.

    Returns:
        int64 (n,), the fold of each item, 0..folds-1 (fewer if there are fewer groups).
    """
    counts: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(2))
    for group, label in zip(groups, labels, strict=True):
        counts[group][int(label)] += 1
    names = sorted(counts)
    random.Random(seed).shuffle(names)
    names.sort(key=lambda name: -counts[name].sum())
    total = np.maximum(np.sum(list(counts.values()), axis=0), 1)
    filled = np.zeros((min(folds, len(names)), 2))
    chosen = {}
    for name in names:
        load = ((filled + counts[name]) / total) ** 2 - (filled / total) ** 2
        fold = int(np.argmin(load.sum(axis=1)))
        filled[fold] += counts[name]
        chosen[name] = fold
    return np.asarray([chosen[group] for group in groups], dtype=np.int64)


def leave_one_out_folds(groups: Sequence[str]) -> NDArray[np.int64]:
    """One fold a group, numbered by the groups' sorted names."""
    order = {name: index for index, name in enumerate(sorted(set(groups)))}
    return np.asarray([order[group] for group in groups], dtype=np.int64)


def cross_fitted(logits: ArrayLike, labels: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
    """Calibrated probabilities, each from a calibrator fitted on the other folds.

    Args:
        logits: Out-of-fold log-odds.
    """
    x, y, fold = np.asarray(logits, float), np.asarray(labels), np.asarray(folds)
    out = np.zeros(len(x))
    for number in np.unique(fold):
        held = fold == number
        out[held] = fit_calibrator(x[~held], y[~held])(x[held])
    return out
