from __future__ import annotations

import json

import numpy as np
import pytest

from coefvq.errors import ModelError
from coefvq.routing.calibration import (
    ISOTONIC_FROM,
    PLATT_FROM,
    Calibrator,
    fit_calibrator,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    log_odds,
    moved_to_rate,
    sigmoid,
)


def _drawn(count: int, a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=count) * 2
    return logits, (rng.random(count) < sigmoid(a * logits + b)).astype(int)


def test_sigmoid_and_log_odds_undo_each_other_and_hold_at_the_ends() -> None:
    assert log_odds(sigmoid([-2.0, 0.0, 3.0])) == pytest.approx([-2.0, 0.0, 3.0])
    assert np.isfinite(log_odds([0.0, 1.0])).all()
    assert sigmoid([-1000.0, 1000.0]) == pytest.approx([0.0, 1.0], abs=1e-12)


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.4, -1.0), (2.0, 0.7)], ids=str)
def test_platt_finds_the_map_that_made_the_labels(a: float, b: float) -> None:
    found = fit_platt(*_drawn(20_000, a, b))
    assert found.a == pytest.approx(a, abs=0.08)
    assert found.b == pytest.approx(b, abs=0.08)


def test_platt_never_turns_the_order_round() -> None:
    logits, labels = _drawn(500, 1.0, 0.0)
    assert fit_platt(logits, 1 - labels).a == 0.0


def test_platt_of_few_items_stays_off_zero_and_one() -> None:
    found = fit_platt([-3.0, -2.0, 2.0, 3.0], [0, 0, 1, 1])
    assert 0.001 < float(found([-3.0])[0]) < float(found([3.0])[0]) < 0.999


def test_platt_weights_count() -> None:
    logits, labels = np.zeros(4), np.array([0, 1, 1, 1])
    heavy = fit_platt(logits, labels, [100.0, 1.0, 1.0, 1.0])
    assert float(heavy([0.0])[0]) < 0.2


def test_isotonic_rises_and_follows_a_bent_curve() -> None:
    rng = np.random.default_rng(1)
    logits = rng.uniform(-3, 3, 8000)
    truth = np.where(logits > 0, 0.9, 0.2)
    found = fit_isotonic(logits, (rng.random(8000) < truth).astype(int))
    grid = found(np.linspace(-4, 4, 50))
    assert (np.diff(grid) >= -1e-12).all()
    assert found([-2.0])[0] == pytest.approx(0.2, abs=0.07)
    assert found([2.0])[0] == pytest.approx(0.9, abs=0.07)


@pytest.mark.parametrize(
    ("count", "kind"), [(200, "platt"), (4 * ISOTONIC_FROM, "isotonic")], ids=str
)
def test_the_size_chooses_the_method(count: int, kind: str) -> None:
    assert fit_calibrator(*_drawn(count, 1.0, 0.0)).kind == kind


@pytest.mark.parametrize("count", [200, 4000], ids=["platt", "isotonic"])
def test_json_brings_the_same_map_back(count: int) -> None:
    found = fit_calibrator(*_drawn(count, 1.0, 0.2))
    again = Calibrator.from_json(json.loads(json.dumps(found.to_json())))
    grid = np.linspace(-5, 5, 11)
    assert again(grid) == pytest.approx(found(grid))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="fit it again"):
        Calibrator.from_json({"kind": "magic"})


@pytest.mark.parametrize("count", [400, 4000], ids=["platt", "isotonic"])
def test_moving_to_another_rate_stays_calibrated_there(count: int) -> None:
    """Thin the positives out to a tenth: the moved map says what is true of the rest."""
    logits, labels = _drawn(40 * count, 1.0, 0.0)
    found = fit_calibrator(logits[:count], labels[:count])
    kept = (labels == 0) | (np.random.default_rng(3).random(len(labels)) < 0.1)
    rate = labels[kept].mean()
    moved = moved_to_rate(found, float(labels[:count].mean()), float(rate))
    assert moved.kind == found.kind
    assert float(moved(logits[kept]).mean()) == pytest.approx(rate, abs=0.02)
    assert float(found(logits[kept]).mean()) > 2 * rate


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 5.0], ids=str)
def test_temperature_is_recovered(temperature: float) -> None:
    logits, labels = _drawn(20_000, 1 / temperature, 0.0)
    found = fit_temperature(logits, labels)
    assert (found.kind, found.b) == ("temperature", 0.0)
    assert 1 / found.a == pytest.approx(temperature, rel=0.08)


