"""Bootstrap intervals of a replay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from coefvq.routing.replay import replay
from tests.unit.routing.policies import history, policy_for

ARM = {
    "f1", "precision", "recall", "average_precision", "miss_rate", "error_cost", "relative_cost",
    "escalation_rate",
}  # fmt: skip
ITEMS = history(500)


def test_intervals_hold_their_figures_and_repeat() -> None:
    policy = policy_for(ITEMS, band=0.05)
    first = replay(policy, ITEMS, bootstrap=200, seed=4)
    found = first.to_json()
    assert ARM | {"pgr", "human_rate", "false_removal_rate"} <= set(found["intervals"])
    for key, (low, high) in found["intervals"].items():
        assert low <= found[key] <= high, key
    assert first.intervals == replay(policy, ITEMS, bootstrap=200, seed=4).intervals
    assert first.intervals != replay(policy, ITEMS, bootstrap=200, seed=5).intervals
    assert any("Intervals resample" in note for note in found["notes"])


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    policy = policy_for(ITEMS)
    truth = replay(policy, history(200_000, seed=99)).measures["recall"]
    hits = 0
    for seed in range(60):
        low, high = replay(policy, history(400, seed=seed), bootstrap=100).intervals["recall"]
        hits += low <= truth <= high
    assert hits >= 50  # 57 are expected; fewer than 50 has a chance below 0.001


def test_intervals_narrow_with_more_rows() -> None:
    policy = policy_for(ITEMS)
    few, many = (
        replay(policy, history(n, seed=1), bootstrap=100).intervals["f1"] for n in (300, 4800)
    )
    assert (few[1] - few[0]) > 2.5 * (many[1] - many[0])


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    replay(policy_for(ITEMS), ITEMS, bootstrap=3, progress=lambda *step: told.append(step))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_an_interval_of_a_share_is_the_textbooks() -> None:
    """Recall of 100 violations: about +- 1.96 standard errors."""
    items = history(2000, seed=2)
    found = replay(policy_for(ITEMS), items, bootstrap=400)
    recall, (low, high) = found.measures["recall"], found.intervals["recall"]
    error = np.sqrt(recall * (1 - recall) / items.violations)
    assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_what_few_resamples_define_has_no_interval() -> None:
    """One violation: a third of the resamples lack it, so that recall has no interval."""
    items = ITEMS.take(np.flatnonzero(ITEMS.label == 0)[:60])
    items = replace(items, label=(np.arange(60) == 0).astype(np.int8))
    found = replay(policy_for(ITEMS), items, bootstrap=60).intervals
    assert np.isnan(found["recall"]).all()
    assert not np.isnan(found["escalation_rate"]).any()


def test_weights_stay_with_their_rows() -> None:
    weight = np.where(ITEMS.label == 1, 1.0, 9.0)
    items = replace(ITEMS, weight=weight)
    found = replay(policy_for(ITEMS), items, bootstrap=100)
    low, high = found.intervals["auto_flag_rate"]
    assert low < found.measures["auto_flag_rate"] < high
    assert high < replay(policy_for(ITEMS), ITEMS).measures["auto_flag_rate"]
