"""From labelled predictions to a routing policy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module

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
    with _one_thread():
        if request.certified:
            return fit_certified(items, request, say)
        return fit_uncertified(items, request, say)[0]


def _one_thread() -> AbstractContextManager[object]:
    """Many small matrices: threads of the linear algebra would only wait for each other.

    A limit reaches the libraries that are loaded when it is set, so they are loaded first.
    """
    from threadpoolctl import threadpool_limits

    for library in ("sklearn.ensemble", "sklearn.linear_model"):
        import_module(library)
    return threadpool_limits(limits=1)


def _in_order(items: Predictions) -> Predictions:
    """Sorted by item id: folds are drawn by position, and must not depend on the file's order."""
    return items.take(np.argsort(items.item_id.astype(str), kind="stable"))
