"""From labelled predictions to a routing policy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coefvq.routing.certified import fit_certified
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from coefvq.routing.uncertified import check_fittable, fit_uncertified

Say = Callable[[str], None]


def fit_policy(
    items: Predictions, request: FitRequest | None = None, progress: Say | None = None
) -> RoutingPolicy:
    """Fit a routing policy for one task.

    Calibrates both stages and their combination, fits or chooses the escalation rule, sets the
    thresholds on out-of-fold answers, and certifies them on labels kept apart where asked to.

    Args:
        items: Labelled history.
        request: What is wanted.
        progress: Called with one line a step.

    Raises:
        RoutingError: The data cannot carry the request; says why and what would do.
    """
    request = request or FitRequest()
    say = progress or (lambda line: None)
    check_fittable(items)
    items = _in_order(items)
    if request.certified:
        return fit_certified(items, request, say)
    return fit_uncertified(items, request, say)[0]


def _in_order(items: Predictions) -> Predictions:
    """Sorted by item id: folds are drawn by position, and must not depend on the file's order."""
    return items.take(np.argsort(items.item_id.astype(str), kind="stable"))
