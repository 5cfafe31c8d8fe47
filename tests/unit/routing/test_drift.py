"""Drift monitors: score distributions and calibration, by distinct uploaders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.errors import RoutingError
from coefvq.routing.calibration_drift import (
    CalibrationBaseline,
    calibration_baseline,
    calibration_drift,
)
from coefvq.routing.drift import Baseline, drift_report, score_drift
from coefvq.routing.drift_levels import DriftLevel, capped_weights, number_uploaders

ALARMS = {DriftLevel.WATCH, DriftLevel.DRIFTED}


def scores_of(rng, items, shift=0.0):
    return 1 / (1 + np.exp(-rng.normal(-2.0 + shift, 1.2, items)))


def names(items, each=1, prefix="u"):
    return [f"{prefix}{i // each}" for i in range(items)]


@pytest.fixture(scope="module")
def baseline():
    return Baseline.from_scores(scores_of(np.random.default_rng(0), 5000))


# Scores


@pytest.mark.parametrize(
    ("shift", "levels"),
    [
        pytest.param(0.0, {DriftLevel.STABLE}, id="none"),
        pytest.param(0.48, {DriftLevel.WATCH}, id="some"),
        pytest.param(1.2, {DriftLevel.DRIFTED}, id="much"),
        pytest.param(-1.2, {DriftLevel.DRIFTED}, id="much-down"),
    ],
)
def test_levels_follow_the_shift(baseline, shift, levels):
    drift = score_drift(baseline, scores_of(np.random.default_rng(1), 3000, shift))
    assert drift.level in levels
    assert drift.reason.startswith(f"scores {drift.level}: PSI ")


@pytest.mark.parametrize("items", [100, 300, 2000])
def test_false_alarms_on_resamples_are_rare(baseline, items):
    rng = np.random.default_rng(2)
    drifts = [score_drift(baseline, scores_of(rng, items)) for _ in range(200)]
    assert sum(d.level in ALARMS for d in drifts) <= 6  # 1 % expected at most, 200 draws
    bare = sum(d.psi >= 0.1 for d in drifts)
    assert items > 100 or bare > 20  # what the bare convention would have raised


def test_psi_of_resamples_is_as_large_as_the_theory_says(baseline):
    rng = np.random.default_rng(3)
    psi = [score_drift(baseline, scores_of(rng, 400)).psi for _ in range(300)]
    expected = (len(baseline.shares) - 1) * (1 / 400 + 1 / 5000)
    assert np.mean(psi) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("items", [200, 1000])
def test_a_real_shift_is_found(baseline, items):
    rng = np.random.default_rng(4)
    found = [score_drift(baseline, scores_of(rng, items, 1.0)).level in ALARMS for _ in range(50)]
    assert np.mean(found) > 0.95


@pytest.mark.parametrize("flood", [50, 500, 20_000])
@pytest.mark.parametrize("name", ["flooder", None], ids=["named", "absent"])
def test_one_uploaders_flood_raises_no_alarm(baseline, flood, name):
    rng = np.random.default_rng(5)
    scores = np.concatenate([scores_of(rng, 600), np.full(flood, 0.97)])
    drift = score_drift(baseline, scores, names(600) + [name] * flood)
    assert drift.level == DriftLevel.STABLE
    assert drift.uploaders == 601
    if flood >= 500:
        assert score_drift(baseline, scores).level == DriftLevel.DRIFTED


def test_the_same_scores_from_many_uploaders_do(baseline):
    rng = np.random.default_rng(5)
    scores = np.concatenate([scores_of(rng, 600), np.full(500, 0.97)])
    assert score_drift(baseline, scores, names(1100)).level == DriftLevel.DRIFTED


def test_false_alarms_are_rare_when_an_uploaders_videos_are_alike():
    rng = np.random.default_rng(6)

    def sample(uploaders, each=5):
        return np.repeat(scores_of(rng, uploaders), each), names(uploaders * each, each)

    scores, who = sample(1000)
    baseline = Baseline.from_scores(scores, uploaders=who)
    drifts = [score_drift(baseline, *sample(60)) for _ in range(200)]
    assert sum(d.level in ALARMS for d in drifts) <= 6


@pytest.mark.parametrize(
    ("items", "uploaders"),
    [
        pytest.param(0, None, id="empty"),
        pytest.param(99, None, id="few-items"),
        pytest.param(3000, names(3000, each=150), id="few-uploaders"),
    ],
)
def test_too_little_is_not_an_alarm(baseline, items, uploaders):
    drift = score_drift(baseline, np.full(items, 0.99), uploaders)
    assert drift.level == DriftLevel.NOT_ENOUGH
    assert drift.psi is None
    assert "not enough" in drift.reason


@pytest.mark.parametrize(
    ("value", "level"),
    [
        pytest.param(0.3, DriftLevel.STABLE, id="the-same"),
        pytest.param(0.4, DriftLevel.DRIFTED, id="above"),
        pytest.param(0.2, DriftLevel.DRIFTED, id="below"),
    ],
)
def test_constant_scores(value, level):
    constant = Baseline.from_scores(np.full(500, 0.3))
    assert score_drift(constant, np.full(500, value)).level == level


def test_a_heavy_value_has_a_bin_of_its_own():
    rng = np.random.default_rng(7)
    scores = np.where(rng.random(4000) < 0.5, 0.0, rng.random(4000))
    baseline = Baseline.from_scores(scores)
    assert score_drift(baseline, scores[:2000]).level == DriftLevel.STABLE
    moved = np.where(scores == 0.0, 1e-6, scores)
    assert score_drift(baseline, moved).level == DriftLevel.DRIFTED


def test_scores_that_are_no_numbers_are_left_out_and_reported(baseline):
    scores = scores_of(np.random.default_rng(8), 1000)
    scores[:12] = np.nan
    drift = score_drift(baseline, scores, names(1000))
    assert (drift.level, drift.items) == (DriftLevel.STABLE, 988)
    assert "12 of 1000 scores are no numbers" in drift.reason
    nothing = score_drift(baseline, np.full(500, np.nan))
    assert nothing.level == DriftLevel.NOT_ENOUGH
    assert "500 of 500" in nothing.reason


@pytest.mark.parametrize(
    ("scores", "bins"),
    [
        pytest.param(np.arange(50.0), 10, id="few"),
        pytest.param(np.array([0.1] * 200 + [np.nan]), 10, id="nan"),
        pytest.param(np.arange(500.0), 1, id="one-bin"),
    ],
)
def test_bad_baselines_are_refused(scores, bins):
    with pytest.raises(RoutingError, match="drift baseline needs"):
        Baseline.from_scores(scores, bins=bins)


@pytest.mark.parametrize(
    "raw",
    [
        {"edges": [0.5], "shares": [0.5, 0.5]},
        {"edges": [0.5], "shares": [1.0], "items": 10.0},
        {"edges": [0.5, 0.4], "shares": [0.3, 0.3, 0.4], "items": 10.0},
        {"edges": [0.5], "shares": [1.0, 0.0], "items": 10.0},
    ],
    ids=["field", "length", "falling", "zero"],
)
def test_damaged_baselines_are_refused(raw):
    with pytest.raises(RoutingError):
        Baseline.from_json(raw)


def test_baseline_round_trip(baseline):
    assert Baseline.from_json(json.loads(json.dumps(baseline.to_json()))) == baseline
    assert sum(baseline.shares) == pytest.approx(1.0)


def test_wrong_number_of_uploaders_is_refused(baseline):
    with pytest.raises(RoutingError, match="3 uploaders for 200 items"):
        score_drift(baseline, np.zeros(200), ["a", "b", "c"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=80))
def test_no_uploader_weighs_more_than_the_cap(who):
    groups = number_uploaders(who, len(who))
    weights, effective = capped_weights(groups)
    totals = np.bincount(groups, weights)
    assert totals.max() <= 5 + 1e-9
    assert 1 - 1e-9 <= effective <= len(set(who)) + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_does_not_matter(random):
    rng = np.random.default_rng(9)
    scores, who = scores_of(rng, 400), names(400, each=3)
    baseline = Baseline.from_scores(scores_of(rng, 500))
    order = list(range(400))
    random.shuffle(order)
    one = score_drift(baseline, scores, who)
    other = score_drift(baseline, scores[order], [who[i] for i in order])
    assert one.psi == pytest.approx(other.psi)


# Calibration


def labelled(rng, items, error=0.0, rate=-1.5):
    predicted = 1 / (1 + np.exp(-rng.normal(rate, 1.2, items)))
    return predicted, (rng.random(items) < np.clip(predicted + error, 0, 1)).astype(int)


def selectively_labelled(rng, items, error=0.0, audit=0.05):
    """All unsure items have labels; of the sure ones only the audited."""
    predicted, labels = labelled(rng, items, error)
    propensity = np.where(np.abs(predicted - 0.5) < 0.25, 1.0, audit)
    seen = rng.random(items) < propensity
    return predicted[seen], labels[seen], propensity[seen]


@pytest.fixture(scope="module")
def calibrated():
    return calibration_baseline(*labelled(np.random.default_rng(10), 5000))


@pytest.mark.parametrize(
    ("error", "level"),
    [
        pytest.param(0.0, DriftLevel.STABLE, id="none"),
        pytest.param(0.035, DriftLevel.WATCH, id="some"),
        pytest.param(0.12, DriftLevel.DRIFTED, id="much"),
    ],
)
def test_calibration_levels(calibrated, error, level):
    drift = calibration_drift(calibrated, *labelled(np.random.default_rng(12), 20_000, error))
    assert drift.level == level
    assert drift.low < drift.change < drift.high
    assert drift.change == pytest.approx(error, abs=0.015)


@pytest.mark.parametrize("items", [150, 1000])
def test_false_calibration_alarms_are_rare(calibrated, items):
    rng = np.random.default_rng(13)
    drifts = [calibration_drift(calibrated, *labelled(rng, items)) for _ in range(200)]
    assert sum(d.level in ALARMS for d in drifts) <= 6


def test_rare_violations_raise_no_alarm_by_their_absence():
    rng = np.random.default_rng(14)
    base = calibration_baseline(*labelled(rng, 20_000, rate=-4.0))
    drifts = [calibration_drift(base, *labelled(rng, 250, rate=-4.0)) for _ in range(200)]
    assert sum(d.level in ALARMS for d in drifts) <= 6
    assert any(d.level == DriftLevel.STABLE for d in drifts)


def test_weights_undo_selective_labels():
    """Errors sit among the confident items, which are seldom labelled."""
    rng = np.random.default_rng(15)
    base = CalibrationBaseline(0.0, 0.002)

    def sample(weighted):
        predicted, _ = labelled(rng, 40_000)
        confident = np.abs(predicted - 0.5) >= 0.25
        labels = (rng.random(predicted.size) < predicted + 0.06 * (predicted < 0.25)).astype(int)
        propensity = np.where(confident, 0.05, 1.0)
        seen = rng.random(predicted.size) < propensity
        weights = propensity[seen] if weighted else None
        truth = float(np.mean(labels - predicted))
        return truth, calibration_drift(base, predicted[seen], labels[seen], weights)

    (truth, ours), (_, naive) = sample(True), sample(False)
    assert ours.low < truth < ours.high
    assert naive.error < truth / 2


def test_false_alarms_with_selective_labels_are_rare():
    rng = np.random.default_rng(16)
    base = calibration_baseline(*selectively_labelled(rng, 60_000))
    drifts = [calibration_drift(base, *selectively_labelled(rng, 3000)) for _ in range(200)]
    assert sum(d.level in ALARMS for d in drifts) <= 6


def test_one_uploaders_errors_are_not_drift(calibrated):
    rng = np.random.default_rng(17)
    predicted, labels = labelled(rng, 800)
    predicted = np.concatenate([predicted, np.full(800, 0.05)])
    labels = np.concatenate([labels, np.ones(800, dtype=int)])
    who = names(800) + ["flooder"] * 800
    assert calibration_drift(calibrated, predicted, labels, None, who).level == DriftLevel.STABLE
    assert calibration_drift(calibrated, predicted, labels).level == DriftLevel.DRIFTED


@pytest.mark.parametrize(
    ("predicted", "uploaders"),
    [
        pytest.param(np.full(40, 0.5), None, id="few-labels"),
        pytest.param(np.full(500, 0.5), names(500, each=25), id="few-uploaders"),
        pytest.param(np.full(500, 0.001), None, id="nothing-uncertain"),
        pytest.param(np.array([]), None, id="empty"),
    ],
)
def test_too_few_labels_are_not_an_alarm(calibrated, predicted, uploaders):
    labels = np.ones(predicted.size)
    drift = calibration_drift(calibrated, predicted, labels, None, uploaders)
    assert (drift.level, drift.change) == (DriftLevel.NOT_ENOUGH, None)
    assert "not enough" in drift.reason
    with pytest.raises(RoutingError, match="no calibration baseline"):
        calibration_baseline(predicted, labels, None, uploaders)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param(([1.2], [0], [1.0]), id="probability"),
        pytest.param(([float("nan")], [0], [1.0]), id="nan"),
        pytest.param(([0.5], [2], [1.0]), id="label"),
        pytest.param(([0.5], [1], [0.0]), id="propensity"),
        pytest.param(([0.5, 0.5], [1], [1.0]), id="lengths"),
    ],
)
def test_bad_labels_are_refused(calibrated, columns):
    with pytest.raises(RoutingError):
        calibration_drift(calibrated, *columns)


def test_calibration_baseline_round_trip(calibrated):
    assert CalibrationBaseline.from_json(json.loads(json.dumps(calibrated.to_json()))) == calibrated
    with pytest.raises(RoutingError):
        CalibrationBaseline.from_json({"error": 0.0})


# Report


@pytest.mark.parametrize(
    ("shift", "error", "labels", "level"),
    [
        pytest.param(0.0, 0.0, 2000, DriftLevel.STABLE, id="stable"),
        pytest.param(1.2, 0.0, 2000, DriftLevel.DRIFTED, id="scores"),
        pytest.param(0.0, 0.15, 2000, DriftLevel.DRIFTED, id="calibration"),
        pytest.param(0.0, 0.0, 10, DriftLevel.STABLE, id="few-labels"),
    ],
)
def test_the_worse_level_counts(baseline, calibrated, shift, error, labels, level):
    rng = np.random.default_rng(18)
    report = drift_report(
        "violence",
        score_drift(baseline, scores_of(rng, 2000, shift)),
        calibration_drift(calibrated, *labelled(rng, labels, error)),
    )
    assert report.level == level
    assert len(report.reasons) == 2
    assert all("\n" not in reason for reason in report.reasons)


def test_report_is_plain_json(baseline):
    report = drift_report("hate_harassment", score_drift(baseline, np.zeros(5)))
    raw = json.loads(json.dumps(report.to_json()))
    assert raw["level"] == "not_enough"
    assert raw["policy"] == "hate_harassment"
    assert raw["scores"]["items"] == 5
    assert raw["calibration"] is None
