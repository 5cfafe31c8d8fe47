"""Certified policies: what is stated is kept, and what cannot be kept is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from coefvq.errors import RoutingError
from coefvq.routing.audit import AuditPlan
from coefvq.routing.bounds import labels_needed
from coefvq.routing.certified import certifying_share, held_out
from coefvq.routing.fit import fit_policy
from coefvq.routing.metrics import confusion
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import CERTIFYING, MOST_CERTIFYING, FitRequest
from coefvq.routing.route import FLAG, HUMAN, route
from tests.unit.routing.worlds import HINTED, PLAIN, miss_rate

TARGET, CONFIDENCE, DRAWS = 0.1, 0.9, 100
TRUTH = PLAIN.draw(12_000, 10_000)
WEAK = AuditPlan(0.0, 0.0)


def _miss_rates(policy: RoutingPolicy, items: Predictions) -> tuple[float, float]:
    """In the population: with the certified threshold, and with the naive one.

    The naive threshold passes exactly the target's share of the violations that it was looked up
    on: all of ``items``.
    """
    assert policy.thresholds.flag_from == policy.thresholds.call_from
    naive = np.quantile(route(policy, items).final[items.label == 1], TARGET)
    final = route(policy, TRUTH).final[TRUTH.label == 1]
    cuts = policy.thresholds.pass_below, min(float(naive), policy.thresholds.call_from)
    return float((final < cuts[0]).mean()), float((final < cuts[1]).mean())


def test_the_miss_rate_holds_where_the_naive_threshold_breaks_it() -> None:
    """The share of draws that break the target in a large population, against chance."""
    request = FitRequest(rule="entropy", miss_rate=TARGET, confidence=CONFIDENCE, audit=WEAK)
    found = []
    for seed in range(DRAWS):
        items = PLAIN.draw(800, seed)
        found.append(_miss_rates(fit_policy(items, request), items))
    certified, naive = (np.array(found) > TARGET).sum(0)
    assert certified <= binom.ppf(0.99, DRAWS, 1 - CONFIDENCE)
    assert naive > 0.25 * DRAWS
    assert naive > 2 * certified
    assert _miss_rates(policy := fit_policy(items, request), items)[0] == miss_rate(policy, TRUTH)


def test_all_rates_together_hold_in_the_population() -> None:
    request = FitRequest(
        rule="entropy", miss_rate=0.15, false_removal=0.1, budget=0.3, confidence=0.9
    )
    broken, draws = 0, 20
    for seed in range(draws):
        routed = route(policy := fit_policy(PLAIN.draw(800, seed), request), TRUTH)
        removed = (routed.route[TRUTH.label == 0] == FLAG).mean()
        over = routed.escalated.mean() > 0.3
        broken += miss_rate(policy, TRUTH) > 0.15 or removed > 0.1 or over
        assert policy.thresholds.flag_from >= policy.thresholds.call_from
    assert broken <= binom.ppf(0.99, draws, 0.1)


@pytest.mark.parametrize("rule", ["entropy", "bayes_risk", "similar", "learned"])
def test_a_certificate_states_what_was_tested(rule: str) -> None:
    items = HINTED.draw(800, 1)
    policy = fit_policy(items, FitRequest(rule=rule, miss_rate=0.1, false_removal=0.2))
    paper = policy.certificate
    assert isinstance(paper, Mapping)
    assert {"method", "miss_rate", "confidence", "n", "feasible", "risks"} == set(paper)
    assert (paper["method"], paper["miss_rate"], paper["confidence"], paper["feasible"]) == (
        "learn_then_test", 0.1, 0.9, True
    )  # fmt: skip
    risks = {risk["name"]: risk for risk in paper["risks"]}
    assert set(risks) == {"miss_rate", "false_removal_rate", "escalation_rate"}
    for risk in risks.values():
        assert risk["errors"] / risk["n"] <= risk["upper"] <= risk["target"]
        assert risk["p_value"] <= 0.1
    apart = policy.fitted_on["certified_on"]
    assert risks["escalation_rate"]["n"] == apart
    assert paper["n"] + risks["false_removal_rate"]["n"] == apart
    assert apart + policy.fitted_on["n"] == len(items)
    assert any("kept out of fitting" in note for note in policy.notes)


def test_the_stated_errors_are_those_of_the_labels_kept_apart() -> None:
    items = PLAIN.draw(800, 1)
    request = FitRequest(rule="entropy", miss_rate=0.15, budget=1.0, audit=WEAK)
    policy = fit_policy(items, request)
    fresh = miss_rate(policy, TRUTH)
    risk = policy.certificate["risks"][0] if policy.certificate else {}
    assert binom.cdf(risk["errors"], risk["n"], fresh) > 1e-4
    assert binom.sf(risk["errors"] - 1, risk["n"], fresh) > 1e-4


@pytest.mark.parametrize("false_removal", [None, 0.1], ids=str)
@pytest.mark.parametrize("target", [None, 0.05, 0.2], ids=str)
@pytest.mark.parametrize("budget", [0.02, 0.3, 1.0], ids=str)
def test_thresholds_are_in_order(
    target: float | None, false_removal: float | None, budget: float
) -> None:
    request = FitRequest(
        rule="entropy", miss_rate=target, false_removal=false_removal, budget=budget, audit=WEAK
    )
    cut = fit_policy(PLAIN.draw(1500, 2), request).thresholds
    assert 0 <= cut.pass_below <= cut.call_from <= cut.flag_from <= 1
    assert (cut.pass_below < cut.call_from) or target in (None, 0.2)


def test_a_stricter_target_sends_more_to_people() -> None:
    items, asked = PLAIN.draw(2000, 3), []
    for target in (0.02, 0.05, 0.1):
        policy = fit_policy(items, FitRequest(rule="entropy", miss_rate=target))
        routed = route(policy, TRUTH)
        asked.append((routed.route == HUMAN).mean())
        assert confusion(TRUTH.label, routed.called).f1 > 0.5
    assert asked[0] > asked[1] > asked[2]


def _count(text: str) -> int:
    found = re.search(r"Label at least ([\d,]+) violations", text)
    assert found
    return int(found.group(1).replace(",", ""))


@pytest.mark.parametrize(("n", "target"), [(100, 0.05), (300, 0.02), (60, 0.1)], ids=str)
def test_too_few_labels_are_refused_with_the_number_that_would_do(n: int, target: float) -> None:
    items = PLAIN.draw(n, 1)
    with pytest.raises(RoutingError, match="cannot be certified at confidence") as refusal:
        fit_policy(items, FitRequest(rule="entropy", miss_rate=target))
    wanted = _count(str(refusal.value))
    assert wanted * MOST_CERTIFYING >= labels_needed(target, 0.9) > items.violations * 0.8
    assert "items at a prevalence of" in str(refusal.value)
    assert "ask for a miss rate of" in str(refusal.value)


def test_the_number_that_would_do_does() -> None:
    items = PLAIN.draw(3000, 1)
    with pytest.raises(RoutingError) as refusal:
        fit_policy(items.take(np.arange(60)), FitRequest(rule="entropy", miss_rate=0.1))
    wanted = _count(str(refusal.value))
    share = np.flatnonzero(np.cumsum(items.label) == wanted)[0] + 1
    found = certifying_share(items.take(np.arange(share)), FitRequest(miss_rate=0.1))
    assert found == MOST_CERTIFYING


def test_a_target_below_what_the_stages_can_do_is_refused() -> None:
    with pytest.raises(RoutingError, match="A false_removal_rate of"):
        fit_policy(PLAIN.draw(400), FitRequest(rule="entropy", false_removal=0.001))


def test_weights_are_refused() -> None:
    items = PLAIN.draw(400)
    weighted = replace(items, weight=np.where(items.label == 1, 1.0, 5.0))
    with pytest.raises(RoutingError, match="unequal weights"):
        fit_policy(weighted, FitRequest(rule="entropy", miss_rate=0.2))
    even = replace(items, weight=np.full(400, 7.0))
    assert fit_policy(even, FitRequest(rule="entropy", miss_rate=0.2)).certificate


def test_rows_without_an_mllm_score_are_not_certified_on() -> None:
    items = replace(PLAIN, missing=0.4).draw(1200)
    policy = fit_policy(items, FitRequest(rule="entropy", miss_rate=0.2))
    counted = policy.fitted_on["n"] + policy.fitted_on["certified_on"]
    assert counted == items.has_mllm.sum() < 1200


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [
        ({"false_removal": 0.1}, CERTIFYING, CERTIFYING),
        ({"miss_rate": 0.3}, CERTIFYING, CERTIFYING),
        ({"miss_rate": 0.025}, CERTIFYING, MOST_CERTIFYING),
    ],
    ids=str,
)
def test_the_share_kept_apart_grows_with_the_target(
    changes: dict[str, Any], low: float, high: float
) -> None:
    share = certifying_share(PLAIN.draw(800, 1), FitRequest(**changes))
    assert low <= share <= high
    assert (share > CERTIFYING) is (high > low)


@pytest.mark.parametrize("share", [0.5, 0.63, 0.8], ids=str)
@pytest.mark.parametrize("n", [40, 300, 2000], ids=str)
def test_the_part_kept_apart_has_its_share_of_both_classes(n: int, share: float) -> None:
    """To the item: the number of labels that a refusal names counts on it."""
    items = PLAIN.draw(n)
    apart = held_out(items, share, 0)
    for value in (0, 1):
        rows = items.label == value
        assert apart[rows].sum() == int(share * rows.sum() + 1e-9)
    assert (apart == held_out(items, share, 0)).all()
    assert (apart != held_out(items, share, 1)).any()


def test_conformal_risk_control_promises_the_mean() -> None:
    """Over many fits the miss rate is the target on average; single fits may lie above."""
    request = FitRequest(rule="entropy", miss_rate=TARGET, method="crc", audit=WEAK)
    found = [miss_rate(fit_policy(PLAIN.draw(400, seed), request), TRUTH) for seed in range(25)]
    error = np.std(found, ddof=1) / 5
    assert TARGET / 3 < np.mean(found) <= TARGET + 2 * error
    assert max(found) > TARGET


def test_conformal_risk_control_keeps_the_budget_and_says_what_it_is() -> None:
    items = PLAIN.draw(600, 2)
    policy = fit_policy(items, FitRequest(rule="entropy", miss_rate=0.1, method="crc", budget=0.2))
    paper = policy.certificate
    assert paper is not None
    assert (paper["method"], paper["confidence"]) == ("conformal_risk_control", None)
    assert route(policy, TRUTH).escalated.mean() <= 0.2 + 1e-9
    cut = policy.thresholds
    assert cut.pass_below <= cut.call_from <= cut.flag_from


def test_conformal_risk_control_needs_labels_too() -> None:
    with pytest.raises(RoutingError, match="at least 199"):
        fit_policy(PLAIN.draw(300), FitRequest(rule="entropy", miss_rate=0.005, method="crc"))
