"""Grave and uncertain first."""

from __future__ import annotations

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


def test_a_random_audit_comes_up_though_the_machine_is_sure() -> None:
    sure = route(RouteName.AUTO_PASS)
    drawn = route(RouteName.AUTO_PASS, audit=True)
    finals = {"violence": 0.01}
    plain, audit = (priority.of(task_result("icd", finals, way)) for way in (sure, drawn))
    assert audit == pytest.approx(plain + priority.AUDIT_BONUS)
