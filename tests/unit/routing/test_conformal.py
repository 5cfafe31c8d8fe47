"""Conformal risk control: the rule, its oracle, and what it does not promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.risk_control.methods import get_r_hat_plus
from scipy.stats import norm

from coefvq.errors import RoutingError
from coefvq.routing.certificate import Certificate, conformal_certificate
from coefvq.routing.conformal import conformal, crc_index

PATH = np.linspace(-3.0, 3.0, 121)  # auto-pass below the threshold, from the safest


def _missed(scores: np.ndarray) -> np.ndarray:
    return scores[:, None] < PATH[None, :]


def test_the_rule_by_hand() -> None:
    # n = 9: (0 + 1) / 10, (1 + 1) / 10, (3 + 1) / 10.
    losses = np.zeros((9, 3))
    losses[0, 1:] = 1
    losses[:3, 2] = 1
    found = conformal(losses, 0.2)
    np.testing.assert_allclose(found.adjusted, [0.1, 0.2, 0.4])
    assert (found.index, found.monotone) == (1, True)
    assert crc_index(losses, 0.4) == 2
    assert crc_index(losses, 0.05) is None


def test_adjusted_means_agree_with_mapie() -> None:
    losses = _missed(np.random.default_rng(3).normal(1, 1, 200)).astype(float)
    _, expected = get_r_hat_plus(losses, PATH, "crc", None, None, None)
    np.testing.assert_allclose(conformal(losses, 0.1).adjusted, expected, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_a_laxer_target_goes_at_least_as_far(seed: int, one: float, other: float) -> None:
    losses = _missed(np.random.default_rng(seed).normal(1, 1, 60))
    strict, lax = (crc_index(losses, target) for target in sorted((one, other)))
    assert (-1 if strict is None else strict) <= (-1 if lax is None else lax)


@given(st.permutations(range(25)))
def test_the_order_of_items_does_not_matter(order: list[int]) -> None:
    losses = _missed(np.random.default_rng(5).normal(1, 1, 25))
    assert crc_index(losses[order], 0.2) == crc_index(losses, 0.2)


def test_losses_that_fall_are_replaced_by_their_running_maximum() -> None:
    losses = np.zeros((19, 3))
    losses[0, 1] = 1  # wrong in the middle, right again at the end
    found = conformal(losses, 0.08)
    assert not found.monotone
    np.testing.assert_allclose(found.adjusted, [0.05, 0.1, 0.1])
    assert found.index == 0  # the plain mean of the last candidate, 0.05, would have passed


def test_a_bound_other_than_one_scales() -> None:
    losses = np.random.default_rng(0).random((50, 1))
    assert conformal(10 * losses, 6.0, bound=10.0).adjusted == pytest.approx(
        10 * conformal(losses, 0.6).adjusted
    )


def test_the_mean_is_controlled_but_single_draws_are_not() -> None:
    rng, target, truths = np.random.default_rng(7), 0.1, []
    for _ in range(400):
        index = crc_index(_missed(rng.normal(1.5, 1, 150)), target)
        truths.append(0.0 if index is None else norm.cdf(PATH[index] - 1.5))
    assert np.mean(truths) <= target + 3 * np.std(truths) / 20
    assert np.mean(np.array(truths) > target) > 0.2  # hence Learn then Test


@pytest.mark.parametrize(
    ("losses", "target", "bound", "word"),
    [
        (np.zeros((0, 3)), 0.1, 1.0, "not empty"),
        (np.zeros((3, 0)), 0.1, 1.0, "not empty"),
        (np.zeros((2, 2, 2)), 0.1, 1.0, "items, candidates"),
        (np.full((3, 3), np.nan), 0.1, 1.0, "numbers in 0..1"),
        (np.full((3, 3), 2.0), 0.1, 1.0, "raise bound"),
        (np.full((3, 3), -1.0), 0.1, 1.0, "numbers in 0..1"),
        (np.zeros((3, 3)), 0.0, 1.0, "strictly between"),
        (np.zeros((3, 3)), 1.0, 1.0, "strictly between"),
        (np.zeros((3, 3)), 0.1, 0.0, "raise bound"),
    ],
    ids=["no items", "no candidates", "cube", "nan", "above", "below", "0", "1", "bound 0"],
)
def test_bad_input_is_refused(losses: np.ndarray, target: float, bound: float, word: str) -> None:
    with pytest.raises(RoutingError, match=word):
        conformal(losses, target, bound)


@pytest.mark.parametrize(("target", "feasible", "errors"), [(0.2, True, 1), (0.05, False, 0)])
def test_its_certificate_claims_no_confidence(target: float, feasible: bool, errors: int) -> None:
    losses = np.zeros((9, 2))
    losses[0, 1] = 1
    made = conformal_certificate("miss_rate", losses, target, conformal(losses, target))
    assert made.feasible is feasible and made.confidence is None
    assert made.risks[0].errors == errors
    plain = made.to_json()
    assert plain["method"] == "conformal_risk_control"
    assert (plain["miss_rate"], plain["n"], plain["confidence"]) == (target, 9, None)
    assert Certificate.from_json(plain) == made
