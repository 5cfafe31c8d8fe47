"""Who is escalated under a budget, and where items end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.domain import RouteName
from coefvq.errors import RoutingError
from coefvq.routing.audit import draws
from coefvq.routing.human import HumanStep
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import DUE, FLAG, HUMAN, PASS, ROUTES, Routed, route
from coefvq.routing.scores import BayesRisk, Entropy, Margin, entropy_bits
from tests.unit.routing.policies import history, learned, policy_for

ITEMS = history(400)
POLICY = policy_for(ITEMS)
BUDGETS = st.floats(0, 1)
SCORES = [Entropy(), Margin(), BayesRisk(10, 1)]


def names(items: Predictions, mask: np.ndarray) -> set[str]:
    """Ids of the rows in a mask."""
    return set(items.item_id[mask])


def tied(items: Predictions, digits: int = 1) -> Predictions:
    """Prefilter scores rounded, so that many items share one."""
    return replace(items, prefilter=np.round(items.prefilter, digits))


def budgeted(budget: float, **changes: object) -> RoutingPolicy:
    """The hand-made policy with another budget."""
    return replace(POLICY, budget=budget, **changes)


def test_codes_name_routes() -> None:
    expected = {
        PASS: RouteName.AUTO_PASS,
        FLAG: RouteName.AUTO_FLAG,
        HUMAN: RouteName.HUMAN,
        DUE: RouteName.MLLM,
    }
    assert dict(enumerate(ROUTES)) == expected


@pytest.mark.parametrize("score", SCORES, ids=lambda s: type(s).__name__)
def test_the_highest_scores_are_escalated(score: object) -> None:
    found = route(replace(POLICY, score=score), ITEMS)
    assert found.escalated.sum() == 120
    assert found.score[found.escalated].min() >= found.score[~found.escalated].max()


def test_entropy_escalates_what_the_paper_would() -> None:
    found = route(POLICY, ITEMS)
    bits = entropy_bits(POLICY.first.calibration(ITEMS.prefilter))
    threshold = np.sort(bits)[-120]
    assert names(ITEMS, found.escalated) == names(ITEMS, bits >= threshold)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), BUDGETS, st.sampled_from([0.0, 0.05, 0.2]), st.booleans())
def test_order_of_rows_is_immaterial(seed: int, budget: float, audit: float, ties: bool) -> None:
    items = tied(ITEMS) if ties else ITEMS
    policy = replace(policy_for(ITEMS, audit=audit, band=0.1), budget=budget)
    order = np.random.default_rng(seed).permutation(len(items))
    first, second = route(policy, items), route(policy, items.take(order))
    for column in ("score", "drawn", "escalated", "final", "called", "route"):
        assert np.array_equal(getattr(first, column)[order], getattr(second, column)), column


@settings(max_examples=60, deadline=None)
@given(BUDGETS, BUDGETS, st.booleans())
def test_a_larger_budget_escalates_a_superset(one: float, other: float, ties: bool) -> None:
    items = tied(ITEMS) if ties else ITEMS
    less, more = (route(budgeted(budget), items) for budget in sorted((one, other)))
    assert (more.escalated | ~less.escalated).all()


@settings(max_examples=60, deadline=None)
@given(BUDGETS, st.integers(1, 60), st.sampled_from([0.0, 0.01, 0.3]))
def test_the_budget_is_never_passed(budget: float, n: int, audit: float) -> None:
    items = ITEMS.take(np.arange(n))
    found = route(replace(policy_for(ITEMS, audit=audit), budget=budget), items)
    assert found.escalated.sum() <= np.floor(budget * n + 1e-9)


@pytest.mark.parametrize(
    ("budget", "n", "expected"),
    [
        pytest.param(0.0, 400, 0, id="nothing"),
        pytest.param(1.0, 400, 400, id="everything"),
        pytest.param(0.3, 10, 3, id="0.3 of 10 is 3, though 0.3 * 10 may fall short in binary"),
        pytest.param(0.29, 100, 29, id="0.29 of 100 is 29"),
        pytest.param(0.3, 3, 0, id="less than one item"),
        pytest.param(0.5, 3, 1, id="rounded down"),
        pytest.param(0.5, 1, 0, id="one item"),
    ],
)
def test_room_in_the_budget(budget: float, n: int, expected: int) -> None:
    assert route(budgeted(budget), ITEMS.take(np.arange(n))).escalated.sum() == expected


def test_ties_at_the_edge_go_by_item_id() -> None:
    items = replace(ITEMS, prefilter=np.full(400, 0.4))
    found = route(budgeted(0.1), items)
    assert names(items, found.escalated) == {f"v{index:05d}" for index in range(40)}


def test_draws_are_escalated_whatever_their_score() -> None:
    policy = policy_for(ITEMS, audit=0.1)
    found = route(policy, ITEMS)
    expected = draws(ITEMS.item_id, 0.1, policy.version)
    assert 20 <= expected.sum() <= 65
    assert np.array_equal(found.drawn, expected)
    assert (found.escalated | ~found.drawn).all()
    assert found.escalated.sum() == 120
    rest = ~found.drawn
    assert found.score[rest & found.escalated].min() >= found.score[rest & ~found.escalated].max()


def test_without_a_share_nobody_is_drawn() -> None:
    assert not route(POLICY, ITEMS).drawn.any()


def test_draws_beyond_the_budget_are_not_made() -> None:
    """By chance more may be drawn than the budget has room for: the budget is hard."""
    policy = replace(policy_for(ITEMS, audit=0.3), budget=0.05)
    found = route(policy, ITEMS)
    assert not found.drawn.any()
    assert found.escalated.sum() == 20
    assert found.score[found.escalated].min() >= found.score[~found.escalated].max()


def test_what_promises_nothing_is_not_escalated() -> None:
    cut = replace(POLICY.thresholds, escalate_least=0.9)
    found = route(budgeted(1.0, thresholds=cut), ITEMS)
    assert np.array_equal(found.escalated, found.score > 0.9)


def test_a_certified_threshold_stays() -> None:
    cut = replace(POLICY.thresholds, escalate_from=0.95)
    tracked = route(budgeted(0.3, thresholds=cut), ITEMS)
    certified = route(budgeted(0.3, thresholds=cut, certificate={"feasible": True}), ITEMS)
    assert tracked.escalated.sum() == 120
    assert np.array_equal(certified.escalated, certified.score > 0.95)


def test_probabilities_that_count() -> None:
    found = route(POLICY, ITEMS)
    p1 = POLICY.first.calibration(ITEMS.prefilter)
    both = POLICY.combination(p1, POLICY.mllm(ITEMS.mllm))
    assert found.final == pytest.approx(np.where(found.escalated, both, p1))
    assert np.array_equal(found.called, found.final >= POLICY.thresholds.call_from)


@pytest.fixture(scope="module")
def gaps() -> tuple[Predictions, Routed]:
    """Every second item lacks the MLLM's score."""
    items = replace(ITEMS, mllm=np.where(np.arange(400) % 2 == 0, np.nan, ITEMS.mllm))
    return items, route(POLICY, items)


