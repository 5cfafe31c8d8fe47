"""Escalation rules: what each puts first, and that JSON brings the same scores back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coefvq.routing.regress import PolynomialRidge
from coefvq.routing.scores import (
    TOUCHING,
    BayesRisk,
    Entropy,
    EscalationScore,
    Gain,
    Known,
    Margin,
    Similar,
    entropy_bits,
    score_from_json,
)

PROBABILITIES = hnp.arrays(float, st.integers(2, 30), elements=st.floats(1e-4, 1 - 1e-4))


def _known(p: object, base: object = None, forecast: object = None) -> Known:
    p1 = np.asarray(p, dtype=float)
    inputs = np.stack([p1, np.linspace(-1, 1, len(p1))], axis=1)
    given_forecast = None if forecast is None else np.asarray(forecast, dtype=float)
    return Known(p1, p1 if base is None else np.asarray(base, dtype=float), inputs, given_forecast)


@given(PROBABILITIES)
def test_entropy_margin_and_equal_costs_order_items_alike(p: np.ndarray) -> None:
    known = _known(p)
    found = [rule(known) for rule in (Entropy(), Margin(), BayesRisk(1.0, 1.0))]
    away = np.abs(p - 0.5)
    for one, other in [(0, 1), (1, 0), (2, 1)]:
        order = np.argsort(found[one], kind="stable")
        assert (np.diff(found[other][order]) >= -1e-9).all()
        assert (np.diff(away[order]) <= 1e-7).all()


@pytest.mark.parametrize(("p", "bits"), [(0.5, 1.0), (0.25, 0.811278), (0.0, 0.0), (1.0, 0.0)])
def test_entropy_in_bits(p: float, bits: float) -> None:
    assert float(entropy_bits(p)) == pytest.approx(bits, abs=1e-6)


def test_the_margin_is_one_at_a_half() -> None:
    assert Margin()(_known([0.5, 0.1, 1.0])) == pytest.approx([1.0, 0.2, 0.0])


def test_a_dear_miss_moves_the_riskiest_item_to_the_cut() -> None:
    """With costs 10 to 1 nothing is as doubtful as 1/11, and 0.3 beats 0.7."""
    score = BayesRisk(10.0, 1.0)
    p = np.linspace(0.001, 0.999, 999)
    assert p[score(_known(p)).argmax()] == pytest.approx(1 / 11, abs=2e-3)
    low, high = score(_known([0.3, 0.7]))
    assert low == pytest.approx(0.7) and high == pytest.approx(0.3)
    assert np.ptp(Entropy()(_known([0.3, 0.7]))) == pytest.approx(0)


@given(PROBABILITIES, st.floats(0.1, 100), st.floats(0.1, 100))
def test_bayes_risk_is_what_the_better_answer_costs(
    p: np.ndarray, miss: float, alarm: float
) -> None:
    passed, flagged = miss * p, alarm * (1 - p)
    assert BayesRisk(miss, alarm)(_known(p)) == pytest.approx(np.minimum(passed, flagged))


def test_a_ranking_takes_the_likeliest_first() -> None:
    p = [0.2, 0.9, 0.5]
    assert BayesRisk(1.0, 1.0, ranking=True)(_known(p)).tolist() == p


def test_a_forecast_stands_in_for_the_prefilter() -> None:
    rule = BayesRisk(1.0, 1.0, forecast=True)
    assert rule(_known([0.5, 0.1], forecast=[0.1, 0.4])) == pytest.approx([0.1, 0.4])
    assert rule(_known([0.5, 0.1])) == pytest.approx([0.5, 0.1])


def _gain(cut: float = 0.4) -> Gain:
    passed = PolynomialRidge(((0,),), (1.0, 0.0))
    return Gain(cut, passed, PolynomialRidge(((1,),), (2.0, 10.0)))


def test_gain_asks_the_regressor_of_the_answer_that_stands() -> None:
    known = _known([0.1, 0.2, 0.3], base=[0.39, 0.4, 0.9])
    assert _gain()(known) == pytest.approx([0.1, 10.0, 12.0])


def _similar(neighbours: int = 2) -> Similar:
    bank = np.array([[0.0], [1.0], [5.0]])
    ordinary = np.array([[7.0], [8.0], [9.0]])
    return Similar(bank, ordinary, neighbours, np.linspace(-2, 2, 5), np.linspace(0, 1, 5))


@pytest.mark.parametrize(
    ("neighbours", "near", "far"), [(1, 1.0, 5.0), (2, 1.5, 5.5), (3, 2.0, 6.0)], ids=str
)
def test_similar_sets_the_nearest_of_both_kinds_against_each_other(
    neighbours: int, near: float, far: float
) -> None:
    expected = np.log((far + TOUCHING) / (near + TOUCHING))
    assert _similar(neighbours).like(np.array([[2.0]]))[0] == pytest.approx(expected)


def test_similar_takes_the_larger_of_likeness_and_doubt() -> None:
    sure, unsure = 1e-4, 0.5
    known = Known(
        np.array([sure, sure, unsure]), np.zeros(3), np.array([[0, 0.5], [0, 8.5], [0, 8.5]])
    )
    near, far, doubtful = _similar()(known)
    assert far < 0.1 < 0.9 < near
    assert doubtful == 1.0


RULES: dict[str, EscalationScore] = {
    "entropy": Entropy(),
    "margin": Margin(),
    "costs": BayesRisk(10.0, 1.0),
    "ranking by forecast": BayesRisk(1.0, 2.0, ranking=True, forecast=True),
    "gain": _gain(),
    "similar": _similar(),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_json_brings_the_same_scores_back(rule: EscalationScore) -> None:
    again = score_from_json(json.loads(json.dumps(rule.to_json())))
    p = np.random.default_rng(0).uniform(0, 1, 50)
    known = _known(p, forecast=p**2)
    np.testing.assert_array_equal(again(known), rule(known))
    assert type(again) is type(rule)
    assert again.to_json() == rule.to_json()


def test_a_rule_of_another_version_is_not_taken_for_entropy() -> None:
    with pytest.raises(KeyError):
        score_from_json({"kind": "magic"})


def test_what_is_equal_shares_its_rank() -> None:
    """A prefilter that says the same of all must not drown the neighbours."""
    banks = np.array([[0.0]]), np.array([[50.0]])
    score = Similar(*banks, 1, np.linspace(-2, 2, 5), np.full(5, 0.3))
    p1 = np.full(2, 0.0532)
    known = Known(p1, p1, np.array([[0, 0.1], [0, 99.0]]))
    near, far = score(known)
    assert near > 0.9 > far
