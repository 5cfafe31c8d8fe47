"""From rows to shares kept, differences, calls needed and broken promises."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.routing_summary import (
    Splits,
    accuracy_at,
    broken,
    cost_for,
    mean_curve,
    rows_of,
    select,
)
from tests.unit.benchmarks.routing_rows import cell, done


@pytest.fixture
def splits() -> Splits:
    return Splits(rows_of(done(), "splits"))


@pytest.mark.parametrize(
    ("objective", "rule", "share", "ahead"),
    [
        pytest.param("f1", "entropy", 0.70 / 0.8, 0.0, id="f1 entropy"),
        pytest.param("f1", "auto", 0.76 / 0.8, 0.06 / 0.8, id="f1 auto"),
        pytest.param("ap", "auto", 0.76 / 0.8, 0.06 / 0.8, id="ap auto"),
        pytest.param("cost", "entropy", 0.04 / 0.2, 0.0, id="cost entropy"),
        pytest.param("cost", "auto", 0.10 / 0.2, 0.06 / 0.2, id="cost auto: less is ahead"),
    ],
)
def test_shares_are_ratios_of_means(splits, objective, rule, share, ahead):
    found = splits.kept(objective, rule, 0.1 if objective == "cost" else 0.3)
    assert found.share == pytest.approx(share)
    assert found.ahead.mean == pytest.approx(ahead)
    assert found.calls == pytest.approx(0.3)


def test_what_was_not_measured_is_no_share(splits):
    assert splits.kept("ap", "auto", 0.2) is None
    assert splits.kept("ap", "auto", 0.3, labels=999) is None


def test_an_unpaired_rule_is_no_share():
    rows = [cell("entropy", 0, 0.7), cell("entropy", 1, 0.7), cell("auto", 0, 0.8)]
    assert Splits(rows).kept("ap", "auto", 0.3) is None


@pytest.mark.parametrize(
    ("objective", "arm", "share"),
    [
        ("ap", "prefilter_only", 0.5), ("ap", "oracle", 1.25),
        ("cost", "prefilter_only", 0.0), ("cost", "mllm_only", 1.0), ("cost", "random", 0.25),
    ],
)  # fmt: skip
def test_arms_stand_in_the_same_unit(splits, objective, arm, share):
    assert splits.alone(objective, arm, 0.1 if objective == "cost" else 0.3) == pytest.approx(share)


def test_curves_start_at_the_prefilter_and_end_at_the_mllm(splits):
    for goal, start in (("ap", 0.5), ("cost", 0.0)):
        curve = splits.kept_curve(goal, "entropy")
        assert (curve[0], curve[-1]) == pytest.approx((start, 1.0))


def test_a_curve_that_rises_twice_as_fast_needs_half_the_calls():
    fast = np.minimum(0.8, 0.4 + np.arange(101) * 0.008).tolist()
    rows = [cell("entropy", s, 0.7) for s in range(3)]
    rows += [cell("auto", s, 0.7, curve=fast) for s in range(3)]
    found = Splits(rows).calls_for("auto")
    assert found.mean == pytest.approx(0.5)
    assert found.low == pytest.approx(0.5) == found.high


def test_what_auto_took_comes_most_often_first():
    names = ["entropy", "learned", "learned"]
    rows = [cell("auto", s, 0.7, chosen=name) for s, name in enumerate(names)]
    assert list(Splits(rows).chosen("ap", 0.3).items()) == [("learned", 2), ("entropy", 1)]


def test_broken_counts_above_the_target_and_skips_refusals():
    rows = [{"naive": rate} for rate in (0.05, 0.1, 0.11, None, 0.3)]
    times, tried, mean = broken(rows, "naive", 0.1)
    assert (times, tried) == (2, 4) and mean == pytest.approx(0.14)


ASKED = [
    {"name": "n", "gate": "base", "split": s,
     "curves": {"entropy": {"accuracy": [0.6, 0.8, 0.9 + s / 10], "cost": [0.1, 0.6, 1.1]}}}
    for s in (1, 0)
]  # fmt: skip


def test_question_rows_are_picked_and_ordered():
    assert [row["split"] for row in select(ASKED, "n", "base")] == [0, 1]
    assert select(ASKED, "n", "large") == []


def test_accuracy_is_read_off_at_a_cost():
    assert accuracy_at(ASKED, "entropy", 0.35) == pytest.approx([0.7, 0.7])


@pytest.mark.parametrize(("accuracy", "cost"), [(0.5, 0.1), (0.7, 0.35), (0.95, 1.1)])
def test_cost_is_read_off_at_an_accuracy(accuracy, cost):
    assert cost_for(ASKED, "entropy", accuracy) == pytest.approx(cost)


def test_an_accuracy_that_is_never_reached_has_no_cost():
    assert np.isnan(cost_for(ASKED, "entropy", 0.99))
    assert mean_curve(ASKED, "entropy")[0][-1] == pytest.approx(0.95)
