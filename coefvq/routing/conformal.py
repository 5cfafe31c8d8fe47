"""Conformal risk control (Angelopoulos et al., arXiv 2208.02814): the second way to a threshold.

It controls the *mean* of the loss over draws of the labels and of the next item. For one given set
of labels the rate may well lie above the target (about as often as not). Where a promise about the
policy in use is needed, Learn then Test (``coefvq.routing.certify``) is the method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError
from coefvq.routing.bounds import LEVEL_SLACK, check_share


@dataclass(frozen=True)
class Conformal:
    """What conformal risk control chose.

    Attributes:
        index: The least safe candidate allowed; ``None`` where not even the safest is.
        adjusted: float (candidates,), n / (n + 1) x mean loss + bound / (n + 1).
        monotone: Whether each item's loss rose along the path, as the method requires. Where it
            did not, each was replaced by its running maximum from the safest candidate on,
            which restores the guarantee at the price of a safer choice.
    """

    index: int | None
    adjusted: NDArray[np.float64]
    monotone: bool


def conformal(losses: ArrayLike, target: float, bound: float = 1.0) -> Conformal:
    """The least safe candidate with adjusted mean <= target for it and all safer ones.

    Equation 4 of arXiv 2208.02814: n / (n + 1) x mean + bound / (n + 1) <= target.

    Args:
        losses: (items, candidates) in 0..``bound``, candidates from the safest. For the miss
            rate: one row a labelled violation, 1 where the candidate lets it pass.
        target: The mean loss to stay at or below, strictly between 0 and ``bound``.
        bound: Largest possible loss.

    Raises:
        RoutingError: For no items, losses outside 0..bound or not numbers, or a bad target.
    """
    values = np.atleast_2d(np.asarray(losses, dtype=float))
    if values.ndim != 2 or 0 in values.shape:
        raise RoutingError("conformal risk control needs losses (items, candidates), not empty.")
    if not (bound > 0 and np.all((values >= 0) & (values <= bound))):
        raise RoutingError(f"losses must be numbers in 0..{bound:g}: scale them or raise bound.")
    check_share("target / bound", target / bound)
    rising = np.maximum.accumulate(values, axis=1)
    n = len(values)
    adjusted = (rising.sum(axis=0) + bound) / (n + 1)
    count = int(np.logical_and.accumulate(adjusted <= target + LEVEL_SLACK).sum())
    return Conformal(count - 1 if count else None, adjusted, bool(np.all(rising == values)))


def crc_index(losses_per_candidate: ArrayLike, target: float, bound: float = 1.0) -> int | None:
    """``conformal(...).index``; controls the mean of the loss only, see the module's text.

    Raises:
        RoutingError: As ``conformal``.
    """
    return conformal(losses_per_candidate, target, bound).index
