"""Replay: every figure against plain recomputation, the promised keys, and hard cases."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from coefvq.errors import RoutingError
from coefvq.routing.human import HumanStep
from coefvq.routing.objective import Objective
from coefvq.routing.predictions import Predictions
from coefvq.routing.replay import Replay, replay
from coefvq.routing.route import FLAG, HUMAN, PASS, route
from tests.unit.routing.policies import history, learned, policy_for

PROMISED = {
    "n", "positives", "escalation_rate", "precision", "recall", "f1", "miss_rate",
    "average_precision", "relative_cost", "pgr", "intervals", "prefilter_only", "mllm_only",
    "random", "oracle", "certificate",
}  # fmt: skip
ADDED = {
    "objective", "error_cost", "apgr", "cpt", "human_rate", "auto_pass_rate", "auto_flag_rate",
    "false_removal_rate", "mllm_missing", "system_risk", "calibration", "rule", "version", "notes",
    "thresholds", "budget", "curve", "reliability",
}  # fmt: skip
ARM = {
    "f1", "precision", "recall", "average_precision", "miss_rate", "error_cost", "relative_cost",
    "escalation_rate",
}  # fmt: skip
ARMS = ("prefilter_only", "mllm_only", "random", "oracle")
ITEMS = history(500)


def strict(found: Replay) -> dict[str, Any]:
    """Through JSON and back; NaN or infinity would raise."""
    return json.loads(json.dumps(found.to_json(), allow_nan=False))


def without_mllm(items: Predictions, rows: np.ndarray) -> Predictions:
    """The same history, the MLLM's score gone from some rows."""
    return replace(items, mllm=np.where(rows, np.nan, items.mllm))


def test_every_promised_key_is_there() -> None:
    found = strict(replay(policy_for(ITEMS), ITEMS))
    assert set(found) == PROMISED | ADDED
    assert all(set(found[arm]) == ARM for arm in ARMS)
    assert set(found["cpt"]) == {"50", "80", "95"}
    assert set(found["calibration"]) == {"ece", "brier"}
    assert found["intervals"] == {}


def test_the_policys_figures_are_those_of_its_own_routes() -> None:
    policy = policy_for(ITEMS, band=0.1, objective=Objective("cost", 10, 1))
    routed, found = route(policy, ITEMS), strict(replay(policy, ITEMS))
    y = ITEMS.label
    expected = precision_recall_fscore_support(y, routed.called, average="binary")
    assert [found[k] for k in ("precision", "recall", "f1")] == pytest.approx(expected[:3])
    assert found["average_precision"] == pytest.approx(average_precision_score(y, routed.final))
    assert found["escalation_rate"] == pytest.approx(routed.escalated.mean())
    assert found["miss_rate"] == pytest.approx((routed.route[y == 1] == PASS).mean())
    assert found["false_removal_rate"] == pytest.approx((routed.route[y == 0] == FLAG).mean())
    shares = [found[k] for k in ("auto_pass_rate", "auto_flag_rate", "human_rate")]
    assert shares == pytest.approx([(routed.route == code).mean() for code in (PASS, FLAG, HUMAN)])
    wrong = 10 * (~routed.called & (y == 1)) + 1 * (routed.called & (y == 0))
    assert found["error_cost"] == pytest.approx(wrong.mean())
    assert found["calibration"]["brier"] == pytest.approx(((routed.final - y) ** 2).mean())
    assert found["version"] == policy.version


