"""The entropy rule: its formula, its band, and where it sends things."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from coefvq.domain import RouteName
from coefvq.routing.entropy import EntropyRouting, binary_entropy, certain_below, unsure_band

PROBABILITIES = st.floats(0, 1)
THRESHOLDS = st.floats(0.01, 0.99)


@pytest.mark.parametrize(
    ("probability", "bits"),
    [
        pytest.param(0.0, 0.0, id="certain no"),
        pytest.param(1.0, 0.0, id="certain yes"),
        pytest.param(0.5, 1.0, id="a coin"),
        pytest.param(0.05, 0.286397, id="example of the JSON contract"),
        pytest.param(0.11, 0.499916, id="half a bit"),
    ],
)
def test_entropy_in_bits(probability: float, bits: float) -> None:
    assert binary_entropy(probability) == pytest.approx(bits, abs=1e-6)


@given(PROBABILITIES)
def test_entropy_is_scipys(probability: float) -> None:
    expected = scipy_entropy([probability, 1 - probability], base=2)
    assert binary_entropy(probability) == pytest.approx(expected, abs=1e-9)


@given(PROBABILITIES)
def test_entropy_is_symmetric(probability: float) -> None:
    assert binary_entropy(probability) == pytest.approx(binary_entropy(1 - probability), abs=1e-9)


@pytest.mark.parametrize("bad", [-0.01, 1.01, math.nan, math.inf])
def test_entropy_refuses_what_is_no_probability(bad: float) -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        binary_entropy(bad)


@given(THRESHOLDS)
def test_the_band_begins_where_entropy_meets_the_threshold(threshold: float) -> None:
    edge = certain_below(threshold)
    assert 0 < edge < 0.5
    assert binary_entropy(edge) == pytest.approx(threshold, abs=1e-6)


@given(THRESHOLDS)
def test_the_band_is_symmetric_and_unsure_inside(threshold: float) -> None:
    band = unsure_band(threshold)
    assert band is not None and sum(band) == pytest.approx(1.0)
    assert binary_entropy(band[0] + 1e-6) >= threshold - 1e-9


@pytest.mark.parametrize(("threshold", "band"), [(1.0, None), (2.0, None), (0.0, (0.0, 1.0))])
def test_the_ends_of_the_scale(threshold: float, band: tuple[float, float] | None) -> None:
    found = unsure_band(threshold)
    assert found == band if band is None else found == pytest.approx(band, abs=1e-9)


@pytest.mark.parametrize(
    ("probability", "route", "escalated"),
    [
        pytest.param(0.05, RouteName.AUTO_PASS, False, id="sure it is fine"),
        pytest.param(0.95, RouteName.AUTO_FLAG, False, id="sure it is not"),
        pytest.param(0.40, RouteName.MLLM, True, id="unsure"),
        pytest.param(0.50, RouteName.MLLM, True, id="a coin"),
        pytest.param(None, RouteName.MLLM, True, id="prefilter covers nothing, the MLLM does"),
    ],
)
def test_after_the_prefilter(probability: float | None, route: RouteName, escalated: bool) -> None:
    found = EntropyRouting(0.6).after_prefilter(probability)
    assert (found.name, found.escalated) == (route, escalated)
    assert found.rule == "entropy"
    assert found.threshold == 0.6


def test_what_no_model_covers_goes_to_a_person() -> None:
    found = EntropyRouting().after_prefilter(None, mllm_covers=False)
    assert (found.name, found.escalated, found.score) == (RouteName.HUMAN, False, None)


def test_text_the_prefilter_cannot_read_is_escalated_even_when_it_is_sure_of_the_rest() -> None:
    found = EntropyRouting().after_prefilter(0.01, gaps=("hate_harassment",))
    assert (found.name, found.escalated) == (RouteName.MLLM, True)
    assert "hate harassment" in found.reason


@pytest.mark.parametrize(
    ("options", "route"),
    [
        pytest.param({"probability": 0.02}, RouteName.AUTO_PASS, id="sure it is fine"),
        pytest.param({"probability": 0.97}, RouteName.AUTO_FLAG, id="sure it is not"),
        pytest.param({"probability": 0.45}, RouteName.HUMAN, id="still unsure"),
        pytest.param({"probability": None}, RouteName.HUMAN, id="nothing covered"),
        pytest.param({"probability": 0.02, "gaps": ("scam_spam",)}, RouteName.HUMAN, id="gap"),
        pytest.param({"probability": 0.02, "label_mass": 0.1}, RouteName.HUMAN, id="no answer"),
        pytest.param({"probability": 0.02, "label_mass": 0.9}, RouteName.AUTO_PASS, id="answer"),
    ],
)
def test_after_the_mllm(options: dict, route: RouteName) -> None:
    assert EntropyRouting(0.9, 0.6).after_mllm(**options).name is route


@given(PROBABILITIES, THRESHOLDS)
def test_a_higher_threshold_never_escalates_more(probability: float, threshold: float) -> None:
    strict = EntropyRouting(threshold).after_prefilter(probability)
    lax = EntropyRouting(min(1.0, threshold + 0.01)).after_prefilter(probability)
    assert strict.escalated or not lax.escalated


@given(PROBABILITIES, THRESHOLDS)
def test_after_the_mllm_nothing_is_due_any_more(probability: float, threshold: float) -> None:
    assert EntropyRouting(threshold).after_mllm(probability).name is not RouteName.MLLM


@pytest.mark.parametrize(
    ("escalated", "route"),
    [
        pytest.param(True, RouteName.HUMAN, id="escalated: the threshold for people"),
        pytest.param(False, RouteName.AUTO_PASS, id="rode along: the first threshold"),
    ],
)
def test_a_task_that_rides_along_keeps_the_first_threshold(
    escalated: bool, route: RouteName
) -> None:
    found = EntropyRouting(0.9, 0.6).after_mllm(0.25, escalated=escalated)
    assert (found.name, found.threshold) == (route, 0.6 if escalated else 0.9)


def test_the_version_names_rule_and_thresholds() -> None:
    assert EntropyRouting(0.6).version != EntropyRouting(0.61).version
    assert EntropyRouting(0.6, 0.5).version == "entropy-0.6-0.5"