def test_a_due_item_without_a_score_waits_for_the_mllm(gaps: tuple[Predictions, Routed]) -> None:
    items, found = gaps
    due = found.escalated & np.isnan(items.mllm)
    assert due.any()
    assert np.array_equal(found.route == DUE, due)
    assert np.array_equal(np.isnan(found.final), due)


def test_its_call_is_the_prefilters(gaps: tuple[Predictions, Routed]) -> None:
    items, found = gaps
    due = found.route == DUE
    p1 = POLICY.first.calibration(items.prefilter)
    assert np.array_equal(found.called[due], p1[due] >= POLICY.thresholds.call_from)


def test_who_is_escalated_does_not_depend_on_the_mllm(gaps: tuple[Predictions, Routed]) -> None:
    assert np.array_equal(gaps[1].escalated, route(POLICY, ITEMS).escalated)


@pytest.mark.parametrize("band", [0.0, 0.05, 0.2])
def test_the_band_between_two_thresholds_goes_to_people(band: float) -> None:
    policy = policy_for(ITEMS, band=band)
    found = route(policy, ITEMS)
    low, high = policy.thresholds.pass_below, policy.thresholds.flag_from
    inside = (found.final >= low) & (found.final < high)
    assert np.array_equal(found.route == HUMAN, inside)
    assert np.array_equal(found.route == PASS, found.final < low)
    assert np.array_equal(found.route == FLAG, found.final >= high)


def test_a_human_step_asks_people_about_risky_answers_of_the_mllm() -> None:
    step = HumanStep(5.0, 1.0, POLICY.thresholds.call_from, 0.3, limit=0.5)
    found = route(replace(POLICY, human=step), ITEMS)
    p1 = POLICY.first.calibration(ITEMS.prefilter)
    risky = step.risk(p1, POLICY.mllm(ITEMS.mllm), found.final) > 0.5
    assert np.array_equal(found.route == HUMAN, found.escalated & risky)
    assert (found.route == HUMAN).any()


def test_a_human_step_leaves_gaps_alone(gaps: tuple[Predictions, Routed]) -> None:
    step = HumanStep(5.0, 1.0, POLICY.thresholds.call_from, 0.3, limit=0.0)
    found = route(replace(POLICY, human=step), gaps[0])
    answered = found.escalated & ~np.isnan(gaps[0].mllm)
    assert (found.route[answered] == HUMAN).all()
    assert (found.route[found.escalated & ~answered] == DUE).all()
    assert not (found.route[~found.escalated] == HUMAN).any()


def test_features_reach_the_score() -> None:
    motion = np.random.default_rng(0).normal(size=400)
    rich = history(400, features={"motion": motion})
    policy = learned(rich)
    other = history(400, features={"motion": -motion})
    assert not np.array_equal(route(policy, rich).escalated, route(policy, other).escalated)


def test_a_feature_that_is_absent_counts_as_its_middle() -> None:
    motion = np.random.default_rng(0).normal(size=400)
    rich = history(400, features={"motion": motion})
    policy = learned(rich)
    gone = history(400, features={"motion": np.full(400, np.nan)})
    middle = history(400, features={"motion": np.full(400, float(np.median(motion)))})
    assert np.array_equal(route(policy, gone).escalated, route(policy, middle).escalated)


def test_a_missing_feature_column_is_named() -> None:
    rich = history(50, features={"motion": np.arange(50.0)})
    with pytest.raises(RoutingError, match="lack feature_motion"):
        route(learned(rich), history(50))


@pytest.mark.parametrize("n", [0, 1, 3], ids=lambda n: f"{n} rows")
def test_few_rows(n: int) -> None:
    found = route(policy_for(ITEMS, audit=0.1), ITEMS.take(np.arange(n)))
    assert len(found.route) == n
