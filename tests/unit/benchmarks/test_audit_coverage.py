"""Intervals from random audits cover a known truth; the naive figure is far off it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from benchmarks.audit_coverage import (
    SCENARIOS,
    Run,
    Scenario,
    coverage,
    naive_error,
    outcomes,
    run,
    true_miss_rate,
)
from benchmarks.insights_store import World
from coefvq.routing.route import HUMAN, PASS

RUNS, ITEMS, POPULATION = 40, 6_000, 400_000


@cache
def runs(scenario: Scenario) -> tuple[float, list[Run]]:
    truth = true_miss_rate(scenario.world, POPULATION)
    return truth, [run(scenario, ITEMS, 1_000 + seed) for seed in range(RUNS)]


@pytest.mark.parametrize("scenario", SCENARIOS[1:4], ids=lambda each: each.name)
def test_intervals_cover_the_truth_and_the_naive_figure_is_far_off(scenario: Scenario) -> None:
    truth, found = runs(scenario)
    assert coverage(found, truth) >= 0.93
    assert naive_error(found, truth) > 0.5
    assert all(each.naive < truth for each in found)


def test_more_audits_make_the_interval_narrower() -> None:
    widths = [
        np.mean([each.high - each.low for each in runs(scenario)[1]]) for scenario in SCENARIOS[1:3]
    ]
    assert widths[1] < 0.8 * widths[0]


def test_a_run_can_be_repeated() -> None:
    assert run(SCENARIOS[2], 1000, 5) == run(SCENARIOS[2], 1000, 5)
    assert run(SCENARIOS[2], 1000, 5) != run(SCENARIOS[2], 1000, 6)


def test_the_simulated_platform_has_every_outcome() -> None:
    truth, route = outcomes(World(), np.random.default_rng(1), 20_000)
    shares = np.bincount(route, minlength=3) / len(route)
    assert (shares > 0).all() and shares[PASS] > 0.7 and shares[HUMAN] < 0.2
    assert 0.05 < truth.mean() < 0.2


def test_an_interval_that_misses_counts_as_missed() -> None:
    assert coverage([Run(0.5, 0.4, 0.6, 0.1), Run(0.5, 0.1, 0.2, 0.1)], 0.5) == 0.5
    assert naive_error([Run(0.5, 0.4, 0.6, 0.1)], 0.5) == pytest.approx(0.8)
