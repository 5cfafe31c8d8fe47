"""Certificates are tried against a known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import routing_guarantees
from benchmarks.routing_guarantees import (
    TARGET,
    draw,
    miss_rate,
    population,
    run_guarantees,
    synthetic,
    thresholds,
)
from coefvq.routing.fit import fit_policy
from coefvq.routing.request import FitRequest
from tests.unit.benchmarks.routing_rows import write_konvid


@pytest.fixture(scope="module")
def policy():
    return fit_policy(synthetic(800, 5), FitRequest("entropy", budget=0.3))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(routing_guarantees, "POPULATION", 4000)
    population.cache_clear()
    yield
    population.cache_clear()


@pytest.mark.parametrize("seed", range(5))
def test_the_surer_the_method_the_lower_its_cut(policy, seed):
    cuts = thresholds(policy, synthetic(800, 100 + seed))
    assert cuts["learn_then_test"] <= cuts["conformal_risk_control"] <= cuts["naive"]


@pytest.mark.parametrize("seed", range(3))
def test_the_naive_cut_keeps_the_target_on_its_own_labels(policy, seed):
    from coefvq.routing.route import route

    labels = synthetic(800, 200 + seed)
    cut = thresholds(policy, labels)["naive"]
    assert (route(policy, labels).final[labels.label == 1] < cut).mean() <= TARGET


@pytest.mark.parametrize(
    ("pass_below", "missed"),
    [pytest.param(0.0, 0.0, id="nothing passes"), pytest.param(1.1, 1.0, id="all pass")],
)
def test_miss_rate_counts_violations_that_pass(policy, pass_below, missed):
    cut = replace(policy.thresholds, pass_below=pass_below, flag_from=2.0)
    assert miss_rate(replace(policy, thresholds=cut), synthetic(500, 9)) == missed


def test_labels_of_the_list_are_drawn_from_it_with_names_of_their_own(tmp_path):
    write_konvid(tmp_path)
    labels, whole = draw("konvid", str(tmp_path), 3), population("konvid", str(tmp_path))
    assert set(labels.mllm) <= set(whole.mllm)
    assert len(set(labels.item_id)) == len(labels) > len(whole)


def test_one_resample_has_every_method():
    row = run_guarantees("synthetic", "", "entropy", 1)
    for method in ("certified_fit", "learn_then_test", "conformal_risk_control", "naive"):
        assert 0 <= row[method] <= 1
    assert row["learn_then_test"] <= row["naive"]


def test_a_refused_fit_is_no_certificate(monkeypatch):
    monkeypatch.setattr(routing_guarantees, "TARGET", 0.001)
    assert run_guarantees("synthetic", "", "entropy", 1)["certified_fit"] is None


def test_one_in_ten_is_a_violation_and_seeds_count():
    assert abs(synthetic(20_000, 1).label.mean() - 0.1) < 0.01
    assert np.any(synthetic(50, 1).mllm != synthetic(50, 2).mllm)
