"""Fit a routing policy on what the store's people decided, and keep it without effect."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from coefvq import taxonomy
from coefvq.errors import RoutingError
from coefvq.review.access import Actor, Permission, require
from coefvq.routing.fit import fit_policy
from coefvq.routing.objective import Objective
from coefvq.routing.request import FitRequest
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work import routing_rows
from coefvq.work.replay_views import Reading
from coefvq.work.routing_history import VersionedPrefilter
from coefvq.work.routing_replay import PATIENCE_S
from coefvq.work.routing_rows import Rows
from coefvq.work.routing_versions import for_task, keep
from coefvq.work.task_probability import Recalibration

MOST = 5_000
"""Cases of a fit: it takes a few seconds then, and more labels move thresholds little."""
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Wanted:
    """What is asked of the fit; see ``coefvq.routing.request.FitRequest``."""

    rule: str = "auto"
    objective: str = "f1"
    budget: float = 0.3
    miss_rate: float | None = None
    confidence: float = 0.9
    cost_fn: float = 10.0
    cost_fp: float = 1.0

    def request(self) -> FitRequest:
        """Checked.

        Raises:
            RoutingError: A part does not fit.
        """
        costs = (self.cost_fn, self.cost_fp) if self.objective == "cost" else (1.0, 1.0)
        return FitRequest(
            rule=self.rule,
            objective=Objective.named(self.objective, *costs),
            budget=self.budget,
            miss_rate=self.miss_rate,
            confidence=self.confidence,
        )


@dataclass(frozen=True)
class Fitted:
    """What was made.

    Attributes:
        n: Cases that it was fitted on.
        of: Cases that could have been used.
    """

    version: str
    n: int
    violations: int
    of: int


def fit(
    store: Store,
    settings: Settings,
    actor: Actor,
    task: str,
    wanted: Wanted,
    *,
    patience_s: float = PATIENCE_S,
    prefilter: VersionedPrefilter | None = None,
) -> Fitted | Reading:
    """Fit on at most ``MOST`` decided cases, evenly spread over their time.

    Raises:
        NotAllowed: The actor is no lead.
        RoutingError: The request cannot be met, with the reason and what could; or another fit is
            under way in this process.
    """
    require(actor, Permission.LEAD)
    taxonomy.task(task)
    request = wanted.request()
    known = prefilter or Recalibration.in_force(store, settings)
    read = routing_rows.read(store, settings, task, known, patience_s)
    if read.missing:
        return Reading(read.share)
    rows = _spread(read.rows)
    if not len(rows):
        raise RoutingError(f"There is no decided case of {task} to fit on yet. Review cases first.")
    if not _one_at_a_time.acquire(blocking=False):
        raise RoutingError("Another fit is under way. Try again when it is done.")
    try:
        items = rows.predictions()
        items = replace(items, item_id=np.array([case.decode() for case in rows.case.tolist()]))
        policy = for_task(fit_policy(items, request), task)
    finally:
        _one_at_a_time.release()
    version = keep(store, actor, policy)
    return Fitted(version, len(rows), int(rows.label.sum()), len(read.rows.counted()[0]))


def _spread(whole: Rows) -> Rows:
    """The same ones for the same history."""
    rows, _ = whole.counted()
    if len(rows) <= MOST:
        return rows
    return rows.take(np.linspace(0, len(rows) - 1, MOST).round().astype(np.intp))
