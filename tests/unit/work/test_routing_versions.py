"""Versions as a lead sees and changes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from coefvq.errors import NotAllowed, RoutingError, SettingsError, StoreError
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import events, routing_policies
from coefvq.store.session import Store
from coefvq.work import routing_versions as versions
from coefvq.work.routing_versions import SETTINGS, InForceChanged
from tests.routing_factory import certified, human_step, policy, with_features
from tests.unit.work.past import Past, keep, publish

LEAD = Actor("lena", frozenset({"lead"}))
OTHER_LEAD = Actor("mara", frozenset({"lead"}))
REVIEWER = Actor("ann", frozenset({"reviewer"}))
ONE, OTHER = policy(), policy(budget=0.2)


def kinds(store: Store) -> list[tuple[str, str]]:
    with store.read() as session:
        return [(row.kind, row.actor) for row in events.of_subject(session, "task", "icd")]


def test_before_any_publication_the_settings_rule_is_in_force(store: Store) -> None:
    found = versions.versions(store, Settings(), LEAD, "icd")
    assert (found.in_force, found.settings_version) == (SETTINGS, "entropy-0.9-0.8")
    assert found.kept == found.publications == () and found.back_to is None
    assert "between 0.316 and 0.684 (0.9 bits)" in found.settings_rule[0]
    assert found.settings_rule[-1] == "draws 1.0% for people at random"


def test_what_there_is_is_told_in_words(store: Store) -> None:
    first = publish(store, ONE)
    second = keep(store, certified(human=human_step(0.2)))
    found = versions.versions(store, Settings(), LEAD, "icd")
    assert [view.version for view in found.kept] == [first, second]
    mine, kept = found.kept
    assert (mine.tasks, kept.tasks) == (("icd",), ())
    assert (mine.rule, mine.objective, mine.budget) == ("entropy", "F1", 0.5)
    assert mine.fitted_on == (100, 20) and mine.certificate == "none"
    assert kept.certificate == "miss rate <= 0.05 at 0.9"
    assert "stays: it is certified" in kept.thresholds[0] and "0.2" in kept.thresholds[2]
    (row,) = found.publications
    assert (row.version, row.note, row.by, row.in_force) == (first, "why", "local", True)


@pytest.mark.parametrize(
    "call",
    [
        lambda s, who: versions.versions(s, Settings(), who, "icd"),
        lambda s, who: versions.bring_in(s, who, "{}"),
        lambda s, who: versions.publish(s, who, "icd", "x", "y", SETTINGS),
        lambda s, who: versions.rollback(s, who, "icd", "", SETTINGS),
    ],
    ids=["versions", "bring in", "publish", "rollback"],
)
def test_only_leads(store: Store, call: Callable[..., Any]) -> None:
    with pytest.raises(NotAllowed):
        call(store, REVIEWER)


def test_publishing_and_going_back_leave_events(store: Store) -> None:
    first, second = keep(store, ONE), keep(store, OTHER)
    versions.publish(store, LEAD, "icd", first, "  the first \x00", SETTINGS)
    versions.publish(store, LEAD, "icd", second, "better", first)
    assert versions.versions(store, Settings(), LEAD, "icd").back_to == first
    found = versions.rollback(store, OTHER_LEAD, "icd", "", second)
    assert (found.version, found.rollback, found.by) == (first, True, "mara")
    assert kinds(store) == [("routing.published", "lena")] * 2 + [("routing.rolled_back", "mara")]
    assert versions.versions(store, Settings(), LEAD, "icd").publications[2].note == "the first"
    with pytest.raises(StoreError, match="no way back"):
        versions.rollback(store, LEAD, "icd", "", first)


def test_the_second_of_two_leads_is_told_and_confirms(store: Store) -> None:
    first, second = keep(store, ONE), keep(store, OTHER)
    versions.publish(store, LEAD, "icd", first, "mine", SETTINGS)
    for call in (
        lambda: versions.publish(store, OTHER_LEAD, "icd", second, "also", SETTINGS),
        lambda: versions.rollback(store, OTHER_LEAD, "icd", "", SETTINGS),
    ):
        with pytest.raises(InForceChanged) as refused:
            call()
        assert f"it is {first} now, published by lena (“mine”)" in str(refused.value)
        assert refused.value.code == "routing_changed"
    versions.publish(store, OTHER_LEAD, "icd", second, "also", first)
    assert versions.versions(store, Settings(), LEAD, "icd").in_force == second


@pytest.mark.parametrize(
    "note", ["", "  ", "\x00", "x" * 2001], ids=["none", "blank", "nul", "long"]
)
def test_a_publication_needs_a_note_that_says_something(store: Store, note: str) -> None:
    version = keep(store, ONE)
    with pytest.raises(RoutingError, match="note"):
        versions.publish(store, LEAD, "icd", version, note, SETTINGS)
    assert kinds(store) == []


def test_what_cannot_be_published(store: Store) -> None:
    version = publish(store, ONE)
    with pytest.raises(RoutingError, match="in force for icd already"):
        versions.publish(store, LEAD, "icd", version, "again", version)
    with pytest.raises(StoreError, match="no routing policy nothing"):
        versions.publish(store, LEAD, "icd", "nothing", "note", version)
    with pytest.raises(SettingsError, match="icd"):
        versions.publish(store, LEAD, "icdd", version, "note", SETTINGS)
    strange = keep(store, with_features("height"))
    with pytest.raises(RoutingError, match="feature_height"):
        versions.publish(store, LEAD, "icd", strange, "note", version)
    of_ucc = keep(store, versions.for_task(OTHER, "ucc"))
    with pytest.raises(RoutingError, match="decisions of task ucc"):
        versions.publish(store, LEAD, "icd", of_ucc, "note", version)
    found = versions.versions(store, Settings(), LEAD, "icd")
    assert [bool(view.problem) for view in found.kept if view.version == strange] == [True]


def test_a_policy_that_this_program_cannot_read_is_shown_with_its_reason(store: Store) -> None:
    with store.write() as session:
        routing_policies.add(session, "learned-x", "learned", {"format": 99}, "ann")
        routing_policies.publish(session, "icd", "learned-x", "ann")
    found = versions.versions(store, Settings(), LEAD, "icd")
    assert found.in_force == "learned-x" and "format 99" in found.kept[0].problem


def changed(**parts: Any) -> str:
    return json.dumps(ONE.to_json() | parts)


def test_a_routing_json_is_brought_in_once(store: Store) -> None:
    assert versions.bring_in(store, LEAD, changed()) == ONE.version
    assert versions.bring_in(store, OTHER_LEAD, changed()) == ONE.version
    (view,) = versions.versions(store, Settings(), LEAD, "icd").kept
    assert (view.made_by, view.tasks) == ("lena", ())
    with store.read() as session:
        (row,) = events.of_subject(session, "routing", ONE.version)
        assert (row.kind, row.actor) == ("routing.kept", "lena")


BAD = {
    "nothing": ("", "not JSON"),
    "words": ("routing", "not JSON"),
    "a list": ("[]", "no routing policy"),
    "another format": (changed(format=2), "format 2"),
    "not a number": (changed(budget=1).replace("1", "NaN", 1), "not JSON|damaged|format"),
    "a budget beyond all": (changed(budget=7), "damaged"),
    "a part that is missing": (json.dumps({"format": 1}), "damaged"),
    "a certificate of words": (changed(certificate=["x"]), "damaged"),
    "a certificate without a number": (
        changed(certificate={"risks": [{"name": "miss_rate", "target": "low"}]}), "damaged"),
    "a fit of words": (changed(fitted_on="x"), "damaged"),
    "half a letter": (changed(notes=["\ud800"]), "damaged"),
    "deep": ("[" * 100_000, "not JSON"),
    "long": (" " * 1_000_001, "1,000,001 characters"),
    "a feature that nobody knows": (json.dumps(with_features("height").to_json()), "height"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "why"), BAD.values(), ids=BAD)
def test_what_is_no_routing_policy_is_refused_in_words(store: Store, text: str, why: str) -> None:
    with pytest.raises(RoutingError, match=why):
        versions.bring_in(store, LEAD, text)
    assert versions.versions(store, Settings(), LEAD, "icd").kept == ()


def test_models_that_changed_since_the_publication_are_named(
    store: Store, settings: Settings
) -> None:
    past = Past(store, settings)
    past.case()
    publish(store, ONE)
    assert versions.versions(store, settings, LEAD, "icd").other_models == {}
    from coefvq.store.tables import AssessmentRow

    with store.write() as session:
        for row in session.query(AssessmentRow).filter_by(stage="mllm"):
            values = {c.name: getattr(row, c.name) for c in row.__table__.columns}
            session.add(AssessmentRow(**values | {"id": "zz", "model_version": "mllm-next"}))
    found = versions.versions(store, settings, LEAD, "icd").other_models
    assert found == {"mllm": "mllm-next"}
