"""Two stages' answers on a policy become one."""

from __future__ import annotations

import pytest

from coefvq import combine
from coefvq.combinations import MLLM_ALONE, combination_of
from coefvq.domain import Assessment, PolicyScore, Stage, WhyNot
from coefvq.mllm.fused.shipped import read_shipped
from coefvq.prefilter.weights import load as load_prefilter
from coefvq.routing.combination import Combination

POLICY = "hate_harassment"
SHIPPED = (load_prefilter()[1], read_shipped().version)


def _answer(
    stage: Stage, version: str, probability: float | None, why_not: str | None = None
) -> Assessment:
    score = PolicyScore(POLICY, probability, probability is not None, why_not)
    return Assessment(stage, version, {POLICY: score})


def _final(
    p1: float | None,
    p2: float | None,
    versions: tuple[str, str] = SHIPPED,
    why_not: str | None = None,
) -> float | None:
    first = _answer(Stage.PREFILTER, versions[0], p1)
    second = _answer(Stage.MLLM, versions[1], p2, why_not)
    return combine.final_score(POLICY, first, second).final


@pytest.mark.parametrize("policy", ["hate_harassment", "scam_spam", "violence"])
def test_the_shipped_pair_of_models_has_a_fitted_combination(policy: str) -> None:
    found = combination_of(policy, *SHIPPED)
    assert found != MLLM_ALONE
    assert found.prefilter > 0 < found.mllm


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        pytest.param("hate_harassment", ("other", SHIPPED[1]), id="another prefilter"),
        pytest.param("hate_harassment", (SHIPPED[0], "other"), id="another MLLM"),
        pytest.param("watermark", SHIPPED, id="a policy that the MLLM does not cover"),
    ],
)
def test_models_nobody_compared_leave_the_mllm_alone(
    policy: str, versions: tuple[str, str]
) -> None:
    assert combination_of(policy, *versions) == MLLM_ALONE == Combination(0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("p1", "p2", "low", "high"),
    [
        pytest.param(0.05, 0.95, 0.5, 0.95, id="only the MLLM has seen it"),
        pytest.param(0.8, 0.8, 0.8, 0.999, id="two witnesses say more than one"),
        pytest.param(0.2, 0.2, 0.001, 0.2, id="and so they do where they acquit"),
        pytest.param(0.9, 0.5, 0.5, 0.9, id="the prefilter tips an undecided MLLM"),
    ],
)
def test_both_stages_count(p1: float, p2: float, low: float, high: float) -> None:
    final = _final(p1, p2)
    assert final is not None
    assert low < final < high


@pytest.mark.parametrize(
    ("p1", "p2", "why_not", "final"),
    [
        pytest.param(0.3, None, WhyNot.NOT_TRAINED, 0.3, id="the MLLM does not cover it"),
        pytest.param(None, 0.7, None, 0.7, id="the prefilter had nothing to read"),
        pytest.param(0.3, None, WhyNot.LANGUAGE_NOT_COVERED, None, id="the MLLM found a gap"),
        pytest.param(None, None, WhyNot.NOT_TRAINED, None, id="nobody covers it"),
    ],
)
def test_one_stage_alone(
    p1: float | None, p2: float | None, why_not: str | None, final: float | None
) -> None:
    assert _final(p1, p2, why_not=why_not) == final


def test_models_nobody_compared_give_the_mllms_answer() -> None:
    assert _final(0.9, 0.3, ("other", "models")) == pytest.approx(0.3, abs=1e-6)
