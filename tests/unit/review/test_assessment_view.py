"""The route on a card: when the band of the entropy rule is drawn."""

from __future__ import annotations

import pytest

from coefvq.review.assessment_view import route_view
from coefvq.routing.entropy import EntropyRouting, is_settings_version
from tests.routing_factory import policy
from tests.store_factory import route


@pytest.mark.parametrize("threshold", [0.0, 1e-05, 0.123456, 0.6, 0.9, 1.0])
@pytest.mark.parametrize("human", [0.0, 0.8, 1.0])
def test_the_settings_rule_is_recognised(threshold: float, human: float) -> None:
    assert is_settings_version(EntropyRouting(threshold, human).version)


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(policy().version, id="published with the entropy rule"),
        pytest.param("entropy-0123456789", id="all digits"),
        pytest.param("entropy-1e05012345", id="like a number"),
        pytest.param("margin-0.5-0.5", id="another rule"),
        pytest.param("entropy", id="no threshold"),
    ],
)
def test_a_published_policy_is_not_the_settings_rule(version: str) -> None:
    assert not is_settings_version(version)
    found = route_view(route(version=version))
    assert (found.escalate_low, found.escalate_high) == (None, None)
    assert (found.version, found.threshold) == (version, 0.6)


def test_the_band_is_that_of_the_threshold() -> None:
    rule = EntropyRouting(0.9, 0.8)
    found = route_view(rule.after_prefilter(0.5))
    assert (found.escalate_low, found.escalate_high) == pytest.approx((0.316, 0.684), abs=1e-3)


def test_there_is_no_band_where_nothing_can_be_unsure_enough() -> None:
    found = route_view(EntropyRouting(1.0, 0.8).after_prefilter(0.5))
    assert (found.escalate_low, found.escalate_high) == (None, None)
