"""What a policy is held against: each stage alone, chance, hindsight."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from coefvq.routing import baselines
from coefvq.routing.arms import as_routed, both_sides, oracle_choice, random_choice
from coefvq.routing.metrics import error_cost
from coefvq.routing.objective import Objective
from coefvq.routing.replay import Replay, replay
from coefvq.routing.route import route
from tests.unit.routing.policies import history, policy_for

ARM = {
    "f1", "precision", "recall", "average_precision", "miss_rate", "error_cost", "relative_cost",
    "escalation_rate",
}  # fmt: skip
ITEMS = history(500)


def strict(found: Replay) -> dict[str, Any]:
    """Through JSON and back; NaN or infinity would raise."""
    return json.loads(json.dumps(found.to_json(), allow_nan=False))


@pytest.mark.parametrize("arm", ["prefilter_only", "mllm_only"])
@pytest.mark.parametrize("goal", ["f1", "ap", "cost"])
def test_one_stage_alone(arm: str, goal: str) -> None:
    policy = policy_for(ITEMS, objective=Objective.named(goal, 5, 1))
    stage, raw = {
        "prefilter_only": (policy.first.calibration, ITEMS.prefilter),
        "mllm_only": (policy.mllm, ITEMS.mllm),
    }[arm]
    p = stage(raw)
    called = p >= policy.objective.threshold(p)
    expected = precision_recall_fscore_support(ITEMS.label, called, average="binary")
    found = strict(replay(policy, ITEMS))[arm]
    assert found["f1"] == pytest.approx(expected[2])
    assert found["miss_rate"] == pytest.approx(1 - expected[1])
    assert found["average_precision"] == pytest.approx(average_precision_score(ITEMS.label, p))
    assert found["escalation_rate"] == (1.0 if arm == "mllm_only" else 0.0)


@pytest.mark.parametrize("goal", ["f1", "ap", "cost"])
def test_chance_below_policy_below_hindsight(goal: str) -> None:
    policy = policy_for(ITEMS, objective=Objective.named(goal, 5, 1), budget=0.2)
    found = strict(replay(policy, ITEMS))
    key, sign = {"f1": ("f1", 1), "ap": ("average_precision", 1), "cost": ("error_cost", -1)}[goal]
    chance, mine, best = (sign * part[key] for part in (found["random"], found, found["oracle"]))
    assert mine < best
    assert chance < best
    if goal != "cost":  # entropy does not know of costs
        assert chance < mine
    assert found["random"]["escalation_rate"] == pytest.approx(found["escalation_rate"])
    assert found["oracle"]["escalation_rate"] <= found["escalation_rate"] + 1e-12


def test_expected_counts_stand_for_the_mean_of_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    items = history(4000, seed=3)
    policy = policy_for(items, band=0.1)
    drawn = replay(policy, items).arms["random"]
    monkeypatch.setattr(baselines, "EXACT_UP_TO", 0)
    expected = replay(policy, items).arms["random"]
    for key in ARM:
        assert expected[key] == pytest.approx(drawn[key], abs=0.006), key


def test_hindsight_never_makes_a_right_answer_wrong() -> None:
    policy = policy_for(ITEMS, budget=1.0)
    found = replay(policy, ITEMS)
    assert found.arms["oracle"]["error_cost"] <= found.measures["error_cost"]
    assert found.arms["oracle"]["error_cost"] <= found.arms["prefilter_only"]["error_cost"] + 1e-9
    assert not math.isnan(found.arms["oracle"]["f1"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 8), st.sampled_from([1.0, 10.0]))
def test_hindsight_is_the_best_of_all_choices_for_cost(
    seed: int, count: int, cost_fn: float
) -> None:
    """Costs are sums over items, so that the greedy choice is the best: all choices are tried."""
    items = history(8, share=0.5, seed=seed)
    policy = policy_for(ITEMS, objective=Objective("cost", cost_fn, 1))
    sides = both_sides(policy, items, route(policy, items))

    def cost(chosen: np.ndarray) -> float:
        return error_cost(items.label, sides.choose(chosen).called, cost_fn, 1)

    tried = [
        cost(np.isin(np.arange(8), rows))
        for size in range(count + 1)
        for rows in combinations(range(8), size)
    ]
    cut = policy.thresholds.call_from
    chosen = oracle_choice(sides, items, policy.objective, cut, count)
    assert chosen.sum() <= count
    assert cost(chosen) == pytest.approx(min(tried))


def test_hindsight_and_chance_leave_rows_without_a_score_alone() -> None:
    gone = np.arange(500) % 3 == 0
    items = replace(ITEMS, mllm=np.where(gone, np.nan, ITEMS.mllm))
    policy = policy_for(ITEMS)
    sides = both_sides(policy, items, route(policy, items))
    best = oracle_choice(sides, items, policy.objective, policy.thresholds.call_from, 400)
    assert best.any()
    assert not (best & gone).any()
    assert not (random_choice(items.has_mllm, 200, seed=1) & gone).any()
    assert random_choice(items.has_mllm, 500, seed=1).sum() == (~gone).sum()


def test_chance_is_repeated_by_its_seed() -> None:
    open_rows = np.ones(50, dtype=bool)
    one, same, other = (random_choice(open_rows, 10, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("band", [0.0, 0.1])
def test_choosing_what_the_policy_chose_is_the_policy(band: float) -> None:
    policy = policy_for(ITEMS, band=band)
    routed = route(policy, ITEMS)
    again, own = both_sides(policy, ITEMS, routed).choose(routed.escalated), as_routed(routed)
    for column in ("probability", "called", "route", "escalated"):
        assert np.array_equal(getattr(again, column), getattr(own, column)), column
