"""Assigning cases to people."""

from __future__ import annotations

import pytest

from coefvq.errors import DecisionRefused, NotAllowed
from coefvq.review import queue
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import cases, events
from coefvq.store.session import Store
from coefvq.store.tables import UserRow
from tests.store_factory import ANN, BOB, scored

VIEWER = Actor("vic", frozenset({"viewer"}))
LEAD = Actor("lea", frozenset({"lead"}))


def next_id(store: Store, settings: Settings, actor: Actor = ANN, **how: object) -> str | None:
    view = queue.next_case(store, settings, actor, **how)  # type: ignore[arg-type]
    return view.id if view else None


def test_an_assigned_case_comes_first_to_one_and_to_no_other(
    store: Store, settings: Settings
) -> None:
    mild = scored(store, settings, b"1", icd={"violence": 0.05})["icd"]
    grave = scored(store, settings, b"2", icd={"violence": 0.6})["icd"]
    queue.assign(store, ANN, mild, "ann")
    assert next_id(store, settings, BOB) == grave
    assert next_id(store, settings, BOB, exclude=[grave]) is None
    assert (queue.counts(store, BOB).total, queue.counts(store, ANN).total) == (1, 1)
    assert next_id(store, settings, ANN) == mild
    assert queue.open_case(store, settings, BOB, mild).assigned_to == "ann"


def test_assigning_is_an_event_with_who_had_it(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    queue.assign(store, ANN, case_id, "ann")
    queue.assign(store, ANN, case_id, "ann")
    queue.assign(store, ANN, case_id, None)
    with store.read() as session:
        told = [event.data for event in events.of_subject(session, "case", case_id)]
    assert told == [{"to": "ann", "before": None}, {"to": None, "before": "ann"}]
    assert next_id(store, settings, BOB) == case_id


def add_user(store: Store, name: str, *roles: str, **more: object) -> None:
    with store.write() as session:
        session.add(UserRow(name=name, password_hash="x", roles=list(roles), **more))


@pytest.mark.parametrize(
    ("actor", "had", "to"),
    [
        pytest.param(ANN, None, "bob", id="to somebody else"),
        pytest.param(ANN, "bob", "ann", id="from somebody else"),
        pytest.param(ANN, "bob", None, id="from somebody else to nobody"),
        pytest.param(VIEWER, None, "vic", id="who may not decide"),
    ],
)
def test_what_a_reviewer_may_not_assign(
    store: Store, settings: Settings, actor: Actor, had: str | None, to: str | None
) -> None:
    case_id = scored(store, settings)["icd"]
    add_user(store, "bob", "reviewer")
    if had is not None:
        queue.assign(store, LEAD, case_id, had)
    with pytest.raises(NotAllowed):
        queue.assign(store, actor, case_id, to)


def test_a_lead_reassigns(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    add_user(store, "bob", "reviewer")
    queue.assign(store, ANN, case_id, "ann")
    queue.assign(store, LEAD, case_id, "bob")
    assert next_id(store, settings, ANN) is None
    assert next_id(store, settings, BOB) == case_id


@pytest.mark.parametrize(
    ("name", "roles", "more", "says"),
    [
        pytest.param("bob", (), {}, "Nobody named bob", id="unknown"),
        pytest.param("bob", ("reviewer",), {"disabled": True}, "Nobody named bob", id="disabled"),
        pytest.param("bob", ("viewer",), {}, "bob may not decide", id="only looks"),
    ],
)
def test_nobody_gets_what_they_cannot_decide(
    store: Store, settings: Settings, name: str, roles: tuple[str, ...], more: dict, says: str
) -> None:
    case_id = scored(store, settings)["icd"]
    if roles:
        add_user(store, name, *roles, **more)
    with pytest.raises(DecisionRefused, match=says):
        queue.assign(store, LEAD, case_id, name)


def test_a_second_look_is_not_assigned_to_who_asked_for_it(
    store: Store, settings: Settings
) -> None:
    case_id = scored(store, settings)["icd"]
    with store.write() as session:
        cases.get(session, case_id).second_look_by = "ann"
    with pytest.raises(DecisionRefused, match="choose somebody else"):
        queue.assign(store, ANN, case_id, "ann")
