"""Promotion: only what passed against the model in force now; with its routing, or not at all."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from coefvq import combinations
from coefvq.combinations import MLLM_ALONE, combination_of
from coefvq.domain import Assessment, PolicyScore, Stage
from coefvq.errors import ModelError, NotAllowed, RoutingError, TrainingError
from coefvq.learning import promote as store_part
from coefvq.learning import roll_back
from coefvq.learning.dataset.items import GivenSignals
from coefvq.learning.gate import answers
from coefvq.learning.promote import ModelsChanged
from coefvq.learning.registry import in_force, shipped_version
from coefvq.review.access import LOCAL, Actor
from coefvq.routing.fit import fit_policy
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from coefvq.store import events, model_publications, routing_policies, trained_models
from coefvq.work.models import know_combinations
from coefvq.work.promotion import (
    even_sample,
    plan,
    promote_with_routing,
    request_of,
    rollback,
)
from coefvq.work.routing_versions import for_task
from tests.gate_factory import Home

GIVEN = {"signals": GivenSignals()}
STAGE = Stage.PREFILTER


@pytest.fixture
def passed(home: Home) -> str:
    """A better model that the gate let pass."""
    return let_pass(home, home.add(home.models.much))


def let_pass(home: Home, version: str, **more: Any) -> str:
    """What a gate would leave behind; the gate itself is tested beside this."""
    document = {"stage": "prefilter", "reasons": [], **more}
    with home.store.write() as session:
        against, good = in_force(session)[STAGE], not document["reasons"]
        trained_models.add_report(session, version, against, good, document, document["reasons"])
    return version


def promote(home: Home, version: str, **more: Any) -> Any:
    return promote_with_routing(
        home.store, home.settings, LOCAL, version, "it is better", **GIVEN, **more
    )


@pytest.fixture
def mllm_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The MLLM answered every text before, mostly right."""
    rng = np.random.default_rng(2)
    said = {}
    for item in home.models.rows:
        known = {
            name: float(np.clip(0.25 + 0.5 * label + rng.normal(0, 0.2), 0.02, 0.98))
            for name, label in item.labels.items()
        }
        scores = {name: PolicyScore(name, value) for name, value in known.items()}
        said[item.video_id] = Assessment(Stage.MLLM, "mllm-test", scores)

    def before(store: object, stage: Stage, *_: object) -> dict[str, Assessment]:
        return said if stage is Stage.MLLM else {}

    monkeypatch.setattr(answers, "answered_before", before)


def policy(seed: int = 0, **wanted: Any) -> RoutingPolicy:
    """A routing policy of task icd, fitted on made-up answers."""
    rng = np.random.default_rng(seed)
    label = (rng.random(400) < 0.4).astype(int)
    p1, p2 = (np.clip(0.3 + 0.3 * label + rng.normal(0, 0.15, 400), 0.01, 0.99) for _ in range(2))
    request = FitRequest(**{"rule": "entropy", "budget": 0.4, **wanted})
    return for_task(fit_policy(Predictions.of(label, p1, p2), request), "icd")


def publish(home: Home, made: RoutingPolicy) -> str:
    document = json.loads(json.dumps(made.to_json()))
    with home.store.write() as session:
        routing_policies.add(session, made.version, made.rule, document, "ann")
        routing_policies.publish(session, "icd", made.version, "ann", "first")
    return made.version


def routing_now(home: Home) -> dict[str, str]:
    with home.store.read() as session:
        return routing_policies.versions_in_force(session)


def state(home: Home) -> tuple[Any, ...]:
    with home.store.read() as session:
        return (
            in_force(session),
            routing_policies.versions_in_force(session),
            len(model_publications.history(session)),
        )


def test_a_promotion_and_its_way_back(home: Home, passed: str) -> None:
    done = promote(home, passed)
    assert home.live() == passed and done.against == home.base
    told = {each.task: each for each in done.routing}
    assert told["icd"].after == "settings" and "settings' entropy rule" in told["icd"].notes[0]
    assert told["icd"].measured["miss_rate"]["value"] is not None
    with home.store.read() as session:
        event = events.of_subject(session, model_publications.SUBJECT, STAGE.value)[-1]
    assert event.kind == model_publications.PROMOTED and event.data["version"] == passed
    assert roll_back.back_to(home.store, LOCAL, STAGE) == home.base
    back = rollback(home.store, home.settings, LOCAL, STAGE, note="worse after all")
    assert home.live() == home.base and back.rollback
    rollback(home.store, home.settings, LOCAL, STAGE, note="further")
    assert home.live() == shipped_version(STAGE)
    with pytest.raises(TrainingError, match="no way back"):
        rollback(home.store, home.settings, LOCAL, STAGE, note="too far")
    assert [each.rollback for each in store_part.publications(home.store, LOCAL, STAGE)] == [
        True, True, False, False,
    ]  # fmt: skip


