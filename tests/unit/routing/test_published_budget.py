"""The budget of a published policy: where it starts, what it holds, who is shed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.routing import published_budget
from coefvq.routing.one_video import Demand, Grant
from coefvq.routing.policy import NO_LEAST, RoutingPolicy, Thresholds
from coefvq.routing.tracker import BURST
from tests.routing_factory import certified, policy


def stream(
    made: RoutingPolicy, demands: list[Demand], severity: int | None = None
) -> tuple[list[Grant], dict[str, Any]]:
    """Grants one after another; the state goes through JSON, as a store keeps it."""
    state: dict[str, Any] = {}
    grants = []
    for number, demand in enumerate(demands):
        state, grant = published_budget.reserve(made, state, demand, f"v{number}", severity)
        state = json.loads(json.dumps(state))
        grants.append(grant)
    return grants, state


def scores(values: Any) -> list[Demand]:
    return [Demand(float(value), due=True) for value in values]


def at(escalate_from: float, least: float = NO_LEAST) -> Thresholds:
    return Thresholds(escalate_from, 0.5, 0.5, 0.5, least)


@pytest.mark.parametrize("made", [policy(), certified()], ids=["tracked", "certified"])
@pytest.mark.parametrize(
    ("score", "call"),
    [pytest.param(0.61, True, id="above"), pytest.param(0.59, False, id="below")],
)
def test_it_starts_at_the_fitted_threshold(made: RoutingPolicy, score: float, call: bool) -> None:
    (grant,), _ = stream(made, scores([score]))
    assert grant == Grant(call, pytest.approx(0.6))


def test_the_share_is_held_when_the_scores_drift() -> None:
    """The threshold moves with the traffic: 20 % of calls before and after."""
    rng = np.random.default_rng(1)
    made = policy(budget=0.2, thresholds=at(0.8))
    values = np.concatenate([rng.random(1500), rng.random(1500) + 5])
    grants, state = stream(made, scores(values))
    calls = np.array([grant.call for grant in grants])
    assert abs(calls[500:1500].mean() - 0.2) < 0.03
    assert abs(calls[2000:].mean() - 0.2) < 0.03
    assert calls.sum() <= 0.2 * 3000 + BURST
    assert state["calls"] == calls.sum() and state["seen"] == 3000
    assert grants[-1].threshold > 5


def test_a_certified_threshold_does_not_move() -> None:
    rng = np.random.default_rng(2)
    values = rng.random(800)
    grants, _ = stream(certified(budget=0.9, thresholds=at(0.4)), scores(values))
    assert [grant.call for grant in grants] == [value > 0.4 for value in values]
    assert {grant.threshold for grant in grants} == {0.4}


@pytest.mark.parametrize(
    ("made", "person"),
    [
        pytest.param(policy(budget=0.1, thresholds=at(-1.0)), False, id="its answer stands"),
        pytest.param(certified(budget=0.1, thresholds=at(-1.0)), True, id="certified: a person"),
    ],
)
def test_over_the_cap_calls_are_shed(made: RoutingPolicy, person: bool) -> None:
    grants, state = stream(made, scores(np.full(400, 0.5)))
    shed = [grant for grant in grants if grant.refused]
    assert sum(grant.call for grant in grants) <= 0.1 * 400 + BURST
    if person:
        assert len(shed) > 300
    assert all(grant.refused == "over the MLLM budget" and not grant.call for grant in shed)
    assert {grant.person for grant in shed} <= {person}
    assert state["shed"] == len(shed)


def test_gaps_count_in_the_budget_and_end_with_a_person() -> None:
    gaps = [Demand(None, True, gap=True)] * 300
    grants, state = stream(policy(budget=0.2), gaps)
    assert 0.2 * 300 <= sum(grant.call for grant in grants) <= 0.2 * 300 + BURST
    assert all(grant.person for grant in grants if not grant.call)
    assert state["seen"] == 300


def test_a_draw_over_the_budget_is_simply_not_made() -> None:
    grants, _ = stream(certified(budget=0.05), [Demand(0.1, False, drawn=True)] * 200)
    refused = [grant for grant in grants if not grant.call]
    assert refused and not any(grant.person for grant in refused)


def test_a_budget_of_nothing_makes_no_call_from_the_first_item_on() -> None:
    demands = [Demand(None, True, gap=True), *scores([0.99, 0.7]), Demand(0.1, False, drawn=True)]
    grants, _ = stream(policy(budget=0.0), demands)
    assert [grant.call for grant in grants] == [False] * 4
    assert [grant.person for grant in grants] == [True, False, False, False]


def test_what_promises_nothing_is_never_escalated_and_leaves_its_share() -> None:
    """Only one in ten is worth a call; the budget of 30 % is then not used up by the others."""
    rng = np.random.default_rng(3)
    worth = rng.random(1000) < 0.1
    values = np.where(worth, 1 + rng.random(1000), -rng.random(1000))
    grants, state = stream(policy(budget=0.3, thresholds=at(0.0, least=0.0)), scores(values))
    calls = np.array([grant.call for grant in grants])
    assert not calls[~worth].any()
    assert calls[worth].mean() > 0.95
    assert state["seen"] == 1000


def test_without_a_score_nothing_happens() -> None:
    (grant,), state = stream(policy(), [Demand(None, False)])
    assert not grant.call and not grant.refused and state["seen"] == 0


def test_a_refund_gives_the_call_back() -> None:
    made = policy()
    before, _ = published_budget.reserve(made, {}, Demand(0.1, False), "a", None)
    after, grant = published_budget.reserve(made, before, Demand(0.9, True), "b", None)
    assert grant.call and after["calls"] == 1
    back = published_budget.refund(after)
    assert (back["calls"], back["seen"]) == (0, 2)
    assert before["tokens"] <= back["tokens"] <= back["burst"]


def test_grave_policies_come_first_when_the_budget_runs_out() -> None:
    made = policy(budget=0.05)
    demands = [Demand(None, True, gap=True)] * 100
    grave, light = stream(made, demands, severity=5)[0], stream(made, demands, severity=1)[0]
    assert sum(grant.call for grant in grave) > sum(grant.call for grant in light)


DEMANDS = st.lists(
    st.one_of(
        st.builds(Demand, st.floats(-5, 5), st.just(True)),
        st.builds(Demand, st.floats(-5, 5), st.just(False), drawn=st.just(True)),
        st.just(Demand(None, True, gap=True)),
        st.just(Demand(None, False)),
    ),
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(DEMANDS, st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]), st.booleans())
def test_whatever_comes_the_cap_holds_and_the_counts_are_right(
    demands: list[Demand], share: float, fixed: bool
) -> None:
    made = (certified if fixed else policy)(budget=share, thresholds=at(0.0))
    grants, state = stream(made, demands)
    calls = sum(grant.call for grant in grants)
    saved = BURST if share > 0 else 0.0
    assert calls <= share * len(demands) + saved + 1e-6
    if demands:
        assert state["calls"] == calls
    for demand, grant in zip(demands, grants, strict=True):
        assert not (grant.call and grant.refused)
        assert not (grant.person and grant.call)
        if demand.gap and not grant.call:
            assert grant.person
        if fixed and demand.due and not demand.gap and not grant.call:
            assert grant.person or (demand.score or 0.0) <= 0.0
