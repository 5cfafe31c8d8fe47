from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from coefvq.learning.crossval import cross_fitted, grouped_folds, leave_one_out_folds


@pytest.fixture
def groups() -> list[str]:
    rng = np.random.default_rng(0)
    return [f"g{rng.integers(0, 25)}" for _ in range(300)]


@pytest.fixture
def labels() -> list[int]:
    return np.random.default_rng(1).integers(0, 2, 300).tolist()


def test_a_group_is_never_on_two_sides(groups: list[str], labels: list[int]) -> None:
    folds = grouped_folds(groups, labels, 5)
    homes = defaultdict(set)
    for group, fold in zip(groups, folds, strict=True):
        homes[group].add(int(fold))
    assert all(len(home) == 1 for home in homes.values())


def test_folds_are_alike_in_size_and_share(groups: list[str], labels: list[int]) -> None:
    folds = grouped_folds(groups, labels, 5)
    sizes = np.bincount(folds, minlength=5)
    shares = [np.mean(np.asarray(labels)[folds == fold]) for fold in range(5)]
    assert sizes.min() >= 45 and sizes.max() <= 75
    assert max(shares) - min(shares) < 0.15


def test_folds_repeat_by_seed_and_move_with_it(groups: list[str], labels: list[int]) -> None:
    first = grouped_folds(groups, labels, 5, seed=1)
    assert (first == grouped_folds(groups, labels, 5, seed=1)).all()
    assert (first != grouped_folds(groups, labels, 5, seed=2)).any()


def test_fewer_groups_than_folds_give_fewer_folds() -> None:
    assert set(grouped_folds(["a", "a", "b"], [0, 1, 1], 5)) == {0, 1}


def test_leave_one_out_numbers_groups_by_name() -> None:
    assert leave_one_out_folds(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]


def test_a_fold_is_calibrated_without_its_own_labels() -> None:
    """Turning one fold's labels round must not change that fold's own probabilities."""
    rng = np.random.default_rng(2)
    logits = rng.normal(size=200)
    labels = (rng.random(200) < 1 / (1 + np.exp(-logits))).astype(int)
    folds = np.arange(200) % 4
    before = cross_fitted(logits, labels, folds)
    turned = np.where(folds == 1, 1 - labels, labels)
    after = cross_fitted(logits, turned, folds)
    assert (before[folds == 1] == after[folds == 1]).all()
    assert (before[folds == 0] != after[folds == 0]).all()
