"""After the MLLM: who goes to a person, by share or by the cost of asking one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.errors import RoutingError
from coefvq.routing.audit import AuditPlan
from coefvq.routing.calibration import sigmoid
from coefvq.routing.fit import fit_policy
from coefvq.routing.human import HumanStep, distance, fit_human
from coefvq.routing.request import FitRequest
from coefvq.routing.route import HUMAN, route
from tests.unit.routing.worlds import PLAIN

CHANCE = st.floats(0.001, 0.999)


def _answers(n: int = 3000, telling: float = 0.0, seed: int = 0) -> tuple[Any, ...]:
    """(p1, p2, final, labels): with ``telling`` > 0 errors are likelier where stages disagree."""
    rng = np.random.default_rng(seed)
    p1, p2 = sigmoid(2 * rng.normal(size=n)), sigmoid(2 * rng.normal(size=n))
    odds = np.log(p2 / (1 - p2))
    shrink = 1 / (1 + telling * distance(p1, p2))
    return p1, p2, p2, (rng.random(n) < sigmoid(odds * shrink)).astype(np.int8)


def _step(**changes: float) -> HumanStep:
    base = {"cost_fn": 1.0, "cost_fp": 1.0, "call_from": 0.5, "disagreement": 0.3, "limit": 0.2}
    return HumanStep(**(base | changes))


@given(CHANCE, CHANCE, CHANCE, st.floats(0, 2))
def test_disagreement_raises_the_risk(p1: float, p2: float, final: float, weight: float) -> None:
    one = tuple(np.array([value]) for value in (p1, p2, final))
    calm = tuple(np.array([value]) for value in (p2, p2, final))
    assert _step(disagreement=weight).risk(*one)[0] >= _step(disagreement=weight).risk(*calm)[0]
    plain = final if final < 0.5 else 1 - final
    assert _step(disagreement=0.0).risk(*one)[0] == pytest.approx(plain, abs=1e-3)


def test_a_dear_miss_weighs_on_passes_and_a_dear_alarm_on_flags() -> None:
    p = np.array([0.1, 0.9])
    assert _step(cost_fn=10.0, disagreement=0.0).risk(p, p, p) == pytest.approx([1.0, 0.1])
    assert _step(cost_fp=10.0, disagreement=0.0).risk(p, p, p) == pytest.approx([0.1, 1.0])


@pytest.mark.parametrize(("telling", "low", "high"), [(0.0, 0.0, 0.05), (1.0, 0.2, 2.0)], ids=str)
def test_disagreement_counts_as_far_as_labels_bear_it_out(
    telling: float, low: float, high: float
) -> None:
    found = fit_human(*_answers(telling=telling), 0.5, (1.0, 1.0), share=0.1)
    assert low <= found.disagreement <= high


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.7, 1.0], ids=str)
def test_the_share_is_respected(share: float) -> None:
    p1, p2, final, labels = _answers()
    step = fit_human(p1, p2, final, labels, 0.4, (1.0, 1.0), share=share)
    asked = (step.risk(p1, p2, final) > step.limit).mean()
    assert asked <= share
    assert asked == pytest.approx(share, abs=0.002)


def test_a_limit_is_kept_as_given_and_people_cost_less_than_they_save() -> None:
    p1, p2, final, labels = _answers()
    step = fit_human(p1, p2, final, labels, 0.5, (1.0, 1.0), limit=0.25)
    assert step.limit == 0.25
    risk = step.risk(p1, p2, final)
    wrong = (final >= 0.5) != (labels == 1)
    assert wrong[risk > 0.25].mean() > 0.25 > wrong[risk <= 0.25].mean()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either"),
        ({"share": 0.1, "limit": 0.1}, "either"),
        ({"share": 1.5}, "0..1"),
        ({"share": -0.1}, "0..1"),
        ({"share": float("nan")}, "0..1"),
        ({"limit": 0.0}, "above 0"),
        ({"limit": -1.0}, "above 0"),
        ({"limit": float("inf")}, "above 0"),
        ({"limit": float("nan")}, "above 0"),
    ],
    ids=str,
)
def test_requests_that_mean_nothing_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(RoutingError, match=words):
        fit_human(*_answers(50), 0.5, (1.0, 1.0), **options)


def test_json_brings_the_same_step_back() -> None:
    step = fit_human(*_answers(), 0.5, (3.0, 1.0), share=0.1)
    assert HumanStep.from_json(json.loads(json.dumps(step.to_json()))) == step


@pytest.mark.parametrize("share", [0.02, 0.1], ids=str)
def test_a_fitted_policy_sends_about_that_share_of_all_items_to_people(share: float) -> None:
    request = FitRequest(rule="entropy", human_share=share, audit=AuditPlan(0.0, 0.0))
    policy = fit_policy(PLAIN.draw(2000, 3), request)
    routed = route(policy, PLAIN.draw(20_000, 4))
    asked = routed.route == HUMAN
    assert asked.mean() == pytest.approx(share, rel=0.35)
    assert routed.escalated[asked].all()


def test_people_take_over_where_the_machine_errs() -> None:
    request = FitRequest(rule="entropy", human_share=0.05, audit=AuditPlan(0.0, 0.0))
    policy, fresh = fit_policy(PLAIN.draw(2000, 3), request), PLAIN.draw(20_000, 4)
    routed = route(policy, fresh)
    wrong, asked = routed.called != (fresh.label == 1), routed.route == HUMAN
    rest = routed.escalated & ~asked
    assert wrong[asked].mean() > 2 * wrong[rest].mean()


def test_dear_people_are_asked_less() -> None:
    items, fresh = PLAIN.draw(600, 1), PLAIN.draw(4000, 2)
    asked = [
        (route(fit_policy(items, FitRequest(rule="entropy", abstention_cost=cost)), fresh).route
         == HUMAN).mean() for cost in (0.05, 0.2, 0.9)
    ]  # fmt: skip
    assert asked[0] > asked[1] > asked[2] == 0


def test_where_nobody_is_escalated_nobody_follows() -> None:
    request = FitRequest(rule="entropy", budget=0.0, human_share=0.1, audit=AuditPlan(0.0, 0.0))
    with pytest.raises(RoutingError, match="Nobody is escalated"):
        fit_policy(PLAIN.draw(200), request)


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan")], ids=str)
def test_a_price_of_people_must_be_one(cost: float) -> None:
    with pytest.raises(RoutingError, match="above 0"):
        fit_policy(PLAIN.draw(200), FitRequest(rule="entropy", abstention_cost=cost))
