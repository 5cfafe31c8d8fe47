"""Budgets, the quantile tracker, batch selection and limits per uploader."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.domain import RouteName
from coefvq.errors import RoutingError
from coefvq.routing.budget import Budget, batch_select, unit_hash
from coefvq.routing.limits import LimitAction, LimitState, UploaderLimits
from coefvq.routing.tracker import QuantileTracker

FITTED = np.random.default_rng(11).normal(size=2000)


def follow(tracker, scores, **each):
    """Run a tracker over scores: the state after it and one ``Escalation`` an item."""
    answers = []
    for i, score in enumerate(scores):
        tracker, answer = tracker.step(score, **{name: v[i] for name, v in each.items()})
        answers.append(answer)
    return tracker, answers


def calls(answers):
    return np.array([a.call for a in answers])


def window_shares(called, length=2000, burn_in=1000):
    """Share of calls in every window of ``length`` items after the burn-in."""
    total = np.concatenate([[0], np.cumsum(called)])
    return (total[burn_in + length :] - total[burn_in:-length]) / length


# Budget


@pytest.mark.parametrize(
    ("cost", "prefilter", "mllm", "share"),
    [
        pytest.param(1.5, 0.0005, 0.01, 0.1, id="fits"),
        pytest.param(0.5, 0.0005, 0.01, 0.0, id="prefilter-only"),
        pytest.param(50.0, 0.0005, 0.01, 1.0, id="more-than-everything"),
        pytest.param(300.0, 0.0, 1.0, 0.3, id="free-prefilter"),
    ],
)
def test_share_from_cost(cost, prefilter, mllm, share):
    budget = Budget.from_cost_per_thousand(cost, prefilter, mllm)
    assert budget.share == pytest.approx(share)
    assert budget.cost_per_thousand(prefilter, mllm) <= cost + 1e-9


@pytest.mark.parametrize(
    ("audit", "least"),
    [pytest.param(0.0, "0.5 per", id="prefilter"), pytest.param(0.02, "0.7 per", id="with-audits")],
)
def test_cost_below_the_least_names_it(audit, least):
    with pytest.raises(RoutingError, match=least):
        Budget.from_cost_per_thousand(0.4, 0.0005, 0.01, audit)


def test_the_least_cost_that_was_named_is_accepted():
    assert Budget.from_cost_per_thousand(0.7, 0.0005, 0.01, 0.02).routable_share == 0.0


def test_budget_below_the_audit_share_names_the_nearest():
    with pytest.raises(RoutingError, match=r"least that can be met is 0\.02"):
        Budget(0.01, audit_share=0.02)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_budget_outside_the_range_is_refused(share):
    with pytest.raises(RoutingError, match=r"0\.\.1"):
        Budget(share)


@pytest.mark.parametrize(
    "prices", [(1.0, 0.1, 0.0), (1.0, -0.1, 1.0), (float("nan"), 0.1, 1.0)], ids=str
)
def test_impossible_prices_are_refused(prices):
    with pytest.raises(RoutingError, match="costs must be"):
        Budget.from_cost_per_thousand(*prices)


@pytest.mark.parametrize(
    ("share", "videos", "expected"),
    [(0.29, 100, 29), (0.3, 10, 3), (0.3, 9, 2), (0.0, 50, 0), (1.0, 7, 7), (0.999, 1, 0)],
)
def test_calls_are_rounded_down(share, videos, expected):
    assert Budget(share).calls(videos) == expected


def test_budget_round_trip_and_refusal():
    budget = Budget(0.3, 0.02)
    assert Budget.from_json(json.loads(json.dumps(budget.to_json()))) == budget
    assert budget.routable_share == pytest.approx(0.28)
    with pytest.raises(RoutingError, match="no saved Budget"):
        Budget.from_json({"shares": 0.3})


# QuantileTracker


def drifting(kind, rng, items=9000):
    """Scores whose distribution changes half-way."""
    half = items // 2
    late = np.arange(items) >= half
    positive = rng.random(items) < np.where(late & (kind == "doubled_positives"), 0.3, 0.15)
    scores = rng.normal(size=items) + 2.0 * positive
    if kind == "up":
        scores[half:] += 1.5
    if kind == "down":
        scores[half:] -= 1.5
    if kind == "collapse":
        scores[half:] = 3.0
    if kind == "adversarial_burst":
        attack = late & (np.arange(items) < half + 1500) & (rng.random(items) < 0.6)
        scores[attack] = 5.0
    return scores


@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize(
    "kind", ["none", "up", "down", "collapse", "doubled_positives", "adversarial_burst"]
)
def test_share_holds_in_every_window_under_drift(kind, share):
    rng = np.random.default_rng(5)
    fitted = rng.normal(size=2000) + 2.0 * (rng.random(2000) < 0.15)
    scores = drifting(kind, rng)
    _, answers = follow(QuantileTracker.from_scores(fitted, share), scores)
    assert np.abs(window_shares(calls(answers)) - share).max() <= 0.01
    if kind != "none":
        fixed = window_shares(scores >= np.quantile(fitted, 1 - share))
        assert np.abs(fixed - share).max() > 0.03


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), max_size=120),
    st.integers(1, 8),
)
def test_no_run_of_items_exceeds_share_plus_burst(share, items, burst):
    tracker = QuantileTracker.from_scores(FITTED, share, size=16, burst=burst)
    after, answers = follow(tracker, [s for s, _ in items], forced=[f for _, f in items])
    total = np.concatenate([[0], np.cumsum(calls(answers))])
    for start in range(len(total)):
        length = np.arange(len(total) - start)
        assert (total[start:] - total[start] <= share * length + burst + 1e-6).all()
    assert after.calls == total[-1]
    assert after.shed == sum(a.shed for a in answers)


def test_a_quiet_spell_saves_no_more_than_the_burst():
    tracker = QuantileTracker.from_scores(FITTED, 0.2, burst=5)
    quiet, _ = follow(tracker, np.full(20, -100.0))
    assert quiet.tokens == 5
    _, answers = follow(quiet, [None] * 100, forced=[True] * 100)
    assert calls(answers).sum() <= 5 + 0.2 * 100


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_the_threshold_starts_where_the_fitted_scores_put_it(share):
    _, answer = QuantileTracker.from_scores(FITTED, share).step(0.0)
    assert (answer.threshold <= FITTED).mean() == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize(
    ("share", "expected"), [pytest.param(0.0, 0.0, id="none"), pytest.param(1.0, 1.0, id="all")]
)
def test_budgets_of_nothing_and_everything(share, expected):
    rng = np.random.default_rng(1)
    tracker = QuantileTracker.from_scores(FITTED, share)
    _, answers = follow(tracker, rng.normal(size=800))
    assert np.mean([a.due for a in answers]) == expected
    assert not any(a.shed for a in answers)


def test_constant_scores_still_get_the_share():
    tracker = QuantileTracker.from_scores(np.full(10, 0.5), 0.2)
    _, answers = follow(tracker, np.full(3000, 0.5))
    assert calls(answers).mean() == pytest.approx(0.2, abs=0.01)


def test_escalated_items_score_almost_as_high_as_the_best_choice():
    scores = np.random.default_rng(3).normal(size=6000)
    _, answers = follow(QuantileTracker.from_scores(FITTED, 0.2), scores)
    called = calls(answers)
    best = np.sort(scores)[-called.sum() :].mean()
    assert scores[called].mean() > 0.95 * best


def test_any_increasing_scale_gives_the_same_answers():
    scores = np.random.default_rng(4).normal(size=600)
    window = tuple(FITTED[:256])
    tracker = QuantileTracker(0.3, window, 0.7, 20.0)
    other = QuantileTracker(0.3, tuple(np.exp(window)), 0.7, 20.0)
    assert [a.due for a in follow(tracker, scores)[1]] == [
        a.due for a in follow(other, np.exp(scores))[1]
    ]


def test_forced_gaps_count_in_the_budget():
    rng = np.random.default_rng(6)
    forced = rng.random(6000) < 0.1
    scores = [None if f else s for f, s in zip(forced, rng.normal(size=6000), strict=True)]
    _, answers = follow(QuantileTracker.from_scores(FITTED, 0.2), scores, forced=forced)
    called = calls(answers)
    assert called.mean() == pytest.approx(0.2, abs=0.01)
    assert called[forced].mean() > 0.99
    assert called[~forced].mean() == pytest.approx(0.1 / 0.9, abs=0.015)


def test_more_gaps_than_budget_are_shed_and_marked():
    tracker, answers = follow(
        QuantileTracker.from_scores(FITTED, 0.1), [None] * 1000, forced=[True] * 1000
    )
    assert calls(answers).sum() <= 0.1 * 1000 + tracker.burst
    assert all(a.due and (a.call != a.shed) for a in answers)
    assert -0.03 <= tracker.level <= 1.03


def test_after_a_flood_of_gaps_the_threshold_comes_back():
    tracker, _ = follow(
        QuantileTracker.from_scores(FITTED, 0.3), [None] * 3000, forced=[True] * 3000
    )
    _, answers = follow(tracker, np.random.default_rng(0).normal(size=2500))
    assert calls(answers)[500:].mean() == pytest.approx(0.3, abs=0.02)


def test_shedding_spares_the_severe():
    rng = np.random.default_rng(7)
    severity = rng.choice([1, 5], size=3000)
    forced = rng.random(3000) < 0.4  # twice the budget
    _, answers = follow(
        QuantileTracker.from_scores(FITTED, 0.2),
        rng.normal(size=3000),
        forced=forced,
        severity=[int(s) for s in severity],
    )
    shed = {
        s: np.mean([a.shed for a in np.array(answers)[forced & (severity == s)]]) for s in (1, 5)
    }
    assert shed[1] > 0.8
    assert shed[5] < 0.2


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        pytest.param(None, {}, "no number", id="none-not-forced"),
        pytest.param(float("nan"), {}, "no number", id="nan"),
        pytest.param(float("inf"), {}, "no number", id="infinite"),
        pytest.param(0.1, {"severity": 6}, "severity", id="severity"),
    ],
)
def test_bad_steps_are_refused(score, options, message):
    with pytest.raises(RoutingError, match=message):
        QuantileTracker.from_scores(FITTED, 0.5).step(score, **options)


@pytest.mark.parametrize(
    ("scores", "share", "options"),
    [
        pytest.param([], 0.3, {}, id="no-scores"),
        pytest.param([1.0, float("nan")], 0.3, {}, id="nan"),
        pytest.param([1.0], 1.3, {}, id="share"),
        pytest.param([1.0], 0.3, {"burst": 0.5}, id="burst"),
        pytest.param([1.0], 0.3, {"step_size": 0.0}, id="step"),
        pytest.param([1.0], 0.3, {"size": 0}, id="size"),
    ],
)
def test_bad_trackers_are_refused(scores, share, options):
    with pytest.raises(RoutingError):
        QuantileTracker.from_scores(scores, share, **options)


def test_tracker_survives_the_database_and_repeats_itself():
    scores = np.random.default_rng(8).normal(size=400)
    keys = [f"video-{i}" for i in range(400)]
    start = QuantileTracker.from_scores(FITTED, 0.3, size=32)
    straight, answers = follow(start, scores, key=keys)
    half, first = follow(start, scores[:200], key=keys[:200])
    reread = QuantileTracker.from_json(json.loads(json.dumps(half.to_json())))
    assert reread == half
    again, second = follow(reread, scores[200:], key=keys[200:])
    assert again == straight
    assert first + second == answers


def test_frozen_window_keeps_the_fitted_scores():
    start = QuantileTracker.from_scores(FITTED, 0.3, size=32, rolling=False)
    after, _ = follow(start, np.full(100, 9.0))
    assert after.window == start.window


@pytest.mark.parametrize(
    "damage",
    [{"window": []}, {"tokens": 21.0}, {"level": float("nan")}, {"surplus": 1}, {"share": "much"}],
    ids=lambda d: next(iter(d)),
)
def test_damaged_tracker_is_refused(damage):
    raw = QuantileTracker.from_scores(FITTED, 0.3).to_json()
    with pytest.raises(RoutingError):
        QuantileTracker.from_json({**raw, **damage})
    with pytest.raises(RoutingError):
        QuantileTracker.from_json({"share": 0.3})


# batch_select


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=60),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_batch_ignores_the_order_and_holds_the_budget(rows, share, random):
    keys = np.array([f"k{i}" for i in range(len(rows))], dtype=str)
    order = list(range(len(rows)))
    random.shuffle(order)
    table = np.array(rows, dtype=float).reshape(len(rows), 3)

    def select(index):
        scores, forced, keep = table[index].T
        return batch_select(scores, share, forced > 0, keep > 0, keys=keys[index])

    chosen = select(np.arange(len(rows)))
    assert chosen.sum() <= Budget(share).calls(len(rows))
    assert not (chosen & (table[:, 2] == 0)).any()
    shuffled = select(np.array(order, dtype=int))
    assert (shuffled == chosen[np.array(order, dtype=int)]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_budget_never_drops_anyone(scores, one, other):
    keys = np.arange(len(scores))
    small, large = (
        batch_select(np.array(scores, float), s, keys=keys) for s in sorted((one, other))
    )
    assert not (small & ~large).any()


def test_batch_takes_exactly_the_highest():
    scores = np.random.default_rng(0).normal(size=1001)
    chosen = batch_select(scores, 0.3)
    assert chosen.sum() == 300
    assert scores[chosen].min() > scores[~chosen].max()


def test_threshold_may_leave_budget_unused():
    chosen = batch_select([0.1, 0.5, 0.9, 0.7], 1.0, threshold=0.7)
    assert chosen.tolist() == [False, False, True, True]


def test_forced_go_first_and_within_the_budget():
    keys = np.arange(10)
    forced = np.arange(10) < 5
    assert batch_select(np.arange(10.0), 0.6, forced, keys=keys).tolist() == [True] * 5 + [
        False
    ] * 4 + [True]
    few = batch_select(np.arange(10.0), 0.3, forced, keys=keys)
    assert few.sum() == 3
    assert not few[5:].any()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [pytest.param(None, 0, id="no-key-no-choice"), pytest.param(np.arange(10), 3, id="keys")],
)
def test_ties_at_the_cut(keys, expected):
    assert batch_select(np.zeros(10), 0.3, keys=keys).sum() == expected


def test_ties_are_spread_evenly_and_integers_equal_their_text():
    keys = np.arange(20_000)
    chosen = batch_select(np.zeros(keys.size), 0.25, keys=keys)
    assert chosen.sum() == 5000
    assert chosen[:10_000].mean() == pytest.approx(0.25, abs=0.02)
    assert (chosen == batch_select(np.zeros(keys.size), 0.25, keys=keys.astype(str))).all()


def test_scores_that_are_no_numbers_are_never_due():
    chosen = batch_select([np.nan, 0.2, -np.inf, np.inf], 1.0)
    assert chosen.tolist() == [False, True, True, True]


def test_a_gap_without_a_score_can_be_forced():
    assert batch_select([np.nan, 0.2], 0.5, [True, False]).tolist() == [True, False]


@pytest.mark.parametrize(
    "options",
    [{"forced": [True]}, {"keep": [True] * 3}, {"keys": ["a"]}, {"budget_share": 1.5}],
    ids=lambda o: next(iter(o)),
)
def test_batches_that_do_not_fit_are_refused(options):
    with pytest.raises(RoutingError):
        batch_select([0.1, 0.2], **{"budget_share": 0.5, **options})


def test_empty_batch():
    assert batch_select([], 0.3).shape == (0,)


def test_unit_hash_is_stable_and_uniform():
    assert unit_hash("video-1") == 0.18914889898681164
    values = [unit_hash(f"v{i}") for i in range(4000)]
    assert min(values) >= 0
    assert max(values) < 1
    assert np.mean(values) == pytest.approx(0.5, abs=0.02)


# UploaderLimits


def ask(limits, times, **options):
    state, answers = None, []
    for now in times:
        state, answer = limits.take(state, now, **options)
        answers.append(answer)
    return state, answers


def test_burst_then_refill():
    limits = UploaderLimits(per_hour=6, burst=3)
    _, answers = ask(limits, [0, 0, 0, 0, 599, 600, 600])
    assert [a.allowed for a in answers] == [True, True, True, False, False, True, False]
    assert answers[3].retry_after_s == pytest.approx(600)
    assert "3 escalations at once and 6 an hour" in answers[3].reason


@pytest.mark.parametrize("over", [LimitAction.HUMAN, LimitAction.KEEP_ROUTE], ids=str)
def test_over_the_limit_goes_where_it_was_told(over):
    _, answers = ask(UploaderLimits(1, 1, over), [0, 0])
    assert [a.action for a in answers] == [LimitAction.ESCALATE, over]


def test_human_is_the_name_of_the_route():
    assert LimitAction.HUMAN.value == RouteName.HUMAN.value


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.1, 100),
    st.integers(1, 10),
    st.lists(st.floats(-100, 5000), min_size=1, max_size=60),
)
def test_limits_hold_whatever_the_clock_does(per_hour, burst, gaps):
    times = np.cumsum(gaps)
    state, answers = ask(UploaderLimits(per_hour, burst), times)
    span = (times.max() - times[0]) / 3600
    assert sum(a.allowed for a in answers) <= burst + per_hour * span + 1e-6
    assert 0 <= state.tokens <= burst


@pytest.mark.parametrize(
    ("factor", "allowed"), [(20.0, 40), (1.0, 2), (None, 100)], ids=["shared", "same", "free"]
)
def test_absent_uploaders_share_a_larger_bucket(factor, allowed):
    limits = UploaderLimits(per_hour=1, burst=2, absent_factor=factor)
    _, answers = ask(limits, [0.0] * 100, absent=True)
    assert sum(a.allowed for a in answers) == allowed
    assert factor is None or "without an uploader" in answers[-1].reason


def test_limit_state_round_trip_and_refusal():
    state = LimitState(1.5, 12.0)
    assert LimitState.from_json(json.loads(json.dumps(state.to_json()))) == state
    with pytest.raises(RoutingError, match="LimitState"):
        LimitState.from_json({"tokens": 1.0})


@pytest.mark.parametrize(
    "options",
    [
        {"per_hour": 0, "burst": 1},
        {"per_hour": 1, "burst": 0},
        {"per_hour": float("nan"), "burst": 1},
        {"per_hour": 1, "burst": 1, "over": LimitAction.ESCALATE},
        {"per_hour": 1, "burst": 1, "absent_factor": 0.5},
        {"per_hour": 1, "burst": 1, "absent_factor": 0.0},
    ],
    ids=str,
)
def test_bad_limits_are_refused(options):
    with pytest.raises(RoutingError):
        UploaderLimits(**options)