def test_temperature_of_three_labels_stays_near_one() -> None:
    found = fit_temperature([-2.0, 1.0, 3.0], [0, 1, 1])
    assert 0.5 < found.a < 3


def test_temperature_weights_count() -> None:
    logits, labels = np.array([2.0, 2.0, -2.0, -2.0]), np.array([1, 0, 0, 1])
    heavy = np.array([100.0, 1.0, 100.0, 1.0])
    assert fit_temperature(logits, labels, heavy).a > 1 > fit_temperature(logits, labels).a


@pytest.mark.parametrize(
    ("fewest", "probabilities", "kind"),
    [
        (PLATT_FROM - 1, True, "temperature"),
        (PLATT_FROM - 1, False, "platt"),
        (PLATT_FROM, True, "platt"),
        (ISOTONIC_FROM - 1, True, "platt"),
        (ISOTONIC_FROM, True, "isotonic"),
        (ISOTONIC_FROM, False, "isotonic"),
    ],
    ids=str,
)
def test_the_rarer_class_chooses_the_method(fewest: int, probabilities: bool, kind: str) -> None:
    labels = np.zeros(3 * ISOTONIC_FROM, dtype=int)
    labels[:fewest] = 1
    logits = np.random.default_rng(0).normal(size=len(labels)) + labels
    assert fit_calibrator(logits, labels, probabilities=probabilities).kind == kind
    assert fit_calibrator(logits, 1 - labels, probabilities=probabilities).kind == kind


def test_platt_of_a_falling_score_gives_the_base_rate() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=2000) - 4
    labels = (rng.random(2000) < sigmoid(-2 * (logits + 4) - 1)).astype(int)
    assert fit_platt(logits, labels)(logits) == pytest.approx(labels.mean(), abs=0.005)


def test_isotonic_weights_count_like_copies() -> None:
    """Halving the negatives and weighting them twice gives nearly the map of all items."""
    logits, labels = _drawn(40_000, 1.0, -1.0)
    kept = (labels == 1) | (np.arange(len(labels)) % 2 == 0)
    weights = np.where(labels[kept] == 1, 1.0, 2.0)
    grid = np.linspace(-2, 3, 20)
    whole = fit_isotonic(logits, labels)(grid)
    assert fit_isotonic(logits[kept], labels[kept], weights)(grid) == pytest.approx(whole, abs=0.06)
    assert np.abs(fit_isotonic(logits[kept], labels[kept])(grid) - whole).max() > 0.08


def test_isotonic_of_a_few_levels_gives_the_rate_of_each_in_any_order() -> None:
    rng = np.random.default_rng(4)
    logits = rng.integers(1, 6, 6000).astype(float)
    labels = (rng.random(6000) < logits / 7).astype(int)
    found = fit_isotonic(logits, labels)
    order = np.argsort(labels, kind="stable")
    other = fit_isotonic(logits[order], labels[order])
    for level in range(1, 6):
        rate = labels[logits == level].mean()
        assert float(found([level])[0]) == pytest.approx(rate, abs=0.002)
        assert float(other([level])[0]) == pytest.approx(rate, abs=0.002)


@pytest.mark.parametrize("value", [0.0, 3.0], ids=str)
def test_isotonic_of_one_value_is_the_base_rate(value: float) -> None:
    found = fit_isotonic(np.full(100, value), np.arange(100) % 4 == 0)
    assert found([-1.0, value, 9.0]) == pytest.approx([0.25] * 3, abs=0.01)


def test_isotonic_with_more_items_a_block_is_coarser() -> None:
    logits, labels = _drawn(4000, 1.0, 0.0)
    fine, coarse = fit_isotonic(logits, labels), fit_isotonic(logits, labels, least=500)
    assert len(coarse.knots) <= 8 < len(fine.knots)


def test_a_temperature_survives_json() -> None:
    found = fit_temperature([-2.0, 1.0, 3.0], [0, 1, 1])
    assert Calibrator.from_json(json.loads(json.dumps(found.to_json()))) == found
