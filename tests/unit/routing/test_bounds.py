"""p-values and bounds against scipy and MAPIE, and at their boundaries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from scipy.stats import binom, binomtest

from coefvq.errors import RoutingError
from coefvq.routing.bounds import (
    binomial_p,
    clopper_pearson_upper,
    hoeffding_bentkus_p,
    labels_needed,
    nearest_target,
    passes,
    smallest_passing,
)

targets = st.floats(0.001, 0.6)
confidences = st.floats(0.5, 0.999)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 3000))
    return draw(st.integers(0, n)), n


@pytest.mark.parametrize("n", [1, 7, 460, 100_000], ids=str)
@pytest.mark.parametrize("target", [0.005, 0.1, 0.5, 0.99], ids=str)
def test_binomial_p_is_the_binomial_distribution(n: int, target: float) -> None:
    errors = np.unique(np.linspace(0, n, 41).astype(int))
    expected = binom.cdf(errors, n, target)
    np.testing.assert_allclose(binomial_p(errors, n, target), expected, rtol=1e-8, atol=1e-300)


def test_binomial_p_broadcasts_counts_and_sizes() -> None:
    found = binomial_p(np.array([[0], [2]]), np.array([10, 20, 40]), 0.1)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found[1, 2], binom.cdf(2, 40, 0.1))
    assert binomial_p(3, 10, 0.2).shape == ()


@given(counts(), targets, targets)
def test_binomial_p_falls_with_the_target_and_rises_with_errors(
    pair: tuple[int, int], one: float, other: float
) -> None:
    errors, n = pair
    low, high = sorted((one, other))
    assert 0.0 <= binomial_p(errors, n, high) <= binomial_p(errors, n, low) + 1e-12
    if errors < n:
        assert binomial_p(errors, n, low) <= binomial_p(errors + 1, n, low) + 1e-12


@pytest.mark.parametrize("n", [5, 80, 4000], ids=str)
@pytest.mark.parametrize("target", [0.02, 0.1, 0.45], ids=str)
def test_hoeffding_bentkus_agrees_with_mapie(n: int, target: float) -> None:
    # Off the grid of k / n, where rounding inside either library could count one more.
    means = (np.arange(0, n, max(1, n // 40)) + 0.5) / n
    expected = compute_hoeffding_bentkus_p_value(means, n, np.array([target]))[:, 0]
    found = hoeffding_bentkus_p(means, n, target)
    np.testing.assert_allclose(found, np.minimum(expected, 1.0), rtol=1e-9, atol=1e-300)


def test_binomial_agrees_with_mapies_binary_p_value() -> None:
    n, target = 128, 0.1  # a power of two, so that k / n is exact
    errors = np.arange(0, 40)
    expected = compute_hoeffding_bentkus_p_value(errors / n, n, np.array([target]), binary=True)
    np.testing.assert_allclose(binomial_p(errors, n, target), expected[:, 0], rtol=1e-9)


@given(counts(), targets, targets)
def test_hoeffding_bentkus_is_a_p_value_that_falls_with_the_target(
    pair: tuple[int, int], one: float, other: float
) -> None:
    errors, n = pair
    low, high = sorted((one, other))
    at_high = float(hoeffding_bentkus_p(errors / n, n, high))
    at_low = float(hoeffding_bentkus_p(errors / n, n, low))
    assert 0.0 <= at_high <= at_low + 1e-12 <= 1.0 + 1e-12


@given(counts(), targets)
def test_hoeffding_bentkus_is_never_sharper_than_the_exact_test(
    pair: tuple[int, int], target: float
) -> None:
    errors, n = pair
    exact, bound = binomial_p(errors, n, target), hoeffding_bentkus_p(errors / n, n, target)
    assert bound >= exact * (1 - 1e-9)


def test_hoeffding_bentkus_counts_exact_multiples_once() -> None:
    # 0.07 * 100 is 7.000000000000001 in floats: the ceiling must still be 7.
    assert math.ceil(0.07 * 100) == 8
    assert hoeffding_bentkus_p(0.07, 100, 0.3) == pytest.approx(
        min(math.e * binom.cdf(7, 100, 0.3), math.exp(-100 * _h1(0.07, 0.3)))
    )


def _h1(x: float, a: float) -> float:
    return x * math.log(x / a) + (1 - x) * math.log((1 - x) / (1 - a))


@pytest.mark.parametrize(
    ("mean", "n", "expected"), [(0.0, 50, 0.9**50), (1.0, 50, 1.0), (0.1, 50, None)],
    ids=["no loss", "all lost", "at the target"],
)  # fmt: skip
def test_hoeffding_bentkus_at_the_edges(mean: float, n: int, expected: float | None) -> None:
    found = float(hoeffding_bentkus_p(mean, n, 0.1))
    if expected is None:
        assert found > 0.5
    else:
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99], ids=str)
@pytest.mark.parametrize(("errors", "n"), [(0, 1), (0, 30), (4, 30), (29, 30), (30, 30)], ids=str)
def test_clopper_pearson_upper_agrees_with_scipy(errors: int, n: int, confidence: float) -> None:
    expected = binomtest(errors, n, alternative="less").proportion_ci(confidence).high
    assert clopper_pearson_upper(errors, n, confidence) == pytest.approx(expected, abs=1e-9)


@given(counts(), confidences)
def test_the_upper_bound_is_where_the_test_starts_to_pass(
    pair: tuple[int, int], confidence: float
) -> None:
    errors, n = pair
    upper = float(clopper_pearson_upper(errors, n, confidence))
    if upper < 0.9999:
        assert passes(binomial_p(errors, n, min(upper * 1.001, 0.9999)), confidence)
    if 0.0 < upper < 1.0:
        assert not passes(binomial_p(errors, n, upper * 0.999), confidence)


def test_smallest_passing_inverts_a_test() -> None:
    found = smallest_passing(lambda target: float(binomial_p(3, 100, target)), 0.9)
    assert found == pytest.approx(float(clopper_pearson_upper(3, 100, 0.9)), abs=1e-8)
    assert smallest_passing(lambda target: 1.0, 0.9) == 1.0


@pytest.mark.parametrize(
    ("target", "confidence", "expected"),
    [(0.005, 0.9, 460), (0.05, 0.9, 45), (0.05, 0.95, 59), (0.01, 0.99, 459), (0.1, 0.9, 22),
     (0.5, 0.75, 2), (0.9, 0.9, 1), (0.9, 0.5, 1), (0.1, 0.1, 1)],
    ids=str,
)  # fmt: skip
def test_labels_needed_without_errors(target: float, confidence: float, expected: int) -> None:
    assert labels_needed(target, confidence) == expected


@given(st.floats(0.001, 0.9), confidences, st.integers(0, 12))
def test_labels_needed_is_exact_at_the_boundary(
    target: float, confidence: float, errors: int
) -> None:
    n = labels_needed(target, confidence, errors)
    assert passes(binomial_p(errors, n, target), confidence)
    if n - 1 >= max(errors, 1):
        assert not passes(binomial_p(errors, n - 1, target), confidence)


@given(targets, targets, confidences, confidences, st.integers(0, 5))
def test_labels_needed_grows_with_confidence_and_with_a_stricter_target(
    one: float, other: float, sure: float, surer: float, errors: int
) -> None:
    (strict, lax), (low, high) = sorted((one, other)), sorted((sure, surer))
    assert labels_needed(strict, low, errors) >= labels_needed(lax, low, errors)
    assert labels_needed(lax, high, errors) >= labels_needed(lax, low, errors)
    assert labels_needed(lax, low, errors + 1) > labels_needed(lax, low, errors)


def test_labels_needed_for_a_tiny_target() -> None:
    assert labels_needed(1e-9, 0.9) == pytest.approx(math.log(10) * 1e9, rel=1e-6)


@given(st.integers(1, 5000), confidences)
def test_nearest_target_is_certified_by_these_labels_and_no_lower_one_is(
    n: int, confidence: float
) -> None:
    nearest = nearest_target(n, confidence)
    assert nearest == pytest.approx(1 - (1 - confidence) ** (1 / n), rel=1e-9)
    assert labels_needed(min(nearest * 1.0001, 0.9999), confidence) <= n
    assert labels_needed(nearest * 0.999, confidence) > n


def test_without_labels_nothing_is_near() -> None:
    assert nearest_target(0, 0.9) == 1.0


def test_passes_forgives_the_last_bit_only() -> None:
    assert 1 - 0.9 < 0.1  # the floats differ; the numbers meant do not
    assert passes([0.1, 0.1 + 1e-9, float("nan")], 0.9).tolist() == [True, False, False]


NAN = float("nan")


@pytest.mark.parametrize(
    ("errors", "n", "target", "word"),
    [
        (0, 0, 0.1, "no labels"),
        (0, NAN, 0.1, "no labels"),
        (0, 10.5, 0.1, "no labels"),
        (-1, 10, 0.1, "whole numbers"),
        (11, 10, 0.1, "whole numbers"),
        (1.5, 10, 0.1, "whole numbers"),
        (NAN, 10, 0.1, "whole numbers"),
        (0, 10, 0.0, "strictly between"),
        (0, 10, 1.0, "strictly between"),
        (0, 10, NAN, "strictly between"),
    ],
    ids=str,
)
def test_bad_counts_and_targets_are_refused(
    errors: float, n: float, target: float, word: str
) -> None:
    with pytest.raises(RoutingError, match=word):
        binomial_p(errors, n, target)


@pytest.mark.parametrize("mean", [-0.1, 1.1, NAN], ids=str)
def test_bad_mean_losses_are_refused(mean: float) -> None:
    with pytest.raises(RoutingError, match="scale the losses"):
        hoeffding_bentkus_p(mean, 10, 0.1)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, NAN], ids=str)
def test_bad_confidences_are_refused(confidence: float) -> None:
    for call in (
        lambda: labels_needed(0.1, confidence),
        lambda: clopper_pearson_upper(0, 10, confidence),
        lambda: nearest_target(10, confidence),
    ):
        with pytest.raises(RoutingError, match="strictly between"):
            call()


@pytest.mark.parametrize("errors", [-1, 0.5], ids=str)
def test_labels_needed_refuses_odd_counts(errors: float) -> None:
    with pytest.raises(RoutingError, match="whole number"):
        labels_needed(0.1, 0.9, errors)  # type: ignore[arg-type]


def test_a_target_too_small_for_any_labels_is_refused() -> None:
    with pytest.raises(RoutingError, match="too small"):
        labels_needed(1e-300, 0.9)
