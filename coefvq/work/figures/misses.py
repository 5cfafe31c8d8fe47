"""The miss rate of all traffic from random audits, and the naive figure beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import RouteName
from coefvq.errors import RoutingError
from coefvq.routing.audit_estimate import OUTCOMES, AuditEstimate, estimate
from coefvq.routing.reliability import wilson
from coefvq.routing.route import PASS
from coefvq.store.outcomes import Open
from coefvq.work.figures.gather import Decided
from coefvq.work.routing_history import NO_AUDIT, NOT_DRAWN

WANTED = 0.05
"""Half width of the interval that audits are counted up to."""
CONFIDENCE = 0.95
_NAMES = {RouteName.AUTO_PASS.value: 0, RouteName.AUTO_FLAG.value: 1}
_RATES = ("miss_rate", "precision", "prevalence", "false_removal_rate")


def misses(rows: Decided, waiting: Sequence[Open], window: int) -> dict[str, Any]:
    """Rates of a task's outcomes that were scored in a window.

    Args:
        rows: Decided cases scored in the window, all of them.
        waiting: What nobody decided; ``window`` is the place of its numbers.
    """
    code, label, propensity, labelled = _items(rows, waiting, window)
    never = (code < 2) & (propensity >= 1.0)
    code, label, propensity, labelled = (each[~never] for each in (code, label, propensity,
                                                                   labelled))  # fmt: skip
    head: dict[str, Any] = {
        "items": len(code),
        "labelled": int(labelled.sum()),
        "audits": int(rows.audit.sum()),
        "audits_waiting": sum(each.numbers[window] for each in waiting if each.audit),
        "left_out": {NO_AUDIT: int(never.sum())} if never.any() else {},
        "outcomes": _by_outcome(code, label, labelled),
        "naive": _naive(code, label, labelled),
        "confidence": CONFIDENCE,
    }
    try:
        found = estimate(np.array(OUTCOMES)[code], label, propensity, labelled, CONFIDENCE)
    except RoutingError:
        return head | {"why": "No case of this time has a person's decision yet."}
    rates = {name: [*getattr(found, name)[:3]] for name in _RATES}
    notes = [note for note in found.notes if "auto_flag" not in note]
    missing = audits_missing(found, head["outcomes"])
    return head | rates | {"why": None, "notes": notes, "audits_missing": missing}


def _items(rows: Decided, waiting: Sequence[Open], window: int) -> tuple[NDArray[Any], ...]:
    """Outcome, label, propensity and whether it counts as labelled, of each item."""
    groups = [each for each in waiting if each.numbers[window]]
    times = [each.numbers[window] for each in groups]
    codes = np.array([_NAMES.get(each.route, 2) for each in groups], dtype=np.int8)
    shares = np.array([each.propensity for each in groups], dtype=np.float64)
    shares = np.where(codes == 2, 1.0, shares)
    code = np.concatenate([rows.outcome, np.repeat(codes, times)])
    propensity = np.concatenate([1.0 / rows.weight, np.repeat(shares, times)])
    none = np.zeros(sum(times), dtype=bool)
    labelled = np.concatenate([rows.why != NOT_DRAWN, none])
    return code, np.concatenate([rows.label, none]), propensity, labelled


def _by_outcome(
    code: NDArray[Any], label: NDArray[Any], labelled: NDArray[Any]
) -> dict[str, dict[str, int]]:
    return {
        name: {
            "items": int((code == at).sum()),
            "labelled": int(((code == at) & labelled).sum()),
            "violations": int(((code == at) & labelled & (label == 1)).sum()),
        }
        for at, name in enumerate(OUTCOMES)
    }


def _naive(code: NDArray[Any], label: NDArray[Any], labelled: NDArray[Any]) -> dict[str, Any]:
    """What counting the decided cases as they are would say."""
    found = labelled & (label == 1)
    n, hits = int(found.sum()), int((found & (code == PASS)).sum())
    return {"n": n, "rate": [hits / n, *wilson(hits, n)] if n else None}


def audits_missing(found: AuditEstimate, outcomes: dict[str, dict[str, int]]) -> int | None:
    """About how many more audits of passed videos make the interval ``WANTED`` to each side.

    Where audits have found violations the width falls with the root of their number. Where they
    have found none yet, an exact bound with none among n is used: (1 - r)^n = 2.5 % with the
    rate r at which the interval would be twice ``WANTED`` wide.

    Returns:
        0 where it is narrow enough, ``None`` where nothing is passed or too little is known.
    """
    passed = outcomes[RouteName.AUTO_PASS.value]
    half = (found.miss_rate.high - found.miss_rate.low) / 2
    if not passed["items"]:
        return None
    if half <= WANTED:
        return 0
    if passed["violations"]:
        return math.ceil(passed["labelled"] * ((half / WANTED) ** 2 - 1))
    others = sum(
        each["violations"] * each["items"] / each["labelled"]
        for each in outcomes.values()
        if each is not passed and each["labelled"]
    )
    if not others:
        return None
    rate = min(0.5, 2 * WANTED / (1 - 2 * WANTED) * others / passed["items"])
    needed = math.log((1 - CONFIDENCE) / 2) / math.log(1 - rate)
    return max(1, math.ceil(needed - passed["labelled"]))