def test_people_catch_what_is_sent_to_them() -> None:
    without, with_people = (
        strict(replay(policy_for(ITEMS, band=band), ITEMS)) for band in (0.0, 0.15)
    )
    assert with_people["human_rate"] > without["human_rate"] == 0
    assert with_people["miss_rate"] < without["miss_rate"] == pytest.approx(1 - without["recall"])
    assert with_people["f1"] == without["f1"]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [pytest.param(0.0, 0.1, id="nobody"), pytest.param(1.0, 1.1, id="everybody")],
)
def test_relative_cost_counts_both_stages(budget: float, expected: float) -> None:
    costs = {"prefilter_cost": np.full(500, 0.5), "mllm_cost": np.full(500, 5.0)}
    items = history(500, **costs)
    found = strict(replay(policy_for(items, budget=budget), items))
    assert found["relative_cost"] == pytest.approx(expected)
    assert found["mllm_only"]["relative_cost"] == 1.0
    assert found["prefilter_only"]["relative_cost"] == pytest.approx(0.1)


def test_costs_of_escalated_rows_count_as_they_are() -> None:
    rng = np.random.default_rng(1)
    costs = {"prefilter_cost": rng.random(500), "mllm_cost": rng.uniform(1, 20, 500)}
    items = history(500, **costs)
    policy = policy_for(items)
    spent = items.prefilter_cost.sum() + items.mllm_cost[route(policy, items).escalated].sum()
    found = replay(policy, items).measures["relative_cost"]
    assert found == pytest.approx(spent / items.mllm_cost.sum())


def test_free_mllm_calls_have_no_relative_cost() -> None:
    items = history(100, prefilter_cost=np.zeros(100), mllm_cost=np.zeros(100))
    assert strict(replay(policy_for(items), items))["relative_cost"] is None


@pytest.mark.parametrize("goal", ["f1", "ap", "cost"])
def test_recovered_gap_by_the_objective(goal: str) -> None:
    found = strict(replay(policy_for(ITEMS, objective=Objective.named(goal, 5, 1)), ITEMS))
    key, sign = {"f1": ("f1", 1), "ap": ("average_precision", 1), "cost": ("error_cost", -1)}[goal]
    r, weak, strong = (
        sign * part[key] for part in (found, found["prefilter_only"], found["mllm_only"])
    )
    assert found["pgr"] == pytest.approx((r - weak) / (strong - weak))
    assert found["curve"][0]["call_rate"] == 0.0
    assert found["curve"][0]["pgr"] == pytest.approx(0.0, abs=1e-9)
    assert found["cpt"]["50"] < found["cpt"]["80"]
    assert 0.3 < found["apgr"] < 1.2


def test_the_curve_passes_through_the_policy() -> None:
    """By average precision, which needs no cut, replay and curve are the same figure."""
    policy = policy_for(ITEMS, objective=Objective("ap"), budget=0.25)
    found = strict(replay(policy, ITEMS))
    point = next(row for row in found["curve"] if row["call_rate"] == pytest.approx(0.25))
    assert point["quality"] == pytest.approx(found["average_precision"], abs=1e-6)


def test_where_the_mllm_is_no_better_there_is_no_gap() -> None:
    items = replace(ITEMS, mllm=np.random.default_rng(0).random(500))
    found = strict(replay(policy_for(items), items))
    assert [found["pgr"], found["apgr"], *found["cpt"].values()] == [None] * 5
    assert any("no gap to recover" in note for note in found["notes"])
    assert found["f1"] is not None


def test_rows_without_an_mllm_score() -> None:
    gone = np.random.default_rng(2).random(500) < 0.4
    policy, items = policy_for(ITEMS), without_mllm(ITEMS, gone)
    found, routed = strict(replay(policy, items)), route(policy, items)
    assert found["mllm_missing"] == gone.sum()
    assert any(f"{gone.sum()} of 500 rows have no MLLM score" in note for note in found["notes"])
    answered = np.where(np.isnan(routed.final), routed.known.base, routed.final)
    assert found["average_precision"] == pytest.approx(
        average_precision_score(items.label, answered)
    )
    assert found["escalation_rate"] == pytest.approx(0.3)
    ends = found["auto_pass_rate"] + found["auto_flag_rate"] + found["human_rate"]
    assert ends == pytest.approx(1 - (routed.escalated & gone).mean())
    some = strict(replay(policy, ITEMS.take(~gone)))
    for key in ("f1", "average_precision"):
        assert found["mllm_only"][key] == pytest.approx(some["mllm_only"][key])


