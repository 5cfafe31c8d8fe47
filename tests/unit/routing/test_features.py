"""Features as inputs: absent ones, constant ones, and those far outside."""

from __future__ import annotations

import json

import numpy as np
import pytest

from coefvq.routing.features import REACH, FeatureScaling, fit_scaling

NAN = np.nan


def _columns(*columns: list[float]) -> np.ndarray:
    return np.array(columns, dtype=float).T


def test_columns_are_centred_at_the_median_and_scaled() -> None:
    values = np.random.default_rng(0).normal(50, 10, (500, 1))
    found = fit_scaling(("mos",), values)
    scaled = found(values)
    assert np.median(scaled) == pytest.approx(0, abs=1e-9)
    assert scaled.std() == pytest.approx(1, abs=0.02)
    assert found.flagged == (False,)


def test_what_is_absent_gets_the_middle_and_a_flag() -> None:
    found = fit_scaling(("a", "b"), _columns([1.0, 2.0, 3.0, NAN], [0.0, 1.0, 0.0, 1.0]))
    scaled = found(_columns([NAN, 2.0], [1.0, NAN]))
    assert scaled.shape == (2, 3)
    assert scaled[:, 2].tolist() == [1.0, 0.0]
    assert scaled[0, 0] == 0.0 and scaled[1, 1] == 0.0
    assert np.isfinite(scaled).all()


@pytest.mark.parametrize(
    "column",
    [[5.0] * 4, [NAN] * 4, [NAN, NAN, NAN, 2.0], [3.0, NAN, 3.0, NAN], [1e308, -1e308, 0.0, 1.0],
     [0.0, 5e-324, 0.0, 0.0]],
    ids=["constant", "never there", "once there", "constant where there", "huge", "tiny"],
)  # fmt: skip
def test_columns_that_say_nothing_are_left_out(column: list[float]) -> None:
    found = fit_scaling(("dull", "good"), _columns(column, [1.0, 2.0, 3.0, 4.0]))
    assert found.names == ("good",)


def test_far_values_are_held() -> None:
    found = fit_scaling(("a",), _columns([1.0, 2.0, 3.0]))
    assert found(_columns([1e9, -1e9]))[:, 0].tolist() == [REACH, -REACH]


def test_a_sentinel_does_not_set_the_scale() -> None:
    """-999999 for "unknown" must not make all other values one and the same."""
    values = np.random.default_rng(0).normal(50, 10, 500)
    values[:5] = -999_999
    scaled = fit_scaling(("mos",), values[:, None])(values[:, None])[5:]
    assert scaled.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("n", [0, 3], ids=str)
def test_no_feature_no_column(n: int) -> None:
    found = fit_scaling((), np.empty((n, 0)))
    assert found(np.empty((n, 0))).shape == (n, 0)


def test_json_brings_the_same_scaling_back() -> None:
    found = fit_scaling(("a", "b"), _columns([0.1, 0.2, 0.7, NAN], [1.0, 5.0, 2.0, 8.0]))
    assert FeatureScaling.from_json(json.loads(json.dumps(found.to_json()))) == found
