"""The operating curve against figures worked out by hand, and against routing's own replay."""

from __future__ import annotations

import math

import numpy as np
import pytest

from coefvq.routing.entropy import EntropyRouting, binary_entropy
from coefvq.routing.fit import fit_policy
from coefvq.routing.predictions import Predictions
from coefvq.routing.replay import replay
from coefvq.routing.request import FitRequest
from coefvq.work.figures.operating import BUDGETS, Unit, missing, table
from coefvq.work.figures.sides import bits, by_policy, by_settings

UNIT = Unit(videos_a_day=100.0, prefilter_s=0.1, mllm_s=2.0, tokens=500.0, reviewer_s=20.0)
RULE = EntropyRouting(0.9, 0.8)


def items(n: int = 400, seed: int = 3, **columns: object) -> Predictions:
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(int)
    one = 1 / (1 + np.exp(-(2.0 * label - 1.2 + rng.normal(size=n))))
    two = 1 / (1 + np.exp(-(5.0 * label - 2.5 + rng.normal(size=n))))
    return Predictions.of(label, one, columns.pop("mllm", two), **columns)


def row(found: dict, budget: float) -> dict:
    return next(each for each in found["rows"] if abs(each["budget"] - budget) < 1e-9)


def test_every_budget_is_there_and_none_is_passed() -> None:
    found = table(by_settings(RULE, 0.0, items()), items(), UNIT)
    assert [each["budget"] for each in found["rows"]] == BUDGETS.tolist()
    assert all(each["calls"] <= each["budget"] + 1e-9 for each in found["rows"])
    assert (found["n"], found["positives"]) == (400, items().violations)


def test_ends_are_each_stage_alone() -> None:
    data = items()
    found = table(by_settings(RULE, 0.0, data), data, UNIT)
    y = data.label == 1
    for budget, p in ((0.0, data.prefilter), (1.0, data.mllm)):
        called = p >= 0.5
        assert row(found, budget)["recall"][0] == pytest.approx(called[y].mean())
        assert row(found, budget)["precision"][0] == pytest.approx(y[called].mean())
    passed = (data.mllm < 0.5) & (bits(data.mllm) <= 0.8)
    assert row(found, 1.0)["miss_rate"][0] == pytest.approx(passed[y].mean())
    assert row(found, 1.0)["human_share"] == pytest.approx((bits(data.mllm) > 0.8).mean())


def test_the_mark_is_what_the_rule_asks_for() -> None:
    data = items()
    mark = table(by_settings(RULE, 0.0, data), data, UNIT)["mark"]
    asked = np.array([binary_entropy(p) > 0.9 for p in data.prefilter])
    assert mark["calls"] == pytest.approx(asked.mean()) and mark["budget"] is None


def test_a_published_policys_mark_is_its_replay() -> None:
    data = items(800, 5)
    policy = fit_policy(items(800, 6), FitRequest("entropy", budget=0.3))
    mark = table(by_policy(policy, "v1", data), data, UNIT)["mark"]
    known = replay(policy, data).measures
    assert mark["calls"] == pytest.approx(known["escalation_rate"])
    for name in ("recall", "precision", "miss_rate"):
        assert mark[name][0] == pytest.approx(known[name]), name
    assert mark["human_share"] == pytest.approx(known["human_rate"])


def test_weights_stand_for_traffic() -> None:
    data = items()
    doubled = Predictions.of(
        np.concatenate([data.label, data.label[:50]]),
        np.concatenate([data.prefilter, data.prefilter[:50]]),
        np.concatenate([data.mllm, data.mllm[:50]]),
    )
    weight = np.where(np.arange(len(data)) < 50, 2.0, 1.0)
    weighted = Predictions.of(data.label, data.prefilter, data.mllm, weight=weight)
    one = table(by_settings(RULE, 0.0, weighted), weighted, UNIT)["mark"]
    other = table(by_settings(RULE, 0.0, doubled), doubled, UNIT)["mark"]
    for name in ("calls", "human_share", "load_a_day"):
        assert one[name] == pytest.approx(other[name])
    assert one["recall"][0] == pytest.approx(other["recall"][0])
    assert one["recall"][1] < other["recall"][1], "the same rate of fewer rows is less sure"


def test_figures_of_unknown_answers_are_not_given() -> None:
    data = items()
    mllm = np.where(bits(data.prefilter) > 0.9, data.mllm, math.nan)  # the rule's own calls only
    known = Predictions.of(data.label, data.prefilter, mllm)
    found = table(by_settings(RULE, 0.0, known), known, UNIT)
    assert found["mark"]["known"] and found["mark"]["unknown"] == 0.0
    least, most = row(found, 0.0), row(found, 1.0)
    assert least["known"] and not most["known"]
    assert "recall" not in most and most["unknown"] == pytest.approx(np.isnan(mllm).mean())
    assert most["seconds_per_1000"] > least["seconds_per_1000"], "what it costs is known"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        pytest.param([], "No case of this time is decided", id="none"),
        pytest.param([1, 0] * 10, "30 more decided cases", id="few"),
        pytest.param([0] * 60, "5 more violations", id="all ok"),
        pytest.param([1] * 60, "5 more cases without a violation", id="all violations"),
    ],
)
def test_too_few_labels_say_how_many_are_missing(labels: list[int], words: str) -> None:
    y = np.array(labels)
    data = Predictions.of(y, y * 0.8 + 0.1, y * 0.8 + 0.1)
    found = missing(data)
    assert (
        found is not None
        and words in found["why"]
        and found["rows"] == []
        and found["mark"] is None
    )


@pytest.mark.parametrize(
    ("unit", "money"),
    [
        pytest.param(UNIT, None, id="no price"),
        pytest.param(Unit(1, 0.1, 2.0, 500.0, 20.0, money_a_token=0.001), 500.0, id="tokens"),
        pytest.param(Unit(1, 0.1, 2.0, 500.0, 20.0, money_a_second=0.01), 20.0, id="machine"),
        pytest.param(Unit(1, 0.1, 2.0, 500.0, 20.0, money_a_review_second=0.01), 40.0, id="people"),
        pytest.param(Unit(1, 0.1, 2.0, 500.0, None, money_a_review_second=0.01), None,
                     id="people of unknown pace"),
    ],
)  # fmt: skip
def test_money_only_where_a_price_is_set(unit: Unit, money: float | None) -> None:
    found = unit.money(calls=1.0, reviewed=0.2)
    assert found == (None if money is None else pytest.approx(money))


def test_load_counts_people_and_audits() -> None:
    data = items()
    without = table(by_settings(RULE, 0.0, data), data, UNIT)["mark"]
    audited = table(by_settings(RULE, 0.5, data), data, UNIT)["mark"]
    people = without["human_share"]
    assert without["load_a_day"] == pytest.approx(100 * people)
    assert audited["load_a_day"] == pytest.approx(100 * (people + 0.5 * (1 - people)))
