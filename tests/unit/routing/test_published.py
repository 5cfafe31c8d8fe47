"""A published policy, one video at a time, and its agreement with the batch."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from coefvq.domain import Route, RouteName
from coefvq.errors import RoutingError
from coefvq.routing.entropy import EntropyRouting, binary_entropy
from coefvq.routing.one_video import DRAWN, Grant, Outcome, Seen
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.predictions import Predictions
from coefvq.routing.published import (
    PublishedRouting,
    describe_certificate,
    refuse_unknown_features,
)
from coefvq.routing.route import ROUTES, route
from tests.routing_factory import CERTIFICATE, certified, human_step, odds, policy, with_features

SETTINGS = EntropyRouting(0.9, 0.8)
PASS, FLAG, HUMAN, MLLM = (
    RouteName.AUTO_PASS,
    RouteName.AUTO_FLAG,
    RouteName.HUMAN,
    RouteName.MLLM,
)
WIDE = Thresholds(0.6, call_from=0.5, pass_below=0.3, flag_from=0.7)


def published(made: RoutingPolicy | None = None) -> PublishedRouting:
    return PublishedRouting(made or policy(), SETTINGS)


def first(seen: Seen, made: RoutingPolicy | None = None, drawn: bool = False) -> Outcome:
    """After the prefilter, with a budget that has just begun."""
    routing = published(made)
    demand = routing.demand(seen, drawn)
    return routing.after_prefilter(seen, demand, routing.reserve({}, seen, demand)[1])


def both(
    p1: float | None, after: Seen, made: RoutingPolicy | None = None, gaps: tuple[str, ...] = ()
) -> Outcome:
    seen = Seen(p1, gaps)
    return published(made).after_mllm(seen, after, first(seen, made).route)


@pytest.mark.parametrize(
    ("probability", "name", "escalated"),
    [
        pytest.param(0.01, PASS, False, id="sure that it is fine"),
        pytest.param(0.45, MLLM, True, id="unsure"),
        pytest.param(0.99, FLAG, False, id="sure that it is not"),
    ],
)
def test_the_rule_decides_who_is_escalated(
    probability: float, name: RouteName, escalated: bool
) -> None:
    made = policy()
    found = first(Seen(probability)).route
    assert (found.name, found.escalated) == (name, escalated)
    assert (found.rule, found.version) == ("entropy", made.version)
    assert found.score == pytest.approx(binary_entropy(probability))
    assert found.threshold == pytest.approx(0.6)


def test_between_the_thresholds_a_person_is_asked_without_the_mllm() -> None:
    made = policy(thresholds=replace(WIDE, escalate_from=0.99))
    found = first(Seen(0.35), made).route
    assert (found.name, found.escalated) == (HUMAN, False)
    assert "between the thresholds" in found.reason


@pytest.mark.parametrize(
    ("seen", "name", "says"),
    [
        pytest.param(Seen(0.01, gaps=("scam_spam",)), MLLM, "scam spam", id="a gap"),
        pytest.param(Seen(None), MLLM, "covers nothing", id="nothing covered"),
        pytest.param(Seen(None, mllm_covers=False), HUMAN, "no model covers", id="no model"),
        pytest.param(
            Seen(0.45, mllm_covers=False), PASS, "covers nothing of", id="the MLLM cannot help"
        ),
    ],
)
def test_what_the_models_cannot_judge(seen: Seen, name: RouteName, says: str) -> None:
    found = first(seen).route
    assert found.name is name and says in found.reason
    assert found.escalated is (name is MLLM)
    assert (found.version, found.score) == (policy().version, None)


def test_features_count_and_what_is_absent_is_filled_in() -> None:
    made = with_features("duration_s", "has_sound")
    seen = Seen(0.1, features={"duration_s": 1.0, "has_sound": math.nan, "title_length": 5.0})
    found = first(seen, made)
    assert odds(found.probability or 0) == pytest.approx(odds(0.1) + 1.0)
    assert first(Seen(0.1), made).probability == pytest.approx(0.1)


def test_a_random_draw_is_escalated_and_says_so() -> None:
    found = first(Seen(0.01), drawn=True).route
    assert (found.name, found.escalated, found.reason) == (MLLM, True, DRAWN)
    assert (found.audit, found.propensity) == (False, 1.0)


@pytest.mark.parametrize(
    ("seen", "grant", "name"),
    [
        pytest.param(Seen(0.45), Grant(False, 0.6, "over the MLLM budget"), PASS, id="its answer"),
        pytest.param(Seen(0.55), Grant(False, 0.6, "over the MLLM budget"), FLAG, id="or flag"),
        pytest.param(Seen(0.45), Grant(False, 0.6, "too many", True), HUMAN, id="a person"),
        pytest.param(Seen(0.1, ("scam_spam",)), Grant(False, 0.6, "over", True), HUMAN, id="gap"),
    ],
)
def test_a_refused_call(seen: Seen, grant: Grant, name: RouteName) -> None:
    routing = published()
    found = routing.after_prefilter(seen, routing.demand(seen), grant).route
    assert (found.name, found.escalated) == (name, False)
    assert found.reason.endswith(grant.refused)


@pytest.mark.parametrize(
    ("p1", "p2", "name"),
    [
        pytest.param(0.45, 0.02, PASS, id="sure that it is fine"),
        pytest.param(0.45, 0.97, FLAG, id="sure that it is not"),
        pytest.param(0.45, 0.4, HUMAN, id="still unsure by the settings"),
    ],
)
def test_after_the_mllm_its_answer_counts(p1: float, p2: float, name: RouteName) -> None:
    found = both(p1, Seen(p2))
    assert found.route.name is name and found.route.escalated
    assert found.probability == pytest.approx(p2, abs=1e-4)
    assert found.route.score == pytest.approx(binary_entropy(p2), abs=1e-3)
    assert (found.route.threshold, found.route.version) == (0.8, policy().version)


@pytest.mark.parametrize(
    ("limit", "name"),
    [pytest.param(0.3, PASS, id="risk accepted"), pytest.param(0.1, HUMAN, id="too risky")],
)
def test_the_policys_own_human_step_takes_the_place_of_the_settings(
    limit: float, name: RouteName
) -> None:
    found = both(0.45, Seen(0.2), policy(human=human_step(limit))).route
    assert found.name is name
    assert (found.score, found.threshold) == (pytest.approx(0.2, abs=1e-3), limit)


def test_disagreement_of_the_stages_raises_the_risk() -> None:
    made = policy(human=human_step(0.3, disagreement=0.5), thresholds=WIDE)
    near, far = both(0.25, Seen(0.2), made).route, both(0.75, Seen(0.2), made).route
    assert near.name is PASS and far.name is HUMAN
    assert (far.score or 0) > (near.score or 0)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        pytest.param(Seen(0.02, label_mass=0.2), "not to be trusted", id="label mass"),
        pytest.param(Seen(0.02, gaps=("hate_harassment",)), "hate harassment", id="gap"),
        pytest.param(Seen(None), "no model covers", id="nothing"),
    ],
)
def test_an_answer_that_is_none_goes_to_a_person(after: Seen, says: str) -> None:
    found = both(0.45, after).route
    assert found.name is HUMAN and says in found.reason
    assert (found.rule, found.version, found.score) == ("entropy", policy().version, None)


@pytest.mark.parametrize(
    ("p1", "gaps"),
    [
        pytest.param(None, (), id="nothing covered"),
        pytest.param(0.9, ("scam_spam",), id="a gap"),
    ],
)
def test_where_the_prefilter_was_blind_the_mllm_alone_counts(
    p1: float | None, gaps: tuple[str, ...]
) -> None:
    made = policy(combination=replace(policy().combination, prefilter=1.0, mllm=1.0))
    found = both(p1, Seen(0.05), made, gaps)
    assert found.route.name is PASS
    assert found.probability == pytest.approx(0.05, abs=1e-4)


def _riding(made: RoutingPolicy, p2: float) -> Outcome:
    """The prefilter was sure, another task woke the MLLM."""
    return both(0.05, Seen(p2), made)


def test_a_task_that_rides_along_is_not_sent_to_a_person_by_the_human_step() -> None:
    found = _riding(policy(human=human_step(0.05)), 0.2)
    assert (found.route.name, found.route.escalated) == (PASS, False)
    assert (found.probability, found.route.threshold) == (pytest.approx(0.2, abs=1e-4), 0.9)


def test_a_task_that_rides_along_may_be_corrected() -> None:
    assert _riding(policy(), 0.97).route.name is FLAG


def test_under_a_certificate_a_task_that_rides_along_keeps_its_route() -> None:
    made = certified()
    found = _riding(made, 0.97)
    assert found == first(Seen(0.05), made)
    assert (found.route.name, found.probability) == (PASS, pytest.approx(0.05))


@pytest.mark.parametrize(
    "made", [policy(thresholds=WIDE), certified(thresholds=WIDE)], ids=["tracked", "certified"]
)
def test_one_by_one_is_what_the_batch_says(made: RoutingPolicy) -> None:
    """With a budget for everybody and sure settings, nothing but the policy decides."""
    rng = np.random.default_rng(5)
    p1, p2 = rng.uniform(0.001, 0.999, 60), rng.uniform(0.001, 0.999, 60)
    made = replace(made, budget=1.0, human=human_step(0.25))
    made = replace(made, thresholds=replace(WIDE, escalate_from=0.0)) if made.tracked else made
    batch = route(made, Predictions.of(np.arange(60) % 2, p1, p2))
    for row in range(60):
        start = first(Seen(float(p1[row])), made)
        assert start.route.escalated == batch.escalated[row]
        end = start
        if start.route.escalated:
            end = both(float(p1[row]), Seen(float(p2[row])), made)
        assert end.route.name is ROUTES[batch.route[row]]
        assert end.probability == pytest.approx(batch.final[row])


def test_features_that_the_cascade_cannot_supply_are_named() -> None:
    made = with_features("duration_s", "niqe", "brisque")
    with pytest.raises(RoutingError) as found:
        refuse_unknown_features(made, ("duration_s", "has_sound"))
    message = str(found.value)
    assert "feature_niqe, feature_brisque" in message and "Fit it again without them" in message
    assert "Known are: feature_duration_s, feature_has_sound." in message
    refuse_unknown_features(with_features("duration_s"), ("duration_s", "has_sound"))


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        pytest.param(None, "none", id="none"),
        pytest.param(CERTIFICATE, "miss rate <= 0.05 at 0.9", id="one risk"),
        pytest.param(
            {"confidence": None, "risks": [{"name": "false_removal_rate", "target": 0.1}]},
            "false removal rate <= 0.1",
            id="no confidence",
        ),
    ],
)
def test_a_certificate_in_words(certificate: dict | None, words: str) -> None:
    assert describe_certificate(certificate) == words


def test_the_route_before_is_what_the_call_gets() -> None:
    """A wish for the MLLM on a sure video does not make it escalated."""
    seen = Seen(0.05)
    before: Route = first(seen).route
    found = published().after_mllm(seen, Seen(0.02), before).route
    assert not before.escalated and not found.escalated
