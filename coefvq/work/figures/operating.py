"""The operating curve: what every budget of MLLM calls would have given, on decided cases.

The routing in force keeps its score and its thresholds; only the share of videos that go to the
MLLM changes, those with the highest scores first. Rows count 1 / propensity times, so that shares
are of all traffic. Intervals are Wilson's with the effective number of rows, (sum w)^2 / sum w^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.predictions import Predictions
from coefvq.routing.reliability import wilson
from coefvq.routing.route import DUE, HUMAN, PASS
from coefvq.work.figures.sides import Mask, Sides
from coefvq.work.figures.windows import short_of

BUDGETS = np.linspace(0.0, 1.0, 51)
UNKNOWN = 0.05
"""Share of calls without a known answer above which figures are not given."""
CELLS = (2, 2, 4)
"""Label, called, route."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Unit:
    """What single things cost.

    Attributes:
        videos_a_day: Videos scored a day in the time covered.
        prefilter_s, mllm_s: Mean wall time of a video and of a call, seconds.
        tokens: Mean tokens of a call, in and out.
        reviewer_s: Seconds that a decision takes; ``None``: unknown.
        money_a_token, money_a_second, money_a_review_second: Prices, 0 where none is set.
    """

    videos_a_day: float
    prefilter_s: float
    mllm_s: float
    tokens: float
    reviewer_s: float | None
    money_a_token: float = 0.0
    money_a_second: float = 0.0
    money_a_review_second: float = 0.0

    def money(self, calls: float, reviewed: float) -> float | None:
        """Of a thousand videos; ``None`` where no price is set or what it is of is unknown."""
        if not (self.money_a_token or self.money_a_second or self.money_a_review_second):
            return None
        if self.money_a_review_second and self.reviewer_s is None:
            return None
        call = self.tokens * self.money_a_token + self.mllm_s * self.money_a_second
        review = (self.reviewer_s or 0.0) * self.money_a_review_second
        return 1000 * (calls * call + reviewed * review)


def table(sides: Sides, items: Predictions, unit: Unit) -> dict[str, Any]:
    """All budgets, and the mark of what is in force.

    Returns:
        ``n``, ``positives``, ``with_mllm``, ``most`` (largest share of calls that the rule asks
        for), ``rows`` and ``mark``.
    """
    head = _head(items)
    worth = float(items.weight[sides.score > sides.floor].sum() / items.weight.sum())
    rows = [
        {"budget": float(budget)} | _figures(escalated, sides, items, unit)
        for budget, escalated in _chosen(sides, items)
    ]
    mark = {"budget": sides.budget} | _figures(sides.in_force, sides, items, unit)
    return head | {"why": None, "most": worth, "rows": rows, "mark": mark}


def missing(items: Predictions) -> dict[str, Any] | None:
    """What stands in place of the table where too little is decided; ``None``: it is enough."""
    why = short_of(items.label)
    return None if why is None else _head(items) | {"why": why, "rows": [], "mark": None}


def _head(items: Predictions) -> dict[str, Any]:
    return {
        "n": len(items),
        "positives": items.violations,
        "with_mllm": int(items.has_mllm.sum()),
        "weight": float(items.weight.sum()),
    }


def _chosen(sides: Sides, items: Predictions) -> Iterator[tuple[float, Mask]]:
    """Who goes to the MLLM at each budget: the highest scores that it has room for."""
    order = np.argsort(-sides.score, kind="stable")
    order = order[sides.score[order] > sides.floor]
    spent = np.cumsum(items.weight[order])
    whole = float(items.weight.sum())
    for budget in BUDGETS:
        count = int(np.searchsorted(spent, budget * whole * (1 + _ROUNDING), "right"))
        escalated = np.zeros(len(items), dtype=bool)
        escalated[order[:count]] = True
        yield float(budget), escalated


def _figures(escalated: Mask, sides: Sides, items: Predictions, unit: Unit) -> dict[str, Any]:
    called = np.where(escalated, sides.mllm_called, sides.kept_called)
    route = np.where(escalated, sides.mllm_route, sides.kept_route)
    w, whole = items.weight, float(items.weight.sum())
    calls = float(w[escalated].sum()) / whole
    unknown = float(w[escalated & ~items.has_mllm].sum()) / whole
    known = unknown <= UNKNOWN * calls + _ROUNDING
    found: dict[str, Any] = {"calls": calls, "unknown": unknown, "known": known}
    found["seconds_per_1000"] = 1000 * (unit.prefilter_s + calls * unit.mllm_s)
    found["tokens_per_1000"] = 1000 * calls * unit.tokens
    if not known:
        return found
    cells, squares = _cells(items.label, called, route, w)
    people = float(cells[:, :, [HUMAN, DUE]].sum()) / whole
    reviewed = people + (1 - people) * sides.audits
    return found | {
        "recall": _share(cells, squares, np.s_[1, 1], np.s_[1]),
        "precision": _share(cells, squares, np.s_[1, 1], np.s_[:, 1]),
        "miss_rate": _share(cells, squares, np.s_[1, :, PASS], np.s_[1]),
        "human_share": people,
        "load_a_day": reviewed * unit.videos_a_day,
        "money_per_1000": unit.money(calls, reviewed),
    }


def _cells(
    label: NDArray[np.int8], called: Mask, route: NDArray[np.int8], w: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight, and squared weight, by label, answer and route."""
    size = int(np.prod(CELLS))
    code = (label.astype(np.intp) * 2 + called) * CELLS[2] + route
    both = (np.bincount(code, weights=each, minlength=size) for each in (w, w * w))
    cells, squares = (each.reshape(CELLS).astype(np.float64) for each in both)
    return cells, squares


def _share(
    cells: NDArray[np.float64], squares: NDArray[np.float64], part: Any, whole: Any
) -> list[float] | None:
    """(rate, low, high) of a part of a whole; ``None`` where there is no whole."""
    below = float(cells[whole].sum())
    if below <= 0:
        return None
    rate, effective = float(cells[part].sum()) / below, below**2 / float(squares[whole].sum())
    return [rate, *wilson(rate * effective, effective)]
