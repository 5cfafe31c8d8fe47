"""Measures against labels: by hand, against scikit-learn, and with weights as repeated rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from coefvq.routing.metrics import Ranking, average_precision, confusion, error_cost, f1_score

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(1, 4)), min_size=1, max_size=40
)


@pytest.mark.parametrize(
    ("labels", "called", "precision", "recall", "f1"),
    [
        pytest.param([1, 1, 0, 0], [1, 0, 1, 0], 0.5, 0.5, 0.5, id="half and half"),
        pytest.param([1, 1, 1, 0], [1, 1, 1, 0], 1.0, 1.0, 1.0, id="all right"),
        pytest.param([1, 0, 0, 0], [1, 1, 1, 0], 1 / 3, 1.0, 0.5, id="two false alarms"),
        pytest.param([1, 1, 1, 1], [1, 0, 0, 0], 1.0, 0.25, 0.4, id="three misses"),
        pytest.param([1, 0], [0, 1], 0.0, 0.0, 0.0, id="all wrong"),
    ],
)
def test_confusion_by_hand(
    labels: list[int], called: list[int], precision: float, recall: float, f1: float
) -> None:
    found = confusion(labels, called)
    assert (found.precision, found.recall) == pytest.approx((precision, recall))
    assert f1_score(labels, called) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("labels", "called", "undefined"),
    [
        pytest.param([0, 1], [0, 0], {"precision"}, id="nothing called"),
        pytest.param([0, 0], [0, 1], {"recall"}, id="no violation"),
        pytest.param([0, 0], [0, 0], {"precision", "recall", "f1"}, id="neither"),
    ],
)
def test_what_is_not_defined_is_not_a_number(
    labels: list[int], called: list[int], undefined: set[str]
) -> None:
    found = confusion(labels, called)
    names = {n for n in ("precision", "recall", "f1") if math.isnan(getattr(found, n))}
    assert names == undefined


def test_confusion_agrees_with_scikit_learn_under_weights() -> None:
    rng = np.random.default_rng(0)
    labels, called, weights = rng.integers(0, 2, 90), rng.integers(0, 2, 90), rng.random(90) + 0.1
    expected = precision_recall_fscore_support(
        labels, called, average="binary", sample_weight=weights
    )
    found = confusion(labels, called, weights)
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected[:3])


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0]], ids=["even", "weighted"])
def test_probabilities_for_labels_give_expected_counts(weights: list[float] | None) -> None:
    """All eight ways the labels may fall, each as likely as it is."""
    chance, called = np.array([0.9, 0.4, 0.1]), [True, True, False]
    mean = np.zeros(4)
    for labels in np.ndindex(2, 2, 2):
        likely = np.where(labels, chance, 1 - chance).prod()
        mean += likely * np.array(list(vars(confusion(labels, called, weights)).values()))
    found = confusion(chance, called, weights)
    assert list(vars(found).values()) == pytest.approx(mean.tolist())


@pytest.mark.parametrize(
    ("cost_fn", "cost_fp", "weights", "expected"),
    [
        pytest.param(1, 1, None, 2 / 4, id="even"),
        pytest.param(10, 1, None, 11 / 4, id="misses dear"),
        pytest.param(10, 1, [2, 1, 1, 1], 21 / 5, id="the miss counts twice"),
    ],
)
def test_error_cost_is_a_mean_an_item(
    cost_fn: float, cost_fp: float, weights: list[float] | None, expected: float
) -> None:
    found = error_cost([1, 1, 0, 0], [0, 1, 1, 0], cost_fn, cost_fp, weights)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        pytest.param([1, 1, 0, 0], [4, 3, 2, 1], 1.0, id="perfect"),
        pytest.param([0, 0, 1, 1], [4, 3, 2, 1], (1 / 3 + 2 / 4) / 2, id="last"),
        pytest.param([1, 0, 0, 0], [1, 1, 1, 1], 0.25, id="all tied: the base rate"),
        pytest.param([0, 1, 1, 0], [2, 2, 1, 0], (1 / 2 + 2 / 3) / 2, id="a tie is one step"),
    ],
)
def test_average_precision_by_hand(labels: list[int], scores: list[float], expected: float) -> None:
    assert average_precision(labels, scores) == pytest.approx(expected)
    assert average_precision(labels, scores, [1.0] * 4) == pytest.approx(expected)


@given(ROWS)
def test_average_precision_is_scikit_learns(rows: list[tuple[int, int, int]]) -> None:
    labels, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    if not labels.any():
        assert math.isnan(average_precision(labels, scores))
        assert math.isnan(average_precision(labels, scores, weights))
        return
    plain = average_precision_score(labels, scores)
    weighted = average_precision_score(labels, scores, sample_weight=weights)
    assert average_precision(labels, scores) == pytest.approx(plain)
    assert average_precision(labels, scores, weights) == pytest.approx(weighted)


@given(ROWS)
def test_a_weight_is_a_row_that_many_times(rows: list[tuple[int, int, int]]) -> None:
    labels, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    again = np.repeat(np.arange(len(labels)), weights)
    called = scores > 3
    assert error_cost(labels, called, 3, 1, weights) == pytest.approx(
        error_cost(labels[again], called[again], 3, 1)
    )
    first, second = (
        average_precision(labels, scores, weights),
        average_precision(labels[again], scores[again]),
    )
    assert first == pytest.approx(second, nan_ok=True)


@given(ROWS, st.randoms())
def test_order_of_rows_is_immaterial(rows: list[tuple[int, int, int]], random: object) -> None:
    labels, scores, _ = (np.array(column) for column in zip(*rows, strict=True))
    shuffled = list(range(len(labels)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert average_precision(labels[shuffled], scores[shuffled]) == pytest.approx(
        average_precision(labels, scores), nan_ok=True
    )


def test_a_ranking_measures_many_weights() -> None:
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 50), np.round(rng.normal(size=50), 1)
    ranking = Ranking(labels, scores)
    for _ in range(5):
        counts = np.bincount(rng.integers(0, 50, 50), minlength=50).astype(float)
        expected = average_precision_score(labels, scores, sample_weight=counts)
        assert ranking(counts) == pytest.approx(expected)


def test_a_ranking_without_rows_or_weight_is_not_a_number() -> None:
    assert math.isnan(Ranking([], [])(np.array([])))
    assert math.isnan(Ranking([1, 0], [2, 1])(np.zeros(2)))


def test_a_million_rows() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(1_000_000) < 0.05).astype(np.int8)
    scores = rng.random(1_000_000)
    assert average_precision(labels, scores) == pytest.approx(0.05, abs=0.002)
    assert average_precision(labels, labels + scores) == pytest.approx(1.0)
