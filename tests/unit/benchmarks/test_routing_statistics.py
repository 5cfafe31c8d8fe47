"""Intervals over overlapping splits, and figures read off mean curves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.routing_statistics import jackknife, resampled_t
from benchmarks.routing_summary import first_reach

VALUES = np.array([0.1, 0.3, -0.1, 0.2, 0.0])


def test_without_overlap_it_is_the_usual_t_interval():
    found = resampled_t(VALUES, overlap=0.0)
    low, high = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.plain_low, found.plain_high) == pytest.approx((low, high))


@pytest.mark.parametrize("overlap", [0.1, 1.0])
def test_overlap_widens_by_its_formula(overlap):
    found, n = resampled_t(VALUES, overlap), len(VALUES)
    factor = np.sqrt((1 / n + overlap) / (1 / n))
    assert found.high - found.mean == pytest.approx(factor * (found.plain_high - found.mean))
    assert found.low < found.plain_low < found.mean == pytest.approx(0.1)


def test_ties_count_half():
    assert resampled_t(VALUES).better == pytest.approx(3.5 / 5)


def test_the_jackknife_of_a_mean_gives_the_values_back():
    assert jackknife(VALUES, lambda v: float(v.mean())) == pytest.approx(VALUES)


@pytest.mark.parametrize(
    ("level", "rate"),
    [
        pytest.param(0.5, 0.0, id="there from the start"),
        pytest.param(0.65, 0.25, id="on a straight line"),
        pytest.param(0.8, 0.5, id="at a measured rate"),
        pytest.param(0.9, 1.0, id="at the end"),
        pytest.param(0.95, 1.0, id="never"),
    ],
)
def test_where_a_curve_first_reaches_a_level(level, rate):
    assert first_reach(np.array([0.5, 0.8, 0.9]), level) == pytest.approx(rate)
