"""Grave and uncertain first."""

from __future__ import annotations

import math

import pytest

from coefvq.domain import RouteName
from coefvq.review import priority
from tests.store_factory import route, task_result


def of(task: str, **finals: float | None) -> float:
    return priority.of(task_result(task, finals, route(RouteName.HUMAN)))


@pytest.mark.parametrize(
    ("more", "less"),
    [
        pytest.param(of("icd", violence=0.5), of("ucc", watermark=0.5), id="graver policy"),
        pytest.param(of("icd", violence=0.5), of("icd", violence=0.05), id="less sure"),
        pytest.param(of("icd", violence=0.9), of("icd", violence=0.1), id="likelier, as sure"),
        pytest.param(of("icd", violence=0.5), of("icd"), id="covered and grave before unknown"),
        pytest.param(of("icd"), of("icd", violence=0.02), id="unknown before surely fine"),
    ],
)
def test_order(more: float, less: float) -> None:
    assert more > less


def test_nothing_covered_is_full_uncertainty_and_no_gravity() -> None:
    assert of("icd") == 1.0


def test_the_formula() -> None:
    assert of("icd", violence=0.9) == round(4 / 5 * 0.9 + 0.469, 1)


@pytest.mark.parametrize(
    ("probability", "bits"), [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0), (0.11, 0.4999), (0.89, 0.4999)]
)
def test_entropy(probability: float, bits: float) -> None:
    assert priority.entropy_bits(probability) == pytest.approx(bits, abs=1e-3)


@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.6, 0.99])
def test_the_band_is_where_the_entropy_crosses_the_threshold(threshold: float) -> None:
    band = priority.entropy_band(threshold)
    assert band is not None
    low, high = band
    assert low + high == pytest.approx(1.0)
    assert priority.entropy_bits(low) == pytest.approx(threshold, abs=1e-6)
    assert low < 0.5 < high


@pytest.mark.parametrize("threshold", [1.0, 2.0])
def test_nothing_lies_above_one_bit(threshold: float) -> None:
    assert priority.entropy_band(threshold) is None


def test_a_threshold_of_nothing_escalates_all() -> None:
    band = priority.entropy_band(0.0)
    assert band is not None and math.isclose(band[0], 0.0, abs_tol=1e-9)
