"""A request is checked before anything is fitted."""

from __future__ import annotations

from typing import Any

import pytest

from coefvq.errors import RoutingError
from coefvq.routing.audit import AuditPlan
from coefvq.routing.policy import RULES
from coefvq.routing.request import FitRequest

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rule": "entropi"}, "Did you mean 'entropy'"),
        ({"rule": ""}, "no rule"),
        ({"budget": -0.1}, "0..1"),
        ({"budget": 1.1}, "0..1"),
        ({"budget": NAN}, "0..1"),
        ({"budget": 0.0}, "the least that can be met is 0.002"),
        ({"budget": 0.05, "audit": AuditPlan(0.0, 0.1)}, "the least that can be met is 0.1"),
        ({"miss_rate": 0.0}, "miss_rate"),
        ({"miss_rate": 1.0}, "miss_rate"),
        ({"miss_rate": NAN}, "miss_rate"),
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0.0}, "confidence"),
        ({"false_removal": 2.0}, "false_removal"),
        ({"human_share": 1.2}, "human_share"),
        ({"human_share": NAN}, "human_share"),
        ({"human_share": 0.1, "abstention_cost": 0.1}, "not both"),
        ({"seed": -1}, "seed"),
        ({"method": "crcc", "miss_rate": 0.1}, "Did you mean 'crc'"),
        ({"method": "crc"}, "certifies a miss rate"),
        ({"method": "crc", "miss_rate": 0.1, "false_removal": 0.1}, "that alone"),
    ],
    ids=str,
)
def test_requests_that_cannot_be_met_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RoutingError, match=words):
        FitRequest(**changes)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_asked_for(rule: str) -> None:
    assert FitRequest(rule=rule).rule == rule


@pytest.mark.parametrize(
    ("changes", "certified"),
    [({}, False), ({"miss_rate": 0.1}, True), ({"false_removal": 0.1}, True)],
    ids=str,
)
def test_a_target_asks_for_a_certificate(changes: dict[str, float], certified: bool) -> None:
    assert FitRequest(**changes).certified is certified


@pytest.mark.parametrize(
    ("budget", "audit", "share"),
    [(0.3, 0.0, 0.3), (0.0, 0.0, 0.0), (1.0, 0.01, 1.0), (0.01, 0.01, 0.0), (0.505, 0.01, 0.5)],
    ids=str,
)
def test_random_draws_are_paid_from_the_budget(budget: float, audit: float, share: float) -> None:
    request = FitRequest(budget=budget, audit=AuditPlan(0.0, audit))
    assert request.ruled_share == pytest.approx(share)
    assert audit + (1 - audit) * request.ruled_share == pytest.approx(budget)
