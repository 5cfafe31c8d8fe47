"""Which rules are compared, and what is fallen back to."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.errors import RoutingError
from coefvq.routing.candidates import (
    FEW_ROWS,
    FEW_VIOLATIONS,
    candidates_for,
    fallback,
    few_labels,
    fixed_candidate,
)
from coefvq.routing.objective import OBJECTIVES, Objective
from coefvq.routing.policy import RULES
from coefvq.routing.predictions import Predictions


def _items(n: int, violations: int) -> Predictions:
    labels = (np.arange(n) < violations).astype(int)
    return Predictions.of(labels, np.linspace(0, 1, n), np.linspace(0, 1, n))


@pytest.mark.parametrize(
    ("n", "violations", "few"),
    [
        (FEW_ROWS, 100, True),
        (FEW_ROWS + 1, 100, False),
        (5000, FEW_VIOLATIONS - 1, True),
        (5000, FEW_VIOLATIONS, False),
        (5000, 5000 - FEW_VIOLATIONS + 1, True),
    ],
    ids=str,
)
def test_few_means_few_of_either(n: int, violations: int, few: bool) -> None:
    assert few_labels(_items(n, violations)) is few


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("features", [False, True], ids=["bare", "features"])
@pytest.mark.parametrize("rows", [300, 100_000], ids=str)
def test_entropy_is_always_compared_and_nobody_twice(name: str, features: bool, rows: int) -> None:
    found = candidates_for(Objective.named(name), features, rows)
    rules = [candidate.rule for candidate in found]
    assert "entropy" in rules and "learned" in rules
    assert ("similar" in rules) is features
    assert len({candidate.name for candidate in found}) == len(found)
    assert rules.index("learned") < rules.index("entropy")


@pytest.mark.parametrize(
    ("goal", "rule"),
    [
        (Objective("f1"), "entropy"),
        (Objective("f1", 10.0, 1.0), "entropy"),
        (Objective("cost"), "entropy"),
        (Objective("cost", 10.0, 1.0), "bayes_risk"),
    ],
    ids=str,
)
def test_the_fallback_follows_from_the_objective(goal: Objective, rule: str) -> None:
    assert fallback(goal).rule == rule
    assert fixed_candidate("auto", goal, ()) == fallback(goal)


def test_the_fallback_learns_nothing() -> None:
    assert all(fallback(Objective.named(name)).family == "" for name in OBJECTIVES)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "auto"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_rule_asked_for_is_the_rule_that_comes(rule: str, name: str) -> None:
    assert fixed_candidate(rule, Objective.named(name), ("hint",)).rule == rule


def test_similar_without_features_is_refused() -> None:
    with pytest.raises(RoutingError, match="feature_"):
        fixed_candidate("similar", Objective("f1"), ())
