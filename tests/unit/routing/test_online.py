"""Thresholds that learn from decisions inside certified bounds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from coefvq.errors import RoutingError
from coefvq.routing.online import (
    AUTO_FLAG,
    AUTO_PASS,
    ESCALATION,
    CertifiedBounds,
    LabelledOutcome,
    LearningTargets,
    LearntThreshold,
    OnlineThresholds,
)

VIOLATIONS, OTHERS = beta(3, 2), beta(1.5, 6)


def thresholds(
    auto_pass=(0.2, 0.05, 0.6), auto_flag=(0.7, 0.6, 0.95), escalation=(0.5, 0.0, 1.0), **targets
):
    """Each threshold as (value, low, high)."""
    parts = [
        LearntThreshold(value, CertifiedBounds(low, high))
        for value, low, high in (auto_pass, auto_flag, escalation)
    ]
    aims = {"miss_rate": 0.1, "false_removal_rate": 0.05, "weight_cap": 10.0, **targets}
    return OnlineThresholds(*parts, LearningTargets(**aims))


def learn(state, outcomes):
    hits = []
    for outcome in outcomes:
        state, hit = state.apply(outcome)
        hits += hit
    return state, hits


def selective_stream(state, audit, weighted, items=60_000, seed=0):
    """All unsure items are reviewed, automatic ones with probability ``audit``.

    Returns the mean of (auto_pass, auto_flag) over the last third.
    """
    rng = np.random.default_rng(seed)
    violation = rng.random(items) < 0.5
    scores = np.where(violation, rng.beta(3, 2, items), rng.beta(1.5, 6, items))
    drawn, path = rng.random(items), []
    for p, y, u in zip(scores, violation, drawn, strict=True):
        unsure = state.auto_pass.value <= p < state.auto_flag.value
        propensity = 1.0 if unsure else audit
        if u < propensity:
            seen = LabelledOutcome(float(p), bool(y), propensity if weighted else 1.0)
            state, _ = state.apply(seen)
        path.append((state.auto_pass.value, state.auto_flag.value))
    return np.mean(path[items * 2 // 3 :], axis=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_weighted_steps_find_the_miss_rate_and_unweighted_ones_do_not(seed):
    start = thresholds(step_size=0.02)
    weighted, _ = selective_stream(start, 0.1, weighted=True, seed=seed)
    plain = replace(start, targets=replace(start.targets, step_size=0.01, weight_cap=1.0))
    unweighted, _ = selective_stream(plain, 0.1, weighted=False, seed=seed)
    assert VIOLATIONS.cdf(weighted) == pytest.approx(0.10, abs=0.025)
    assert VIOLATIONS.cdf(unweighted) > 0.25  # rests at 0.28


@pytest.mark.parametrize("seed", [0, 1])
def test_weighted_steps_find_the_false_removal_rate_and_unweighted_ones_do_not(seed):
    start = thresholds(auto_pass=(0.1, 0.1, 0.1), auto_flag=(0.6, 0.2, 0.95), step_size=0.02)
    _, weighted = selective_stream(start, 0.1, weighted=True, seed=seed)
    plain = replace(start, targets=replace(start.targets, step_size=0.01, weight_cap=1.0))
    _, unweighted = selective_stream(plain, 0.1, weighted=False, seed=seed)
    assert OTHERS.sf(weighted) == pytest.approx(0.05, abs=0.015)
    assert OTHERS.sf(unweighted) > 0.15


@pytest.mark.parametrize("start", [0.1, 0.9])
def test_escalation_rests_where_a_call_is_worth_its_cost(start):
    rng = np.random.default_rng(2)
    scores = rng.random(20_000)
    gains = np.clip(scores - 0.3 + rng.normal(0, 0.1, scores.size), -1, 1)
    state = thresholds(escalation=(start, 0.0, 1.0), call_cost=0.2, weight_cap=1.0)
    state, _ = learn(
        state,
        (
            LabelledOutcome(0.3, False, 1.0, float(s), float(g))
            for s, g in zip(scores, gains, strict=True)
        ),
    )
    assert state.escalation.value == pytest.approx(0.5, abs=0.05)


def test_gains_have_a_propensity_of_their_own():
    rare = LabelledOutcome(0.3, False, 1.0, 0.5, 0.8, gain_propensity=0.1)
    often = LabelledOutcome(0.3, False, 1.0, 0.5, 0.8, gain_propensity=1.0)
    moves = [0.5 - thresholds().apply(o)[0].escalation.value for o in (rare, often)]
    assert moves[0] == pytest.approx(10 * moves[1])


outcomes = st.builds(
    LabelledOutcome,
    probability=st.floats(0, 1),
    violation=st.booleans(),
    propensity=st.floats(0.001, 1),
    rule_score=st.none() | st.floats(-1e300, 1e300),
    gain=st.none() | st.floats(-1, 1),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(outcomes, max_size=60), st.floats(0.001, 1), st.floats(1, 1000))
def test_thresholds_never_leave_their_bounds(stream, step_size, cap):
    state = thresholds(step_size=step_size, weight_cap=cap)
    for outcome in stream:
        before, (state, hits) = state, state.apply(outcome)
        for name in (AUTO_PASS, AUTO_FLAG, ESCALATION):
            old, new = getattr(before, name), getattr(state, name)
            assert new.bounds.low <= new.value <= new.bounds.high
            assert abs(new.value - old.value) <= step_size * new.bounds.width + 1e-12
            assert new.hits - old.hits == hits.count(name)
            assert name not in hits or new.value in (new.bounds.low, new.bounds.high)
        assert state.auto_pass.value <= state.auto_flag.value
    assert state.applied == len(stream)


@settings(max_examples=40, deadline=None)
@given(st.lists(outcomes, max_size=30))
def test_replay_gives_the_same_state_also_through_the_database(stream):
    once, hits = learn(thresholds(), stream)
    state, again = thresholds(), []
    for outcome in stream:
        state = OnlineThresholds.from_json(json.loads(json.dumps(state.to_json())))
        state, hit = state.apply(outcome)
        again += hit
    assert (state, again) == (once, hits)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        pytest.param(AUTO_PASS, LabelledOutcome(0.01, True, 0.1), id="misses-push-pass-down"),
        pytest.param(AUTO_FLAG, LabelledOutcome(0.99, False, 0.1), id="removals-push-flag-up"),
        pytest.param(
            ESCALATION, LabelledOutcome(0.5, True, 0.1, 0.5, -1.0), id="losses-push-escalation-up"
        ),
    ],
)
def test_a_bound_that_is_hit_is_reported(name, outcome):
    near = {
        AUTO_PASS: {"auto_pass": (0.0501, 0.05, 0.6)},
        AUTO_FLAG: {"auto_flag": (0.9499, 0.6, 0.95)},
        ESCALATION: {"escalation": (0.5, 0.0, 0.5001)},
    }[name]
    state, hits = thresholds(**near).apply(outcome)
    assert hits == (name,)
    assert getattr(state, name).hits == 1


@pytest.mark.parametrize(
    ("outcome", "moved"),
    [
        pytest.param(LabelledOutcome(0.5, True), {AUTO_PASS}, id="violation"),
        pytest.param(LabelledOutcome(0.5, False), {AUTO_FLAG}, id="ok"),
        pytest.param(LabelledOutcome(0.5, True, 1, 0.5, 0.5), {AUTO_PASS, ESCALATION}, id="gain"),
        pytest.param(LabelledOutcome(0.5, True, 1, None, 0.5), {AUTO_PASS}, id="no-score"),
    ],
)
def test_which_thresholds_an_outcome_speaks_to(outcome, moved):
    state, _ = thresholds().apply(outcome)
    names = (AUTO_PASS, AUTO_FLAG, ESCALATION)
    assert {n for n in names if getattr(state, n).updates} == moved


@pytest.mark.parametrize(
    ("outcome", "name", "sign"),
    [
        pytest.param(LabelledOutcome(0.1, True), AUTO_PASS, -1, id="missed-violation"),
        pytest.param(LabelledOutcome(0.3, True), AUTO_PASS, 1, id="caught-violation"),
        pytest.param(LabelledOutcome(0.9, False), AUTO_FLAG, 1, id="false-removal"),
        pytest.param(LabelledOutcome(0.1, False), AUTO_FLAG, -1, id="rightly-left"),
        pytest.param(LabelledOutcome(0.5, True, 1, 0.5, 0.9), ESCALATION, -1, id="call-helped"),
        pytest.param(LabelledOutcome(0.5, True, 1, 0.5, -0.9), ESCALATION, 1, id="call-hurt"),
    ],
)
def test_direction_of_a_step(outcome, name, sign):
    before = thresholds()
    after, _ = before.apply(outcome)
    assert np.sign(getattr(after, name).value - getattr(before, name).value) == sign


def test_weights_are_capped_and_counted():
    rare, at_cap = LabelledOutcome(0.1, True, 0.001), LabelledOutcome(0.1, True, 0.1)
    one, _ = thresholds().apply(rare)
    other, _ = thresholds().apply(at_cap)
    assert one.auto_pass.value == other.auto_pass.value
    assert (one.capped, other.capped) == (1, 0)


def test_a_fixed_threshold_stays_and_raises_no_alarm():
    state = thresholds(auto_pass=(0.3, 0.3, 0.3))
    state, hits = learn(state, [LabelledOutcome(0.1, True, 0.1)] * 50)
    assert state.auto_pass.value == 0.3
    assert hits == []


@pytest.mark.parametrize(
    "options",
    [
        {"auto_pass": (0.7, 0.05, 0.6)},
        {"auto_pass": (0.2, 0.05, 0.7)},
        {"auto_pass": (0.2, 0.6, 0.05)},
        {"escalation": (0.2, 0.1, float("inf"))},
        {"miss_rate": 1.2},
        {"false_removal_rate": float("nan")},
        {"step_size": 0.0},
        {"weight_cap": 0.5},
        {"call_cost": -0.1},
    ],
    ids=str,
)
def test_bad_states_are_refused(options):
    with pytest.raises(RoutingError):
        thresholds(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"probability": 1.2},
        {"probability": float("nan")},
        {"propensity": 0.0},
        {"propensity": float("nan")},
        {"gain": 1.5},
        {"gain_propensity": 0.0},
        {"rule_score": float("nan")},
    ],
    ids=str,
)
def test_bad_outcomes_are_refused(options):
    with pytest.raises(RoutingError):
        LabelledOutcome(**{"probability": 0.5, "violation": True, **options})


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: raw.pop("targets"), id="no-targets"),
        pytest.param(lambda raw: raw.update(extra=1), id="unknown-field"),
        pytest.param(lambda raw: raw["targets"].pop("miss_rate"), id="half-targets"),
        pytest.param(lambda raw: raw["auto_pass"].pop("bounds"), id="no-bounds"),
        pytest.param(lambda raw: raw["auto_pass"].update(value=0.9), id="outside-bounds"),
    ],
)
def test_damaged_states_are_refused(damage):
    raw = json.loads(json.dumps(thresholds().to_json()))
    damage(raw)
    with pytest.raises(RoutingError):
        OnlineThresholds.from_json(raw)