def test_a_due_row_without_a_score_is_no_miss() -> None:
    policy = policy_for(ITEMS, budget=1.0)
    items = without_mllm(ITEMS, ITEMS.label == 1)
    found = strict(replay(policy, items))
    assert found["miss_rate"] == 0.0
    assert found["recall"] < 1.0


def test_no_mllm_score_at_all() -> None:
    items = without_mllm(ITEMS, np.ones(500, bool))
    found = strict(replay(policy_for(ITEMS), items, bootstrap=5))
    assert found["mllm_only"]["f1"] is None
    assert found["pgr"] is None
    assert found["random"]["f1"] == found["oracle"]["f1"]
    assert found["random"]["escalation_rate"] == 0.0
    assert found["intervals"]["pgr"] == [None, None]
    assert found["prefilter_only"]["f1"] > 0


@pytest.mark.parametrize(
    ("value", "null"),
    [
        pytest.param(0, {"recall", "miss_rate", "average_precision"}, id="no violation"),
        pytest.param(1, {"false_removal_rate"}, id="nothing but violations"),
    ],
)
@pytest.mark.parametrize("goal", ["f1", "ap", "cost"])
def test_one_class_only(value: int, null: set[str], goal: str) -> None:
    policy = policy_for(ITEMS, objective=Objective.named(goal))
    found = strict(replay(policy, ITEMS.take(ITEMS.label == value), bootstrap=10))
    rates = {"precision", "recall", "miss_rate", "average_precision", "false_removal_rate"}
    assert {key for key in rates if found[key] is None} == null
    assert any(f"No row is labelled {1 - value}" in note for note in found["notes"])


@pytest.mark.parametrize("n", [1, 2, 3], ids=lambda n: f"{n} rows")
def test_few_rows_do_not_break_it(n: int) -> None:
    found = strict(replay(policy_for(ITEMS), ITEMS.take(np.arange(n)), bootstrap=3))
    assert found["n"] == n


def test_no_row_is_refused() -> None:
    with pytest.raises(RoutingError, match="no row to replay"):
        replay(policy_for(ITEMS), ITEMS.take(np.arange(0)))


def test_a_missing_feature_is_named() -> None:
    rich = history(200, features={"motion": np.random.default_rng(0).normal(size=200)})
    with pytest.raises(RoutingError, match="feature_motion"):
        replay(learned(rich), history(200))


def test_features_with_gaps_are_replayed() -> None:
    motion = np.random.default_rng(0).normal(size=300)
    motion[::7] = np.nan
    rich = history(300, features={"motion": motion})
    found = strict(replay(learned(rich, budget=0.2), rich))
    assert found["escalation_rate"] == pytest.approx(0.2)
    assert found["rule"] == "learned"


def test_a_constant_score_is_replayed() -> None:
    items = replace(ITEMS, prefilter=np.full(500, 0.3))
    found = strict(replay(policy_for(ITEMS), items))
    assert found["escalation_rate"] == pytest.approx(0.3)
    assert found["prefilter_only"]["average_precision"] == pytest.approx(ITEMS.label.mean())


@pytest.mark.parametrize("budget", [0.0, 1.0], ids=["nothing", "everything"])
def test_budgets_at_the_ends(budget: float) -> None:
    found = strict(replay(policy_for(ITEMS, budget=budget), ITEMS))
    assert found["escalation_rate"] == budget
    for key in ARM:
        assert found["random"][key] == pytest.approx(found[key])


