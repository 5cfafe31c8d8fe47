"""Who is escalated, at which cost, with which guarantee. numpy, scipy, scikit-learn only.

    predictions -> fit -> RoutingPolicy -> route / replay

Example:
    >>> from coefvq.routing import FitRequest, fit_policy, read_predictions
    >>> from coefvq.routing.replay import replay
    >>> policy = fit_policy(read_predictions("history.csv"), FitRequest(budget=0.3))
    >>> replay(policy, read_predictions("later.csv")).to_json()["f1"]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coefvq.routing.fit import fit_policy
    from coefvq.routing.objective import Objective
    from coefvq.routing.policy import RoutingPolicy, read_policy, write_policy
    from coefvq.routing.predictions import Predictions
    from coefvq.routing.predictions_csv import read_predictions
    from coefvq.routing.request import FitRequest

__all__ = [
    "FitRequest",
    "Objective",
    "Predictions",
    "RoutingPolicy",
    "fit_policy",
    "read_policy",
    "read_predictions",
    "write_policy",
]

# Resolved when they are first asked for: one rule is no reason to load all of them.
_HOMES = {
    "FitRequest": "request",
    "Objective": "objective",
    "Predictions": "predictions",
    "RoutingPolicy": "policy",
    "fit_policy": "fit",
    "read_policy": "policy",
    "read_predictions": "predictions_csv",
    "write_policy": "policy",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
