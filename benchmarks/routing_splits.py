"""Random half/half splits of one set: fit on one half, measure on the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.fit import fit_policy
from coefvq.routing.objective import Objective
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.replay import replay
from coefvq.routing.request import FitRequest

RULES = ("entropy", "margin", "bayes_risk", "similar", "learned", "auto")
OBJECTIVES = {
    "f1": Objective("f1"), "ap": Objective("ap"), "cost": Objective("cost", 10.0, 1.0)
}  # fmt: skip
MEASURE = {"f1": "f1", "ap": "average_precision", "cost": "error_cost"}
BUDGETS = {"f1": (0.1, 0.2, 0.3, 0.5), "ap": (0.1, 0.2, 0.3, 0.5), "cost": (0.05, 0.1, 0.2)}
MAIN = {"f1": 0.3, "ap": 0.3, "cost": 0.1}
"""The budget at which curves are drawn and few labels are tried."""
LABELS = (50, 100, 200)
PAPER = "entropy, as published"
"""Entropy, and the MLLM's answer in place of the prefilter's where it ran: no combination."""


@dataclass(frozen=True)
class Cell:
    """One rule at one budget on one split.

    Attributes:
        value: F1, average precision or mean cost, by the objective.
        alone: The same of prefilter only, MLLM only, as many random calls, and the oracle.
        curve: Quality at call rates 0, 1, ... 100 %; empty but at the main budget.
        chosen: The rule in use.
        labels: Rows that the policy was fitted on.
    """

    split: int
    objective: str
    rule: str
    budget: float
    value: float
    alone: dict[str, float]
    curve: list[float]
    chosen: str
    labels: int
    calls: float


def halves(n: int, split: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to fit on and rows to measure on."""
    order = np.random.default_rng(split).permutation(n)
    return order[: n // 2], order[n // 2 :]


def run_split(
    items: Predictions, split: int, objective: str, budget: float, rules: tuple[str, ...] = RULES
) -> list[dict[str, Any]]:
    """Every rule at one budget on one split."""
    fitted, held = (items.take(rows) for rows in halves(len(items), split))
    return [asdict(cell) for cell in _cells(fitted, held, split, objective, budget, rules)]


def _cells(
    fitted: Predictions,
    held: Predictions,
    split: int,
    objective: str,
    budget: float,
    rules: tuple[str, ...],
) -> Iterator[Cell]:
    for rule in rules:
        request = FitRequest(rule=rule, objective=OBJECTIVES[objective], budget=budget)
        policy = fit_policy(fitted, request)
        yield measure(policy, held, split, objective, rule)
        if rule == "entropy":
            yield measure(as_published(policy, held), held, split, objective, PAPER)


def as_published(policy: RoutingPolicy, held: Predictions) -> RoutingPolicy:
    """The same escalations; where the MLLM ran, its calibrated answer alone counts."""
    from coefvq.routing.combination import Combination
    from coefvq.routing.route import route

    bare = replace(policy, combination=Combination())
    # The cut is chosen for the probabilities that count, without labels, as for every rule.
    cut = policy.objective.threshold(route(bare, held).final)
    thresholds = replace(policy.thresholds, call_from=cut, pass_below=cut, flag_from=cut)
    return replace(bare, thresholds=thresholds)


def measure(
    policy: RoutingPolicy, held: Predictions, split: int, objective: str, rule: str
) -> Cell:
    """Replay a policy on the held half."""
    found, name = replay(policy, held), MEASURE[objective]
    main = policy.budget == MAIN[objective]
    return Cell(
        split=split,
        objective=objective,
        rule=rule,
        budget=policy.budget,
        value=float(found.measures[name]),
        alone={arm: float(values[name]) for arm, values in found.arms.items()},
        curve=[float(value) for value in found.curve.quality] if main else [],
        chosen=_chosen(policy),
        labels=int(policy.fitted_on["n"]),
        calls=float(found.measures["escalation_rate"]),
    )


def _chosen(policy: RoutingPolicy) -> str:
    """What ``auto`` took, from its first note; else the rule."""
    first = policy.notes[0] if policy.notes else ""
    return first.split(":")[0].removeprefix("auto chose ") if "auto chose" in first else policy.rule


def run_few(items: Predictions, split: int, objective: str) -> list[dict[str, Any]]:
    """``auto`` and ``entropy`` on a few labels of the fitted half, violations in their share."""
    fit_rows, held_rows = halves(len(items), split)
    held, found = items.take(held_rows), []
    for count in LABELS:
        few = items.take(_some(items.label, fit_rows, count, split))
        for rule in ("entropy", "auto"):
            goal, budget = OBJECTIVES[objective], MAIN[objective]
            policy = fit_policy(few, FitRequest(rule=rule, objective=goal, budget=budget))
            found.append(asdict(measure(policy, held, split, objective, rule)))
    return found


def _some(
    label: NDArray[np.int8], rows: NDArray[np.intp], count: int, split: int
) -> NDArray[np.intp]:
    rng = np.random.default_rng(1000 + split)
    yes = round(count * float(label[rows].mean()))
    parts = ((1, yes), (0, count - yes))
    return np.concatenate(
        [rng.choice(rows[label[rows] == value], size, replace=False) for value, size in parts]
    )