def test_weights_are_rows_counted_more_than_once() -> None:
    weight = np.random.default_rng(3).integers(1, 4, 500).astype(float)
    again = np.repeat(np.arange(500), weight.astype(int))
    copies = replace(
        ITEMS.take(again), item_id=np.array([f"c{i}" for i in range(len(again))], dtype=object)
    )
    policy = policy_for(ITEMS, budget=0.0)
    one, many = (strict(replay(policy, x)) for x in (replace(ITEMS, weight=weight), copies))
    for key in ("f1", "miss_rate", "average_precision", "error_cost", "auto_flag_rate"):
        assert one[key] == pytest.approx(many[key])
    for key in ARM:
        assert one["mllm_only"][key] == pytest.approx(many["mllm_only"][key])
    assert one["calibration"]["brier"] == pytest.approx(many["calibration"]["brier"])
    assert one["apgr"] == pytest.approx(many["apgr"])


@pytest.mark.parametrize("weight", [2.0, 7.0])
def test_a_common_weight_changes_nothing(weight: float) -> None:
    policy = policy_for(ITEMS)
    one = strict(replay(policy, ITEMS))
    other = strict(replay(policy, replace(ITEMS, weight=np.full(500, weight))))
    assert one["f1"] == pytest.approx(other["f1"])
    assert one["relative_cost"] == pytest.approx(other["relative_cost"])
    assert one["random"] == pytest.approx(other["random"])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_rows_is_immaterial(seed: int) -> None:
    items = history(80, seed=seed % 7)
    items = replace(items, prefilter=np.round(items.prefilter, 1))
    policy = policy_for(ITEMS, audit=0.05)
    shuffled = items.take(np.random.default_rng(seed).permutation(80))
    first, second = strict(replay(policy, items)), strict(replay(policy, shuffled))
    for key in ARM | {"pgr", "apgr", "human_rate"}:
        assert first[key] == pytest.approx(second[key]), key
    for arm in ("prefilter_only", "mllm_only", "oracle"):
        assert first[arm]["f1"] == pytest.approx(second[arm]["f1"])


def test_system_risk_adds_its_parts() -> None:
    policy = policy_for(ITEMS, band=0.1, objective=Objective("cost", 10, 1))
    risk = replay(policy, ITEMS, lambda_cost=0.2, lambda_abstention=0.5).system_risk
    routed = route(policy, ITEMS)
    missed = (routed.route == PASS) & (ITEMS.label == 1)
    removed = (routed.route == FLAG) & (ITEMS.label == 0)
    error = (10 * missed + removed).mean()
    abstention = (routed.route == HUMAN).mean()
    assert risk["error"] == pytest.approx(error)
    assert risk["risk"] == pytest.approx(error + 0.2 * 0.3 + 0.5 * abstention)


def test_a_human_steps_own_price_is_the_default() -> None:
    policy = policy_for(ITEMS)
    step = HumanStep(4.0, 1.0, policy.thresholds.call_from, 0.2, 0.3)
    found = replay(replace(policy, human=step), ITEMS)
    assert found.system_risk["lambda_abstention"] == 0.3
    assert replay(policy, ITEMS).system_risk["lambda_abstention"] == 0.0


def test_a_certificate_is_shown_as_stored() -> None:
    stored = {"miss_rate": 0.05, "confidence": 0.9, "n": 120, "feasible": True, "method": "x"}
    policy = policy_for(ITEMS, certificate=stored)
    assert strict(replay(policy, ITEMS))["certificate"] == stored
    assert strict(replay(policy_for(ITEMS), ITEMS))["certificate"] is None


def test_the_policys_notes_come_first() -> None:
    policy = policy_for(ITEMS).noted("Fitted on few labels.")
    assert replay(policy, ITEMS, bootstrap=1).notes[0] == "Fitted on few labels."


def test_the_reliability_table_counts_every_item_once() -> None:
    rows = strict(replay(policy_for(ITEMS), ITEMS))["reliability"]
    assert sum(row["n"] for row in rows) == len(ITEMS)
    assert all(row["low"] <= row["rate"] + 1e-9 <= row["high"] + 2e-9 for row in rows)
    assert [row["probability"] for row in rows] == sorted(row["probability"] for row in rows)
