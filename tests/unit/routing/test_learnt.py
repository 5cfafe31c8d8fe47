"""What decisions make of the thresholds of a certified policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.domain import Route, RouteName
from coefvq.routing import learnt
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.one_video import Seen
from coefvq.routing.online import OnlineThresholds
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.published import BETWEEN, Learnt, PublishedRouting
from tests.routing_factory import CERTIFICATE, certified, policy

CUT = Thresholds(0.9, call_from=0.5, pass_below=0.3, flag_from=0.7)
MISS, REMOVAL = (
    {"name": "miss_rate", "target": 0.05},
    {"name": "false_removal_rate", "target": 0.1},
)
AUDITED = AuditPlan(people=0.05, mllm=0.0)
PASS, FLAG, HUMAN, MLLM = (
    RouteName.AUTO_PASS,
    RouteName.AUTO_FLAG,
    RouteName.HUMAN,
    RouteName.MLLM,
)


def made(*risks: dict, **changes: object) -> RoutingPolicy:
    paper = CERTIFICATE | {"risks": list(risks or (MISS, REMOVAL))}
    return replace(certified(thresholds=CUT, audit=AUDITED), certificate=paper, **changes)  # type: ignore[arg-type]


def begun(*risks: dict) -> OnlineThresholds:
    state = learnt.start(made(*risks))
    assert state is not None
    return state


def way(name: RouteName = HUMAN, reason: str = BETWEEN, audit: bool = False) -> Route:
    propensity = 1.0 if name in (HUMAN, MLLM) else 0.05
    return Route(name, "entropy", "v", 0.5, 0.9, False, audit, propensity, reason)


def teach(
    state: OnlineThresholds, route: Route, probability: float | None, violation: bool
) -> OnlineThresholds:
    outcome = learnt.taught(state, route, probability, violation)
    assert outcome is not None
    return state.apply(outcome)[0]


def test_learning_starts_at_what_was_certified() -> None:
    state = begun()
    low, high = state.auto_pass, state.auto_flag
    assert (low.value, low.bounds.low, low.bounds.high) == (0.3, 0.0, 0.3)
    assert (high.value, high.bounds.low, high.bounds.high) == (0.7, 0.7, 1.0)
    assert state.escalation.bounds.width == 0 and state.escalation.value == 0.9
    targets = state.targets
    assert (targets.miss_rate, targets.false_removal_rate, targets.weight_cap) == (0.05, 0.1, 20)
    assert learnt.in_force(state) == Learnt(0.3, 0.7, 0)


@pytest.mark.parametrize(
    ("certificate", "moves"),
    [
        pytest.param(None, None, id="no certificate"),
        pytest.param([{"name": "escalation_rate", "target": 0.3}], None, id="only calls"),
        pytest.param([MISS], (True, False), id="misses only"),
        pytest.param([REMOVAL], (False, True), id="removals only"),
        pytest.param([MISS, REMOVAL], (True, True), id="both"),
    ],
)
def test_only_a_certified_rate_moves_its_threshold(
    certificate: list | None, moves: tuple[bool, bool] | None
) -> None:
    if certificate is None:
        assert learnt.start(policy(thresholds=CUT)) is None
        return
    state = learnt.start(made(*certificate))
    assert (state and (state.auto_pass.bounds.width > 0, state.auto_flag.bounds.width > 0)) == moves


def test_without_audits_no_outcome_weighs_more_than_another() -> None:
    state = learnt.start(made(audit=AuditPlan(0.0, 0.0)))
    assert state is not None and state.targets.weight_cap == 1.0


@pytest.mark.parametrize(
    ("route", "probability", "violation", "expected"),
    [
        pytest.param(way(PASS, audit=True), 0.1, True, (0.3 - 0.02 * 0.95 * 0.3, 0.7), id="a miss"),
        pytest.param(
            way(FLAG, audit=True), 0.9, False, (0.3, 0.7 + 0.02 * 0.9 * 0.3), id="a wrong flag"
        ),
        pytest.param(way(PASS, audit=True), 0.1, False, (0.3, 0.7), id="rightly passed"),
        pytest.param(way(FLAG, audit=True), 0.9, True, (0.3, 0.7), id="rightly flagged"),
        pytest.param(way(), 0.5, True, (0.3, 0.7), id="sent and a violation"),
        pytest.param(way(reason="a limit"), 0.1, True, (0.3, 0.7), id="low, sent by a limit"),
        pytest.param(way(reason="doubt"), 0.9, False, (0.3, 0.7), id="high, sent in doubt"),
        pytest.param(way(MLLM, reason="due"), 0.9, False, (0.3, 0.7), id="the MLLM failed"),
        pytest.param(way(reason="a gap"), None, True, (0.3, 0.7), id="never judged, a violation"),
        pytest.param(way(reason="a gap"), None, False, (0.3, 0.7), id="never judged, none"),
    ],
)
def test_what_one_decision_does(
    route: Route, probability: float | None, violation: bool, expected: tuple[float, float]
) -> None:
    after = teach(begun(), route, probability, violation)
    assert (after.auto_pass.value, after.auto_flag.value) == pytest.approx(expected)
    assert after.applied == 1


def test_from_inside_the_bounds_what_people_catch_moves_back() -> None:
    state = teach(begun(), way(PASS, audit=True), 0.1, True)
    after = teach(state, way(), 0.5, True)
    step = 0.02 / 20 * 0.05 * 0.3  # an item that was sent counts 1, an audited one 20
    assert after.auto_pass.value - state.auto_pass.value == pytest.approx(step)


@pytest.mark.parametrize("violation", [True, False])
def test_what_nobody_drew_teaches_nothing(violation: bool) -> None:
    assert learnt.taught(begun(), way(PASS), 0.1, violation) is None
    assert learnt.taught(begun(), way(FLAG), 0.9, violation) is None


Outcomes = st.lists(
    st.tuples(
        st.sampled_from([way(), way(reason="x"), way(PASS, audit=True), way(FLAG, audit=True)]),
        st.floats(0, 1),
        st.booleans(),
    ),
    max_size=60,
)


@given(Outcomes)
def test_no_decision_makes_anything_bolder_than_certified(outcomes: list) -> None:
    state = begun()
    for route, probability, violation in outcomes:
        state = teach(state, route, probability, violation)
        found = learnt.in_force(state).on(CUT)
        assert 0.0 <= found.pass_below <= CUT.pass_below
        assert CUT.flag_from <= found.flag_from <= 1.0
        assert replace(found, pass_below=0.3, flag_from=0.7) == CUT
    again = OnlineThresholds.from_json(state.to_json())
    assert again == state


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_a_state_that_was_tampered_with_is_still_not_bolder(low: float, high: float) -> None:
    found = Learnt(low, high, 1).on(CUT)
    assert found.pass_below <= CUT.pass_below and found.flag_from >= CUT.flag_from


def test_only_the_safe_end_is_an_alarm() -> None:
    state = begun()
    after, hits = state.apply(learnt.taught(state, way(), 0.5, True))  # type: ignore[arg-type]
    assert hits == ("auto_pass",) and learnt.spent(after, hits) == ()
    told: list[str] = []
    for _ in range(80):
        outcome = learnt.taught(after, way(PASS, audit=True), 0.0, True)
        assert outcome is not None
        after, hits = after.apply(outcome)
        told += learnt.spent(after, hits)
    assert set(told) == {"auto_pass"} and after.auto_pass.value < 0.02


def test_it_settles_where_the_traffic_meets_its_target() -> None:
    """Violations of a drifted world pass twice as often as certified; learning brings it back."""
    rng, state = np.random.default_rng(3), begun(MISS)
    found = []
    for p in rng.beta(2, 7, 40_000):  # violations; P(p < 0.3) is far above the target of 0.05
        passed = p < state.auto_pass.value
        if passed and rng.random() >= 0.05:
            continue
        state = teach(state, way(PASS, audit=True) if passed else way(), float(p), True)
        found.append(state.auto_pass.value)
    settled = float(np.mean(found[len(found) // 2 :]))
    everyone = rng.beta(2, 7, 200_000)
    assert np.mean(everyone < 0.3) > 0.6
    assert np.mean(everyone < settled) == pytest.approx(0.05, abs=0.02)


SETTINGS = EntropyRouting(0.9, 0.8)
LEARNT = Learnt(0.1, 0.9, 12)


def routed(probability: float, state: Learnt | None) -> Route:
    routing = PublishedRouting(made(), SETTINGS, state)
    seen = Seen(probability)
    demand = routing.demand(seen)
    return routing.after_prefilter(seen, demand, routing.reserve({}, seen, demand)[1]).route


@pytest.mark.parametrize(
    ("probability", "before", "after"),
    [
        pytest.param(0.05, PASS, PASS, id="still sure"),
        pytest.param(0.2, PASS, HUMAN, id="no longer passed"),
        pytest.param(0.8, FLAG, HUMAN, id="no longer flagged"),
        pytest.param(0.95, FLAG, FLAG, id="still flagged"),
        pytest.param(0.5, MLLM, MLLM, id="due as before"),
    ],
)
def test_the_next_video_is_routed_with_what_was_learnt(
    probability: float, before: RouteName, after: RouteName
) -> None:
    old, new = routed(probability, None), routed(probability, LEARNT)
    assert (old.name, new.name) == (before, after)
    assert (new.version, new.threshold, new.score) == (old.version, old.threshold, old.score)
    if after is not MLLM:
        assert new.reason.endswith("learnt online, step 12: pass below 0.1, flag from 0.9")
        assert "learnt" not in old.reason


def test_after_the_mllm_too() -> None:
    first, second = Seen(0.5), Seen(0.2)
    for state, name in ((None, PASS), (LEARNT, HUMAN)):
        routing = PublishedRouting(made(), SETTINGS, state)
        before = routed(0.5, state)
        found = routing.after_mllm(first, second, before).route
        assert found.name is name and found.version == made().version
        assert (BETWEEN in found.reason) == (name is HUMAN)


def test_what_has_not_moved_is_not_mentioned() -> None:
    assert "learnt" not in routed(0.05, Learnt(0.3, 0.7, 400)).reason