def test_the_routing_is_fitted_again_and_goes_back_with_the_model(
    home: Home, passed: str, mllm_said: None
) -> None:
    first = publish(home, policy())
    done = promote(home, passed)
    assert set(done.combined) == {"hate_harassment", "scam_spam"}
    told = next(each for each in done.routing if each.task == "icd")
    assert told.before == first and routing_now(home) == {"icd": told.after} != {"icd": first}
    assert told.fitted_on[0] > 50 and told.measured
    with home.store.read() as session:
        row = routing_policies.get(session, told.after)
        assert row.document["budget"] == 0.4 and row.document["requested"] == "entropy"
        assert row.document["fitted_on"]["n"] == told.fitted_on[0]
        models = routing_policies.models_at_publication(session, "icd", told.after)
    assert models["prefilter"] == passed
    back = rollback(home.store, home.settings, LOCAL, STAGE, note="back")
    assert routing_now(home) == {"icd": first} and back.routing == {"icd": first}


def test_routing_that_cannot_be_certified_refuses_the_promotion(home: Home, passed: str) -> None:
    publish(home, policy(miss_rate=0.35, confidence=0.9))
    before = state(home)
    with pytest.raises(TrainingError, match=r"task icd .* cannot be certified .* nothing was"):
        promote(home, passed)
    assert state(home) == before
    with pytest.raises(TrainingError, match="cannot be certified"):
        plan(home.store, home.settings, LOCAL, passed, **GIVEN)


def test_routing_that_was_published_after_the_promotion_gives_way_to_the_settings(
    home: Home, passed: str
) -> None:
    promote(home, passed)
    later = publish(home, policy(3))
    with pytest.raises(TrainingError, match="first published after"):
        roll_back.rollback(home.store, home.settings, LOCAL, STAGE, note="back")
    assert home.live() == passed
    rollback(home.store, home.settings, LOCAL, STAGE, note="back")
    assert home.live() == home.base and routing_now(home)["icd"] not in (later, None)
    with home.store.read() as session:
        row = routing_policies.in_force(session, "icd")
        assert row is not None and row.document["rule"] == "entropy"


def test_the_gate_must_have_passed_against_what_is_in_force_now(home: Home, passed: str) -> None:
    other = home.add(home.models.little.__class__(**{**vars(home.models.much), "without_text": {
        "hate_harassment": 0.06, "scam_spam": 0.05}}), "other")  # fmt: skip
    with pytest.raises(TrainingError, match="has not been through the gate"):
        promote(home, other)
    let_pass(home, other)
    promote(home, passed)
    with pytest.raises(TrainingError, match=r"compared .* with .* Run the gate again"):
        promote(home, other)
    with pytest.raises(TrainingError, match="in force already"):
        promote(home, passed)


def test_what_the_gate_refused_is_not_promoted(home: Home) -> None:
    version = let_pass(home, home.add(home.models.much), reasons=["scam_spam: worse"])
    with pytest.raises(TrainingError, match=r"The gate refused .*scam_spam"):
        promote(home, version)


@pytest.mark.parametrize(
    ("actor", "note", "expected", "error"),
    [
        (Actor("eve", frozenset({"reviewer"})), "x", None, NotAllowed),
        (LOCAL, "  ", None, TrainingError),
        (LOCAL, "x" * 3000, None, TrainingError),
        (LOCAL, "x", "prefilter-1-gone", ModelsChanged),
    ],
    ids=["no lead", "no note", "long note", "something else in force"],
)
def test_a_promotion_is_refused_and_changes_nothing(
    home: Home, passed: str, actor: Actor, note: str, expected: str | None, error: type[Exception]
) -> None:
    before = state(home)
    with pytest.raises(error):
        promote_with_routing(
            home.store, home.settings, actor, passed, note, expected=expected, **GIVEN
        )
    assert state(home) == before


