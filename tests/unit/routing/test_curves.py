"""Deferral curves against plain recomputation, and what is read off them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.routing import curves
from coefvq.routing.curves import (
    RATES,
    DeferralCurve,
    apgr,
    cpt,
    deferral_curve,
    mixed_average_precision,
    pgr,
)
from coefvq.routing.metrics import average_precision
from coefvq.routing.objective import Objective

OBJECTIVES = [Objective("f1"), Objective("ap"), Objective("cost", 10, 1)]


def two_stages(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, weak and strong probabilities."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(int)
    weak = 1 / (1 + np.exp(-(2 * labels - 2 + 1.5 * rng.normal(size=n))))
    strong = 1 / (1 + np.exp(-(4 * labels - 2.5 + rng.normal(size=n))))
    return labels, weak, strong


def value(objective: Objective, labels: np.ndarray, p: np.ndarray) -> float:
    """The objective, its cut chosen by the probabilities alone."""
    return objective.value(labels, p, objective.threshold(p))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_the_curve_is_what_recomputation_gives(objective: Objective) -> None:
    labels, weak, strong = two_stages()
    score = np.random.default_rng(1).random(400)
    rates = np.array([0, 0.1, 0.25, 0.5, 1.0])
    curve = deferral_curve(score, weak, strong, labels, objective, rates=rates)
    order = np.argsort(-score)
    for rate, found in zip(rates, curve.quality, strict=True):
        p = weak.copy()
        up = order[: round(rate * 400)]
        p[up] = strong[up]
        assert found == pytest.approx(value(objective, labels, p)), rate


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_the_grid_is_near_the_exact_curve(
    objective: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, weak, strong = two_stages(4000, seed=2)
    score = -np.abs(weak - 0.4)
    exact = deferral_curve(score, weak, strong, labels, objective)
    monkeypatch.setattr(curves, "EXACT_UP_TO", 0)
    coarse = deferral_curve(score, weak, strong, labels, objective)
    # One item falling on the other side of the F1 cut moves F1 by about 1 / 800.
    tolerance = {"f1": 0.004, "ap": 0.001, "cost": 1e-9}[objective.name]
    assert np.abs(exact.quality - coarse.quality).max() <= tolerance


def test_weights_are_rows_counted_more_than_once() -> None:
    labels, weak, strong = two_stages(120)
    weights = np.random.default_rng(3).integers(1, 4, 120)
    again = np.repeat(np.arange(120), weights)
    score = np.random.default_rng(4).random(120)
    goal = Objective("ap")
    plain = deferral_curve(score[again], weak[again], strong[again], labels[again], goal)
    weighted = deferral_curve(score, weak, strong, labels, goal, weights)
    assert weighted.quality == pytest.approx(plain.quality)


def test_equal_scores_go_up_in_equal_shares() -> None:
    """All tied: the cost is a straight line from one stage to the other."""
    labels, weak, strong = two_stages()
    goal = Objective("cost", 5, 1)
    curve = deferral_curve(np.zeros(400), weak, strong, labels, goal)
    straight = np.interp(RATES, [0, 1], [curve.quality[0], curve.quality[-1]])
    assert curve.quality == pytest.approx(straight)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(OBJECTIVES))
def test_order_of_rows_is_immaterial(seed: int, objective: Objective) -> None:
    labels, weak, strong = two_stages(60, seed)
    score = np.round(weak, 1)
    order = np.random.default_rng(seed).permutation(60)
    first = deferral_curve(score, weak, strong, labels, objective)
    second = deferral_curve(score[order], weak[order], strong[order], labels[order], objective)
    assert first.quality == pytest.approx(second.quality, nan_ok=True)


@pytest.mark.parametrize(
    ("labels", "name"),
    [([0, 0, 0], "f1"), ([0, 0, 0], "ap"), ([], "f1"), ([], "cost")],
    ids=["f1 without violation", "ap without violation", "f1 of nothing", "cost of nothing"],
)
def test_what_is_not_defined_is_not_a_number(labels: list[int], name: str) -> None:
    p = np.linspace(0.1, 0.9, len(labels))
    curve = deferral_curve(p, p, p, np.array(labels), Objective.named(name))
    assert len(curve.quality) == len(RATES)
    assert np.isnan(curve.quality).all()


def test_cost_needs_no_violation() -> None:
    p = np.array([0.1, 0.9])
    curve = deferral_curve(p, p, np.array([0.1, 0.2]), np.array([0, 0]), Objective("cost"))
    assert curve.quality[[0, -1]] == pytest.approx([-0.5, 0.0])


def test_cost_where_nothing_or_everything_is_called() -> None:
    low, high = np.array([0.01, 0.02]), np.array([0.98, 0.99])
    curve = deferral_curve(low, low, high, np.array([0, 1]), Objective("cost", 4, 1))
    assert curve.quality[[0, -1]] == pytest.approx([-2.0, -0.5])


@pytest.mark.parametrize(
    ("quality", "weak", "strong", "expected"),
    [
        pytest.param(0.6, 0.5, 0.7, 0.5, id="half"),
        pytest.param(0.8, 0.5, 0.7, 1.5, id="better than the MLLM alone"),
        pytest.param(0.4, 0.5, 0.7, -0.5, id="worse than the prefilter alone"),
        pytest.param(-0.2, -0.3, -0.1, 0.5, id="minus a cost"),
        pytest.param(0.6, 0.7, 0.5, math.nan, id="the MLLM is worse"),
        pytest.param(0.6, 0.5, 0.5, math.nan, id="no gap"),
        pytest.param(0.6, 0.5, 0.5049, math.nan, id="a tiny gap"),
        pytest.param(math.nan, 0.5, 0.7, math.nan, id="undefined quality"),
        pytest.param(0.5, math.nan, 0.7, math.nan, id="undefined stage"),
    ],
)
def test_share_of_the_gap(quality: float, weak: float, strong: float, expected: float) -> None:
    assert pgr(quality, weak, strong) == pytest.approx(expected, nan_ok=True)


STRAIGHT = DeferralCurve(np.array([0, 0.5, 1.0]), np.array([0.5, 0.6, 0.7]))
EARLY = DeferralCurve(np.array([0, 0.25, 0.5, 1.0]), np.array([0.5, 0.7, 0.72, 0.7]))


@pytest.mark.parametrize(
    ("curve", "area", "at_half", "at_95"),
    [
        pytest.param(STRAIGHT, 0.5, 0.5, 0.95, id="a straight line, as chance"),
        pytest.param(EARLY, 0.9125, 0.125, 0.2375, id="early gain"),
    ],
)
def test_area_and_calls_needed(
    curve: DeferralCurve, area: float, at_half: float, at_95: float
) -> None:
    assert apgr(curve, 0.5, 0.7) == pytest.approx(area)
    assert cpt(curve, 0.5, 0.7, 50) == pytest.approx(at_half)
    assert cpt(curve, 0.5, 0.7, 95) == pytest.approx(at_95)


def test_calls_needed_may_be_none_or_never() -> None:
    assert cpt(STRAIGHT, 0.3, 0.5, 80) == 0.0
    assert math.isnan(cpt(STRAIGHT, 0.5, 0.9, 80))
    assert math.isnan(cpt(STRAIGHT, 0.7, 0.5, 50))
    assert math.isnan(apgr(STRAIGHT, 0.7, 0.5))


@pytest.mark.parametrize("chance", [0.0, 1.0], ids=["nobody", "everybody"])
def test_expected_counts_at_the_ends(chance: float) -> None:
    labels, weak, strong = two_stages()
    found = mixed_average_precision(labels, weak, strong, np.full(400, chance), np.ones(400))
    assert found == pytest.approx(average_precision(labels, strong if chance else weak))


def test_expected_counts_are_the_mean_of_draws() -> None:
    labels, weak, strong = two_stages(3000, seed=5)
    rng = np.random.default_rng(6)
    drawn = [
        average_precision(labels, np.where(rng.random(3000) < 0.3, strong, weak)) for _ in range(60)
    ]
    found = mixed_average_precision(labels, weak, strong, np.full(3000, 0.3), np.ones(3000))
    assert found == pytest.approx(np.mean(drawn), abs=0.004)
