from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from coefvq.learning.measures import (
    auc,
    bootstrap,
    brier,
    debiased_ece,
    entropy_bits,
    equal_mass_bins,
    plain_ece,
    squared_error_debiased,
)


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        pytest.param([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 1.0, id="perfect"),
        pytest.param([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9], 0.0, id="turned round"),
        pytest.param([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.5, id="ties count half"),
        pytest.param([0, 1, 1], [0.2, 0.1, 0.3], 0.5, id="one of two pairs"),
    ],
)
def test_auc_of_known_orders(labels: list[int], scores: list[float], expected: float) -> None:
    assert auc(labels, scores) == pytest.approx(expected)


def test_auc_agrees_with_scikit_learn_on_ties_and_noise() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(size=300) + labels, 1)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def test_auc_of_one_class_is_not_a_number() -> None:
    assert math.isnan(auc([1, 1], [0.1, 0.2]))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="equally long"):
        auc([0, 1], [0.5])


def test_brier_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels, p = rng.integers(0, 2, 100), rng.random(100)
    assert brier(labels, p) == pytest.approx(brier_score_loss(labels, p))


def test_equal_mass_bins_hold_neighbours_and_differ_by_one() -> None:
    p = np.random.default_rng(2).random(23)
    bins = equal_mass_bins(p, 5)
    assert sorted(len(part) for part in bins) == [4, 4, 5, 5, 5]
    assert all(p[a].max() <= p[b].min() for a, b in pairwise(bins))


def test_debiased_error_by_hand() -> None:
    """One bin: (0.7 - 0.5)^2 - 0.5 * 0.5 / (4 - 1)."""
    got = squared_error_debiased([0, 1, 0, 1], [0.7] * 4, bins=1)
    assert got == pytest.approx(0.04 - 0.25 / 3)


def test_below_zero_counts_as_zero() -> None:
    assert debiased_ece([0, 1, 0, 1], [0.7] * 4, bins=1) == 0.0


def test_debiased_error_is_about_zero_for_a_true_forecast_and_the_plain_one_is_not() -> None:
    rng = np.random.default_rng(3)
    squares, plains = [], []
    for _ in range(200):
        p = rng.random(150)
        labels = (rng.random(150) < p).astype(int)
        squares.append(squared_error_debiased(labels, p))
        plains.append(plain_ece(labels, p))
    assert abs(np.mean(squares)) < 0.001
    assert np.mean(plains) > 0.03


def test_debiased_ece_finds_a_known_gap() -> None:
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.2, 0.8, 20_000)
    labels = (rng.random(20_000) < truth).astype(int)
    assert debiased_ece(labels, truth + 0.1) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("p", "bits"), [(0.5, 1.0), (0.0, 0.0), (1.0, 0.0), (0.146, 0.6)], ids=str)
def test_entropy_in_bits(p: float, bits: float) -> None:
    assert entropy_bits([p])[0] == pytest.approx(bits, abs=0.002)


def test_bootstrap_holds_the_value_and_repeats() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 120)
    scores = labels + rng.normal(size=120)
    first = bootstrap(auc, labels, scores, rounds=200, seed=3)
    assert first.low < first.value < first.high
    assert first == bootstrap(auc, labels, scores, rounds=200, seed=3)
    assert str(first).endswith("(n=120)")


def test_resampling_groups_is_wider_where_a_group_is_alike() -> None:
    rng = np.random.default_rng(6)
    names = [f"g{index // 20}" for index in range(200)]
    labels = np.tile([0, 1], 100)
    scores = labels + np.repeat(rng.normal(size=10) * 2, 20) * (2 * labels - 1)
    items = bootstrap(auc, labels, scores, rounds=200)
    groups = bootstrap(auc, labels, scores, groups=names, rounds=200)
    assert groups.high - groups.low > items.high - items.low


def test_resamples_of_one_class_are_left_out() -> None:
    got = bootstrap(auc, [0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9], rounds=100)
    assert not math.isnan(got.low) and got.value == 1.0
