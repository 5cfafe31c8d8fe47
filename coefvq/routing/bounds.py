"""p-values and upper bounds for a rate seen in labels, and how many labels a claim needs.

All are exact or finite-sample: they hold for any number of labels, with no normal approximation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError

# Two ways of writing the same number (1 - 0.9 and 0.1) differ by about 1e-17; this absorbs it.
LEVEL_SLACK = 1e-12
_MOST_LABELS = 2**62


def check_share(name: str, value: float) -> float:
    """Return ``value`` if it lies strictly between 0 and 1.

    Raises:
        RoutingError: Otherwise, with the remedy. 0 or 1 cannot be shown by any number of labels.
    """
    if not 0.0 < value < 1.0:
        raise RoutingError(
            f"{name} is {value!r}: it must lie strictly between 0 and 1. No number of labels "
            "proves a rate of exactly 0 or a confidence of exactly 1; ask for 0.01 or 0.99."
        )
    return float(value)


def passes(p_value: ArrayLike, confidence: float) -> NDArray[np.bool_]:
    """Whether each p-value is at most ``1 - confidence``."""
    return np.asarray(p_value, dtype=float) <= 1.0 - confidence + LEVEL_SLACK


def binomial_p(errors: ArrayLike, n: ArrayLike, target: float) -> NDArray[np.float64]:
    """P(Bin(n, target) <= errors): the p-value of "the error rate is above ``target``".

    Exact for 0/1 losses of independent, equally weighted labels (Learn then Test,
    arXiv 2110.01052).

    Args:
        errors: Whole counts in 0..n; any shape.
        n: Whole counts of labels, at least 1; broadcast against ``errors``.
        target: The rate to stay at or below, strictly between 0 and 1.

    Returns:
        p-values in 0..1, of the broadcast shape. Small: the rate is shown to be at most target.

    Raises:
        RoutingError: For no labels, counts that are not whole or outside 0..n, or a bad target.
    """
    check_share("target", target)
    k, size = _counts(errors, n)
    return _binomial_cdf(k, size, target)


def hoeffding_bentkus_p(mean_loss: ArrayLike, n: ArrayLike, target: float) -> NDArray[np.float64]:
    """The Hoeffding-Bentkus p-value of "the mean loss is above ``target``".

    min(exp(-n h1(min(R, a), a)), e P(Bin(n, a) <= ceil(n R))), with
    h1(x, a) = x ln(x/a) + (1-x) ln((1-x)/(1-a)) (Learn then Test,
    arXiv 2110.01052; first in Bates et al., arXiv 2101.02703).

    Args:
        mean_loss: Mean of n independent losses, each in 0..1; any shape.
        n: How many losses were averaged, at least 1.
        target: The mean to stay at or below, strictly between 0 and 1.

    Returns:
        p-values in 0..1, of the broadcast shape.

    Raises:
        RoutingError: For no labels, means outside 0..1 or not numbers, or a bad target.
    """
    check_share("target", target)
    mean, size = _means(mean_loss, n)
    hoeffding = np.exp(-size * _h1(np.minimum(mean, target), target))
    # n * (k / n) may come out a hair above k; without the slack ceil would count one more.
    whole = np.minimum(np.ceil(size * mean - 1e-9), size)
    bentkus = math.e * _binomial_cdf(np.maximum(whole, 0.0), size, target)
    return np.clip(np.minimum(hoeffding, bentkus), 0.0, 1.0)


def clopper_pearson_upper(
    errors: ArrayLike, n: ArrayLike, confidence: float
) -> NDArray[np.float64]:
    """One-sided exact upper bound of an error rate: the smallest target that would certify.

    Args:
        errors: Whole counts in 0..n.
        n: Whole counts of labels, at least 1.
        confidence: Strictly between 0 and 1.

    Returns:
        Rates in 0..1; 1.0 where every label was an error.
    """
    from scipy.special import betaincinv

    check_share("confidence", confidence)
    k, size = _counts(errors, n)
    inner = betaincinv(k + 1.0, np.maximum(size - k, 1.0), confidence)
    return np.where(k >= size, 1.0, inner)


def smallest_passing(p_at: Callable[[float], float], confidence: float) -> float:
    """The smallest target whose p-value passes, by bisection to 1e-9.

    Args:
        p_at: The p-value as a function of the target; must fall as the target rises.
        confidence: Strictly between 0 and 1.

    Returns:
        A target in 0..1 that passes; 1.0 where none below does.
    """
    check_share("confidence", confidence)
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if bool(passes(p_at(middle), confidence)) else (middle, high)
    return high


def labels_needed(target: float, confidence: float, errors_allowed: int = 0) -> int:
    """The smallest number of labels at which ``errors_allowed`` errors still certify ``target``.

    With no error this is ceil(ln(1 - confidence) / ln(1 - target)).

    Args:
        target: The rate to certify, strictly between 0 and 1.
        confidence: Strictly between 0 and 1.
        errors_allowed: Errors among those labels, 0 or more.

    Raises:
        RoutingError: For a target or confidence of 0 or 1, or a negative count.
    """
    check_share("target", target)
    check_share("confidence", confidence)
    if errors_allowed < 0 or errors_allowed != int(errors_allowed):
        raise RoutingError(f"errors_allowed is {errors_allowed!r}: give a whole number, 0 or more.")
    if errors_allowed == 0:
        return _labels_without_error(target, confidence)
    low, high = errors_allowed, 2 * errors_allowed + 2
    while not _certifies(errors_allowed, high, target, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _certifies(errors_allowed, middle, target, confidence):
            high = middle
        else:
            low = middle
    return high


def nearest_target(n: int, confidence: float) -> float:
    """The lowest rate that ``n`` labels without an error certify: 1 - (1 - confidence)^(1/n)."""
    check_share("confidence", confidence)
    if n < 1:
        return 1.0
    return -math.expm1(math.log1p(-confidence) / n)


def _labels_without_error(target: float, confidence: float) -> int:
    exact = math.log1p(-confidence) / math.log1p(-target)
    if exact > _MOST_LABELS:
        raise RoutingError(f"target {target!r} is too small: no number of labels shows it.")
    guess = max(1, math.ceil(exact * (1.0 - 1e-12)))
    return guess if _certifies(0, guess, target, confidence) else guess + 1


def _certifies(errors: int, n: int, target: float, confidence: float) -> bool:
    return bool(passes(binomial_p(errors, n, target), confidence))


def _binomial_cdf(k: NDArray[np.float64], n: NDArray[np.float64], p: float) -> NDArray[np.float64]:
    # The incomplete beta function is what scipy.stats.binom.cdf computes, at a tenth of the import.
    from scipy.special import betainc

    inner = betainc(np.maximum(n - k, 1.0), k + 1.0, 1.0 - p)
    return np.where(k >= n, 1.0, inner)


def _h1(x: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    from scipy.special import rel_entr

    return rel_entr(x, target) + rel_entr(1.0 - x, 1.0 - target)


def _counts(errors: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k, size = np.broadcast_arrays(np.asarray(errors, dtype=float), _sizes(n))
    if not np.all((k >= 0) & (k <= size) & (k == np.floor(k))):
        raise RoutingError("error counts must be whole numbers between 0 and the number of labels.")
    return k, size


def _means(mean_loss: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean, size = np.broadcast_arrays(np.asarray(mean_loss, dtype=float), _sizes(n))
    if not np.all((mean >= 0) & (mean <= 1)):
        raise RoutingError("mean losses must lie in 0..1: scale the losses by their largest value.")
    return mean, size


def _sizes(n: ArrayLike) -> NDArray[np.float64]:
    size = np.asarray(n, dtype=float)
    if not np.all(np.isfinite(size) & (size >= 1) & (size == np.floor(size))):
        raise RoutingError(
            "no labels to count from: a certificate needs at least one, whole count."
        )
    return size
