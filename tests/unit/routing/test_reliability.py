"""Calibration measures with weights, and the reliability table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from coefvq.learning import measures
from coefvq.routing import reliability, scores
from coefvq.routing.reliability import (
    brier,
    debiased_ece,
    equal_mass_bins,
    plain_ece,
    reliability_table,
    squared_error_debiased,
    wilson,
)


def truth(n: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from their own probabilities."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, n)
    return (rng.random(n) < p).astype(int), p


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param(None, (0.04 + 0.25) / 2, id="even"),
        pytest.param([3.0, 1.0], (3 * 0.04 + 0.25) / 4, id="weighted"),
    ],
)
def test_brier_by_hand(weights: list[float] | None, expected: float) -> None:
    assert brier([1, 0], [0.8, 0.5], weights) == pytest.approx(expected)


def test_brier_of_nothing_is_not_a_number() -> None:
    assert math.isnan(brier([], []))


@pytest.mark.parametrize("measure", [brier, plain_ece, debiased_ece], ids=lambda f: f.__name__)
def test_even_weights_change_nothing(measure) -> None:  # type: ignore[no-untyped-def]
    labels, p = truth(1000)
    assert measure(labels, p, weights=np.full(1000, 2.5)) == pytest.approx(measure(labels, p))


@pytest.mark.parametrize("measure", [plain_ece, debiased_ece], ids=lambda f: f.__name__)
def test_a_known_gap_is_found(measure) -> None:  # type: ignore[no-untyped-def]
    labels, p = truth()
    assert measure(labels, p) < 0.02
    assert measure(labels, p - 0.05) == pytest.approx(0.05, abs=0.012)


def test_weights_undo_a_biased_sample() -> None:
    """Violations kept in full and one in four of the rest: inverse weights restore the truth."""
    labels, p = truth()
    kept = (labels == 1) | (np.random.default_rng(1).random(len(labels)) < 0.25)
    weights = np.where(labels == 1, 1.0, 4.0)[kept]
    assert debiased_ece(labels[kept], p[kept], bins=10) > 0.15
    assert debiased_ece(labels[kept], p[kept], bins=10, weights=weights) < 0.02


@given(st.integers(1, 60), st.integers(1, 12), st.randoms(use_true_random=False))
def test_weighted_bins_hold_every_row_once_and_neighbours(n: int, bins: int, random) -> None:  # type: ignore[no-untyped-def]
    p = np.array([random.random() for _ in range(n)])
    weights = np.array([random.uniform(0.1, 5) for _ in range(n)])
    parts = equal_mass_bins(p, bins, weights)
    rows = np.concatenate(parts) if parts else np.array([], dtype=int)
    assert len(set(rows.tolist())) == len(rows) <= n
    assert (np.diff(p[rows]) >= 0).all()
    assert len(parts) <= bins


def test_weighted_bins_hold_equal_weight() -> None:
    rng = np.random.default_rng(2)
    p, weights = rng.random(2000), rng.uniform(0.5, 2, 2000)
    masses = [weights[part].sum() for part in equal_mass_bins(p, 8, weights)]
    assert len(masses) == 8
    assert np.ptp(masses) < 0.02 * np.mean(masses)


def test_even_weights_give_the_same_bins() -> None:
    p = np.random.default_rng(3).random(40)
    plain, weighted = equal_mass_bins(p, 8), equal_mass_bins(p, 8, np.ones(40))
    assert [part.tolist() for part in plain] == [part.tolist() for part in weighted]


def test_the_table_says_what_happened() -> None:
    labels, p = truth()
    rows = reliability_table(labels, p, bins=10)
    assert len(rows) == 10
    assert sum(row.n for row in rows) == len(labels)
    assert [row.probability for row in rows] == sorted(row.probability for row in rows)
    assert all(row.low <= row.rate <= row.high for row in rows)
    assert sum(row.low <= row.probability <= row.high for row in rows) >= 8


def test_the_table_by_hand() -> None:
    (row,) = reliability_table([0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5], bins=10)
    assert (row.n, row.probability, row.rate) == (5, pytest.approx(0.3), pytest.approx(0.6))


def test_the_table_of_weighted_rows_is_of_the_traffic() -> None:
    (row,) = reliability_table([1, 0, 0, 0], [0.4] * 4, bins=1, weights=[1, 1, 1, 5])
    assert row.rate == pytest.approx(1 / 8)
    effective = 8**2 / (1 + 1 + 1 + 25)
    assert (row.low, row.high) == pytest.approx(wilson(effective / 8, effective))


@pytest.mark.parametrize("n", [0, 1], ids=["no row", "one row"])
def test_a_table_of_too_few_rows_is_empty(n: int) -> None:
    assert reliability_table([1] * n, [0.5] * n) == ()


@pytest.mark.parametrize(
    ("hits", "n"), [(0, 10), (3, 10), (10, 10), (50, 1000)], ids=lambda v: str(v)
)
def test_wilson_is_scipys(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_debiased_error_with_weights_counts_effective_rows() -> None:
    """Weights 1 and 3 in one bin: 16 / 10 rows' worth."""
    got = squared_error_debiased([0, 1], [0.75, 0.75], bins=1, weights=[1, 3])
    assert got == pytest.approx(0 - 0.75 * 0.25 / 0.6)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        brier([0, 1], [0.5])


@pytest.mark.parametrize(
    "name", ["brier", "equal_mass_bins", "squared_error_debiased", "debiased_ece", "plain_ece"]
)
def test_learning_uses_the_same_measures(name: str) -> None:
    assert getattr(measures, name) is getattr(reliability, name)
    assert measures.entropy_bits is scores.entropy_bits