def test_a_model_changed_on_disk_is_not_promoted_and_not_rolled_back_to(
    home: Home, passed: str
) -> None:
    path = home.settings.models_dir / home.base / "model.safetensors"
    promote(home, passed)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelError, match="was changed"):
        rollback(home.store, home.settings, LOCAL, STAGE, note="back")
    assert home.live() == passed


def test_somebody_publishing_routing_meanwhile_stops_the_promotion(home: Home, passed: str) -> None:
    publish(home, policy())
    with home.store.read() as session:
        seen = routing_policies.versions_in_force(session)
    publish(home, policy(5))
    with pytest.raises(ModelsChanged, match="while the new one was fitted"):
        store_part.promote(
            home.store, home.settings, LOCAL, passed, note="x", routing={"icd": policy(6)},
            seen=seen,
        )  # fmt: skip
    with pytest.raises(TrainingError, match="none was fitted for these"):
        store_part.promote(home.store, home.settings, LOCAL, passed, note="x")
    assert home.live() == home.base


def test_shadows_come_and_go(home: Home, passed: str) -> None:
    started = store_part.shadow(home.store, home.settings, LOCAL, passed, note="a look")
    assert started.version == passed
    with pytest.raises(TrainingError, match="at most one"):
        store_part.shadow(home.store, home.settings, LOCAL, passed, note="again")
    with pytest.raises(TrainingError, match="is in force"):
        store_part.shadow(home.store, home.settings, LOCAL, home.base, note="x")
    promote(home, passed)
    with pytest.raises(TrainingError, match="No model is in the shadow"):
        store_part.end_shadow(home.store, LOCAL, STAGE)


def test_stored_combinations_are_told_to_the_process(home: Home, passed: str) -> None:
    pair = {"prefilter": passed, "mllm": "m", "policies": {
        "scam_spam": {"combination": {"bias": 0.1, "prefilter": 0.5, "mllm": 0.7}}}}  # fmt: skip
    store_part.promote(home.store, home.settings, LOCAL, passed, note="x", combination=pair)
    try:
        know_combinations(home.store)
        assert combination_of("scam_spam", passed, "m").prefilter == 0.5
        assert combination_of("hate_harassment", passed, "m") == MLLM_ALONE
        assert combination_of("scam_spam", home.base, "m") == MLLM_ALONE
    finally:
        combinations.know([])
    assert combination_of("scam_spam", passed, "m") == MLLM_ALONE


@pytest.mark.parametrize(
    "wanted",
    [
        {"rule": "entropy", "budget": 0.25},
        {"rule": "margin", "budget": 0.5, "miss_rate": 0.3, "confidence": 0.8},
        {"rule": "bayes_risk", "budget": 0.4, "miss_rate": 0.3, "false_removal": 0.4},
        {"rule": "entropy", "budget": 0.4, "miss_rate": 0.3, "method": "crc"},
        {"rule": "entropy", "budget": 0.4, "abstention_cost": 0.3},
    ],
    ids=["plain", "certified", "two targets", "conformal", "people"],
)
def test_a_policy_is_asked_for_again_as_it_was(wanted: dict[str, Any]) -> None:
    try:
        made = policy(**wanted)
    except RoutingError as error:
        pytest.fail(f"the request itself cannot be met: {error}")
    again = request_of(RoutingPolicy.from_json(made.to_json()))
    asked = FitRequest(**wanted)
    for name in ("rule", "budget", "miss_rate", "false_removal", "method"):
        assert getattr(again, name) == getattr(asked, name), name
    if asked.certified and asked.method == "ltt":
        assert again.confidence == asked.confidence


def test_an_even_sample_has_the_traffics_shares() -> None:
    rng = np.random.default_rng(0)
    rare = rng.random(20_000) < 0.3
    weight = np.where(rare, 20.0, 1.0)
    found = even_sample(Predictions.of(
        rare.astype(int), rng.random(20_000), rng.random(20_000),
        item_id=np.arange(20_000).astype(str), weight=weight,
    ))  # fmt: skip
    assert not found.weighted
    wanted = (weight * rare).sum() / weight.sum()
    assert found.label.mean() == pytest.approx(wanted, abs=0.02)
