"""One split: the fitted half never sees the other, every rule is measured alike."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import routing_splits
from benchmarks.routing_guarantees import synthetic
from benchmarks.routing_splits import PAPER, RULES, as_published, halves, run_few, run_split
from coefvq.routing.combination import Combination
from coefvq.routing.fit import fit_policy
from coefvq.routing.request import FitRequest


@pytest.fixture(scope="module")
def items():
    return synthetic(600, 1)


@pytest.mark.parametrize("n", [600, 601])
def test_halves_share_no_row_and_leave_none_out(n):
    one, other = halves(n, 3)
    assert sorted([*one, *other]) == list(range(n))
    assert len(one) == n // 2


def test_splits_differ_and_come_back():
    assert (halves(100, 1)[0] == halves(100, 1)[0]).all()
    assert (halves(100, 1)[0] != halves(100, 2)[0]).any()


def test_every_rule_is_measured_at_the_budget(items):
    rows = run_split(items, 0, "cost", 0.1, rules=("entropy", "bayes_risk"))
    assert [row["rule"] for row in rows] == ["entropy", PAPER, "bayes_risk"]
    assert all(row["calls"] == pytest.approx(0.1) for row in rows)
    assert all(set(row["alone"]) == {"prefilter_only", "mllm_only", "random", "oracle"}
               for row in rows)  # fmt: skip
    assert len({row["alone"]["mllm_only"] for row in rows}) == 1


def test_a_curve_is_kept_at_the_main_budget_only(items):
    main, other = (run_split(items, 0, "ap", b, rules=("margin",))[0] for b in (0.3, 0.2))
    assert len(main["curve"]) == 101 and other["curve"] == []


def test_the_rules_are_those_of_the_product():
    from coefvq.routing.policy import RULES as KNOWN

    assert set(RULES) == set(KNOWN)


def test_as_published_combines_nothing_and_escalates_the_same(items):
    policy = fit_policy(items, FitRequest(rule="entropy"))
    bare = as_published(policy, items)
    assert bare.combination == Combination()
    assert bare.score == policy.score and bare.budget == policy.budget
    assert bare.thresholds.call_from == bare.thresholds.pass_below == bare.thresholds.flag_from


def test_few_labels_keep_their_share_of_violations(items, monkeypatch):
    seen = []
    real = routing_splits.fit_policy
    monkeypatch.setattr(
        routing_splits, "fit_policy", lambda few, r: seen.append(few) or real(few, r)
    )
    rows = run_few(items, 0, "f1")
    fitted = items.take(halves(len(items), 0)[0])
    share = fitted.violations / len(fitted)
    assert [row["labels"] for row in rows] == [50, 50, 100, 100, 200, 200]
    for few in seen:
        assert few.violations == round(share * len(few))
        assert set(few.item_id) <= set(fitted.item_id)
        assert len(set(few.item_id)) == len(few)


def test_with_few_labels_auto_names_its_fallback(items):
    rows = [row for row in run_few(items, 0, "cost") if row["rule"] == "auto"]
    assert {row["chosen"] for row in rows} == {"bayes_risk"}


def test_what_auto_took_is_read_from_its_note(items):
    row = run_split(items, 0, "ap", 0.3, rules=("auto",))[0]
    assert row["chosen"].startswith(("learned", "bayes_risk", "entropy", "similar"))
    assert np.isfinite(row["value"])
