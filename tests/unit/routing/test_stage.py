"""A stage's score on any scale becomes a calibrated probability."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.errors import RoutingError
from coefvq.routing.calibration import ISOTONIC_FROM, sigmoid
from coefvq.routing.stage import FLOOR, StageCalibration, fit_stage


def _scores(n: int = 500, seed: int = 0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=n) - 1
    return logits, (rng.random(n) < sigmoid(slope * logits)).astype(int)


SCALES = {
    "probabilities": sigmoid,
    "log-odds": lambda x: x,
    "negative opinion scores": lambda x: -(3.5 - 0.4 * x),
    "0 to 100": lambda x: 50 + 10 * x,
    "millions": lambda x: 3e6 + 1e6 * x,
    "tiny probabilities": lambda x: 1e-6 * sigmoid(x),
}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_any_scale_gives_calibrated_probabilities_in_the_same_order(scale: object) -> None:
    assert callable(scale)
    logits, labels = _scores(4000)
    raw = scale(logits)
    found = fit_stage(raw, labels)
    p = found(raw)
    inner = np.abs(logits) < 4
    assert (
        np.corrcoef(np.argsort(np.argsort(p[inner])), np.argsort(np.argsort(logits[inner])))[0, 1]
        > 0.999
    )
    assert p.mean() == pytest.approx(labels.mean(), abs=0.01)
    assert np.abs(p - sigmoid(logits)).mean() < 0.03
    assert ((p >= FLOOR) & (p <= 1 - FLOOR)).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 1e4), st.floats(-1e3, 1e3))
def test_centred_scores_do_not_care_for_unit_or_zero(unit: float, zero: float) -> None:
    logits, labels = _scores(200)
    raw = 30 + 10 * logits
    moved = unit * raw + zero
    if moved.min() < 0 or moved.max() > 1:
        plain, other = fit_stage(raw, labels)(raw), fit_stage(moved, labels)(moved)
        np.testing.assert_allclose(other, plain, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "kind"), [(200, "platt"), (8 * ISOTONIC_FROM, "isotonic")], ids=["few", "many"]
)
@pytest.mark.parametrize("scale", ["probabilities", "0 to 100"])
def test_a_score_that_falls_says_nothing_and_keeps_the_base_rate(
    n: int, kind: str, scale: str
) -> None:
    logits, labels = _scores(n, slope=-1.0)
    raw = SCALES[scale](logits)
    found = fit_stage(raw, labels)
    assert found.calibrator.kind == kind
    assert not found.informative
    np.testing.assert_allclose(found(raw), labels.mean(), atol=0.02)


def test_a_falling_score_with_a_handful_of_violations_says_nothing() -> None:
    raw = np.linspace(0.05, 0.95, 60)
    found = fit_stage(raw, (raw < 0.15).astype(int))
    assert found.calibrator.kind == "temperature"
    assert not found.informative


@pytest.mark.parametrize("n", [200, 8 * ISOTONIC_FROM], ids=str)
def test_a_score_that_rises_is_informative(n: int) -> None:
    logits, labels = _scores(n)
    assert fit_stage(logits, labels).informative


@pytest.mark.parametrize("factor", [0.001, 50.0], ids=str)
def test_only_the_relation_of_weights_counts(factor: float) -> None:
    logits, labels = _scores(100)
    weights = np.random.default_rng(0).uniform(1, 3, 100)
    np.testing.assert_allclose(
        fit_stage(logits, labels, factor * weights)(logits),
        fit_stage(logits, labels, weights)(logits),
        atol=1e-9,
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [([0.4] * 4, "mllm is 0.4 for all 4 labelled rows"), ([1e300, 0.0, -1e300, 2.0], "spread")],
    ids=["constant", "endless"],
)
def test_scores_that_cannot_be_scaled_are_refused(values: list[float], words: str) -> None:
    with pytest.raises(RoutingError, match=words):
        fit_stage(values, [0, 1, 0, 1], name="mllm")


def test_what_was_not_run_stays_absent() -> None:
    logits, labels = _scores(100)
    assert np.isnan(fit_stage(logits, labels)([np.nan, 0.0])).tolist() == [True, False]


@pytest.mark.parametrize("scale", ["probabilities", "0 to 100"])
@pytest.mark.parametrize("n", [100, 8 * ISOTONIC_FROM], ids=str)
def test_json_brings_the_same_calibration_back(n: int, scale: str) -> None:
    logits, labels = _scores(n)
    raw = SCALES[scale](logits)
    found = fit_stage(raw, labels)
    again = StageCalibration.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found
    np.testing.assert_array_equal(again(raw), found(raw))
