"""Both stages in one probability."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from coefvq.errors import RoutingError
from coefvq.routing.calibration import sigmoid
from coefvq.routing.combination import Combination, fit_combination, stratified_folds


def _stages(
    n: int, first: float, second: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated probabilities of two stages with independent noise; base rate one half."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.5).astype(int)
    odds = [
        strength * (strength * (labels - 0.5) + rng.normal(size=n)) for strength in (first, second)
    ]
    return sigmoid(odds[0]), sigmoid(odds[1]), labels


def test_independent_evidence_adds_up() -> None:
    p1, p2, labels = _stages(5000, 1.5, 2.0)
    found = fit_combination(p1, p2, labels)
    assert (found.prefilter, found.mllm) == (
        pytest.approx(1.0, abs=0.15), pytest.approx(1.0, abs=0.15)
    )  # fmt: skip
    assert found.bias == pytest.approx(0, abs=0.15)
    q1, q2, truth = _stages(20_000, 1.5, 2.0, seed=1)
    both = log_loss(truth, found(q1, q2))
    assert both < 0.85 * min(log_loss(truth, q1), log_loss(truth, q2))


@pytest.mark.parametrize("n", [60, 500, 3000], ids=str)
def test_a_useless_prefilter_leaves_the_mllm_alone(n: int) -> None:
    _, p2, labels = _stages(n, 1.0, 2.0)
    p1 = sigmoid(np.random.default_rng(9).normal(size=n))
    found = fit_combination(p1, p2, labels)
    assert found.prefilter == pytest.approx(0.0, abs=0.12)
    assert found.mllm == pytest.approx(1.0, abs=0.25)


def test_a_useless_mllm_leaves_the_prefilter() -> None:
    p1, _, labels = _stages(3000, 2.0, 1.0)
    p2 = np.clip(0.5 + 0.05 * np.random.default_rng(9).normal(size=3000), 0.01, 0.99)
    found = fit_combination(p1, p2, labels)
    assert log_loss(labels, found(p1, p2)) < 1.02 * log_loss(labels, p1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_no_stage_is_ever_turned_round(seed: int, first: bool, second: bool) -> None:
    p1, p2, labels = _stages(80, 1.0, 1.0, seed)
    p1, p2 = (1 - p1 if first else p1), (1 - p2 if second else p2)
    found = fit_combination(p1, p2, labels)
    assert found.prefilter >= 0 and found.mllm >= 0


@pytest.mark.parametrize("n", [12, 30, 80], ids=str)
def test_few_labels_do_not_beat_the_mllm_alone_by_much_nor_lose(n: int) -> None:
    """Mean over draws: what cross-validation with the one-standard-error rule is for."""
    q1, q2, truth = _stages(20_000, 0.3, 2.0, seed=99)
    losses = [
        log_loss(truth, fit_combination(*_stages(n, 0.3, 2.0, seed))(q1, q2)) for seed in range(15)
    ]
    assert np.mean(losses) < 1.15 * log_loss(truth, q2)


def test_weights_count() -> None:
    p1, p2, labels = _stages(2000, 1.5, 1.5)
    heavy = np.where(labels == 1, 5.0, 1.0)
    found = fit_combination(p1, p2, labels, heavy)
    assert found.bias == pytest.approx(np.log(5), abs=0.4)
    again = fit_combination(p1, p2, labels, 100 * heavy)
    assert again.bias == pytest.approx(found.bias, abs=1e-6)


def test_absent_answers_stay_absent_and_ends_stay_inside() -> None:
    found = Combination(0.0, 1.0, 1.0)([0.5, 0.0, 1.0], [np.nan, 0.0, 1.0])
    assert np.isnan(found[0])
    assert 0 < found[1] < 1e-6 and 1 - 1e-6 < found[2] < 1


def test_no_row_is_refused() -> None:
    with pytest.raises(RoutingError, match="No row has an MLLM score"):
        fit_combination([], [], [])


def test_json_brings_the_same_combination_back() -> None:
    found = fit_combination(*_stages(200, 1.0, 1.0))
    assert Combination.from_json(json.loads(json.dumps(found.to_json()))) == found


@settings(deadline=None)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=200), st.integers(2, 10), st.integers(0, 9))
def test_folds_hold_both_classes_evenly(labels: list[int], folds: int, seed: int) -> None:
    found = stratified_folds(labels, folds, seed)
    assert (stratified_folds(labels, folds, seed) == found).all()
    for value in (0, 1):
        sizes = np.bincount(found[np.array(labels) == value], minlength=folds)
        assert len(sizes) == folds and np.ptp(sizes) <= 1


def test_another_seed_gives_other_folds() -> None:
    labels = np.arange(100) % 2
    assert (stratified_folds(labels, 5, 0) != stratified_folds(labels, 5, 1)).any()
