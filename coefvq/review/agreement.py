"""How far people agree beyond chance: Krippendorff's alpha and Cohen's kappa, for nominal labels.

Both are written here because the known package is under the GPL; tests compare them with it and
with scikit-learn. Neither is ever NaN: where the figure cannot be given it is ``None``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha for nominal labels, with any number of answers a unit.

    alpha = 1 - D_o / D_e, from the coincidences of answers within units (Krippendorff, "Computing
    Krippendorff's Alpha-Reliability", 2011). A unit with fewer than two answers is left out, as if
    the others were missing.

    Args:
        units: For each unit the answers that it got; who gave them does not matter.

    Returns:
        1 for perfect agreement, 0 for what chance gives, below 0 for less. ``None`` without any
        unit with two answers, or where all answers are the same label: then chance and agreement
        cannot be told apart.
    """
    paired = [list(unit) for unit in units if len(unit) >= 2]
    total: Counter[str] = Counter()
    observed = 0.0
    for unit in paired:
        counts = Counter(unit)
        total.update(counts)
        same = sum(number * (number - 1) for number in counts.values())
        observed += (len(unit) * (len(unit) - 1) - same) / (len(unit) - 1)
    answers = total.total()
    expected = answers * answers - sum(number * number for number in total.values())
    if expected == 0:
        return None
    return 1.0 - (answers - 1) * observed / expected


def cohen_kappa(a: Sequence[str], b: Sequence[str]) -> float | None:
    """Cohen's kappa: agreement of two people beyond what their habits alone would give.

    kappa = (p_o - p_e) / (1 - p_e), with p_e from each one's own shares of labels (Cohen, "A
    coefficient of agreement for nominal scales", 1960).

    Args:
        a: One person's labels.
        b: The other's, of the same things in the same order.

    Returns:
        1 for perfect agreement, 0 for chance. ``None`` without labels, or where both gave one and
        the same label throughout.

    Raises:
        ValueError: They have not labelled the same number of things.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} labels: both must label the same things")
    n = len(a)
    if n == 0:
        return None
    one, other = Counter(a), Counter(b)
    by_habit = sum(one[label] * other[label] for label in one)
    if by_habit == n * n:
        return None
    same = sum(left == right for left, right in zip(a, b, strict=True))
    return (same * n - by_habit) / (n * n - by_habit)


def binary_alphas(
    both: NDArray[np.int64], mixed: NDArray[np.int64], neither: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Alpha of many tables of pairs with two labels at once; NaN where it is not defined.

    Args:
        both: How many pairs say violation twice.
        mixed: How many differ.
        neither: How many say ok twice.
    """
    answers = 2.0 * (both + mixed + neither)
    ones, zeros = 2.0 * both + mixed, 2.0 * neither + mixed
    expected = 2.0 * ones * zeros
    with np.errstate(divide="ignore", invalid="ignore"):
        alphas = 1.0 - (answers - 1.0) * 2.0 * mixed / expected
    return np.where(expected > 0, alphas, np.nan)


def binary_kappas(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Kappa of many 2x2 tables at once; NaN where it is not defined.

    Args:
        table: (tables, 4): both ok, only the second violation, only the first, both violation.
    """
    n = table.sum(axis=1).astype(float)
    first = table[:, 2] + table[:, 3]
    second = table[:, 1] + table[:, 3]
    by_habit = first * second + (n - first) * (n - second)
    same = table[:, 0] + table[:, 3]
    left = n * n - by_habit
    with np.errstate(divide="ignore", invalid="ignore"):
        kappas = (same * n - by_habit) / left
    return np.where(left > 0, kappas, np.nan)
