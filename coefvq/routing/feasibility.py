"""Whether labels suffice for a certificate, and what would: said before anything is fitted."""

from __future__ import annotations

import math

import numpy as np

from coefvq.errors import RoutingError
from coefvq.routing.bounds import (
    binomial_p,
    check_share,
    clopper_pearson_upper,
    labels_needed,
    nearest_target,
    passes,
)

# What a risk is conditioned on, for messages.
_COUNTED = {
    "miss_rate": "violations",
    "false_removal": "non-violations",
    "false_removal_rate": "non-violations",
}
_GROWTH, _FACTORS = 1.02, 500


def counted(risk: str) -> str:
    """What the ``n`` of a risk counts, in the plural."""
    return _COUNTED.get(risk, "items")


def check_feasible(
    n_violations: int,
    target: float,
    confidence: float,
    prevalence: float | None = None,
    share_for_certifying: float = 1.0,
) -> None:
    """Refuse a miss rate that these labels could not certify even without a single miss.

    Args:
        n_violations: Labelled violations in the file.
        target: Miss rate asked for, strictly between 0 and 1.
        confidence: Strictly between 0 and 1.
        prevalence: Violations / labelled items, to translate violations into labelled items.
        share_for_certifying: Share of the labels kept out of fitting, in (0, 1].

    Raises:
        RoutingError: With the labels that would do and the nearest target these can certify.
    """
    message = infeasible_message(n_violations, target, confidence, prevalence, share_for_certifying)
    if message:
        raise RoutingError(message)


def infeasible_message(
    n_violations: int,
    target: float,
    confidence: float,
    prevalence: float | None = None,
    share_for_certifying: float = 1.0,
) -> str | None:
    """Why ``check_feasible`` would refuse, with the same arguments; ``None`` where it would not."""
    if n_violations < 0 or not 0.0 < share_for_certifying <= 1.0:
        raise RoutingError("n_violations must be 0 or more and share_for_certifying in (0, 1].")
    kept = math.floor(n_violations * share_for_certifying + 1e-9)
    needed = labels_needed(target, confidence)
    if kept >= needed:
        return None
    in_file = math.ceil(needed / share_for_certifying - 1e-9)
    has = f"there are {n_violations:,}"
    if share_for_certifying < 1.0:
        has += f", of which {kept:,} are kept for certifying"
    return (
        f"A miss rate of {target:g} cannot be certified at confidence {confidence:g}: that takes "
        f"{needed:,} violations without a single miss, and {has}. "
        f"Label at least {in_file:,} violations{_as_items(in_file, prevalence)}"
        f"{_nearest(kept, confidence)}"
    )


def refusal_message(
    risk: str,
    errors: int,
    n: int,
    target: float,
    confidence: float,
    prevalence: float | None = None,
) -> str:
    """Why the safest candidate did not pass on one risk, and what would help.

    Args:
        risk: Name of the risk.
        errors: Items that went wrong with the safest candidate.
        n: Labelled items that the risk is conditioned on, those kept for certifying.
        target: The rate asked for.
        confidence: Strictly between 0 and 1.
        prevalence: Violations / labelled items, to translate violations into labelled items.
    """
    what, upper = counted(risk), float(clopper_pearson_upper(errors, n, confidence))
    start = (
        f"A {risk} of {target:g} cannot be certified at confidence {confidence:g}: even the safest "
        f"candidate goes wrong on {errors:,} of {n:,} {what} kept for certifying. "
    )
    more = labels_at_same_rate(errors, n, target, confidence)
    if more is None:
        remedy = f"More labels would not help, because {errors / n:.3g} is not below the target"
    else:
        remedy = f"About {more:,} {what} at the same rate would do"
        remedy += _as_items(more, prevalence) if risk == "miss_rate" else ""
    return f"{start}{remedy}; or ask for {_up(upper):g} or more."


def labels_at_same_rate(errors: int, n: int, target: float, confidence: float) -> int | None:
    """About how many labels would certify ``target`` if errors kept coming at ``errors / n``.

    Searched in steps of 2 % up to 20,000 times ``n``; ``None`` where none of them would do.
    """
    check_share("confidence", confidence)
    if errors == 0:
        return max(n, labels_needed(target, confidence))
    sizes = np.unique(np.ceil(n * _GROWTH ** np.arange(_FACTORS)))
    expected = np.minimum(np.ceil(errors / n * sizes - 1e-9), sizes)
    good = np.flatnonzero(passes(binomial_p(expected, sizes, target), confidence))
    return int(sizes[good[0]]) if len(good) else None


def _as_items(violations: int, prevalence: float | None) -> str:
    if prevalence is None or not 0.0 < prevalence <= 1.0:
        return ""
    items = math.ceil(violations / prevalence)
    return f" (about {items:,} items at a prevalence of {prevalence:.3g})"


def _nearest(kept: int, confidence: float) -> str:
    if kept < 1:
        return "; with none kept for certifying, no miss rate can be certified."
    return f"; or ask for a miss rate of {_up(nearest_target(kept, confidence)):g} or more."


def _up(rate: float) -> float:
    """Rounded up to four decimals, so that asking for the figure in the message succeeds."""
    return min(math.ceil(rate * 1e4) / 1e4, 1.0)
