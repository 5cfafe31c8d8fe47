"""Undo: an event within half a minute, and the case is where it was before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coefvq.domain import RouteName
from coefvq.errors import DecisionRefused
from coefvq.review import case_view, decide, queue
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from tests.store_factory import ANN, BOB, route, scored

REMOVE = DecisionForm({"hate_harassment": True}, "remove", {"hate_harassment": "slur"}, "said it")
KEEP = DecisionForm({}, "keep")
HUMAN = {"icd": route(), "ucc": route()}


@pytest.fixture
def case_id(store: Store, settings: Settings) -> str:
    """A queued case on which the machine leans to hate."""
    return scored(store, settings)["icd"]


def token_of(store: Store, settings: Settings, case_id: str, actor=ANN) -> int:  # type: ignore[no-untyped-def]
    lease = queue.open_case(store, settings, actor, case_id).lease
    assert lease is not None and lease.token is not None
    return lease.token


def submit(store: Store, settings: Settings, case_id: str, form: DecisionForm, actor=ANN):  # type: ignore[no-untyped-def]
    token = token_of(store, settings, case_id, actor)
    return decide.submit(store, settings, actor, case_id, token, form)


def test_undo_brings_the_case_and_the_form_back(
    store: Store, settings: Settings, case_id: str
) -> None:
    decision_id = submit(store, settings, case_id, REMOVE).decision_id
    view = decide.undo_last(store, settings, ANN)
    assert (view.id, view.state) == (case_id, "queued")
    assert view.lease is not None and view.lease.mine
    assert view.draft is not None and view.draft.action == "remove"
    assert view.draft.labels["hate_harassment"] is True
    assert view.decisions[0].id == decision_id and view.decisions[0].undone_at is not None
    with store.read() as session:
        kinds = [event.kind for event in events.of_subject(session, "decision", decision_id)]
        assert kinds == ["case.decided", "decision.undone"]
        assert events.verify(session) is None


def test_an_undone_case_can_be_decided_anew(store: Store, settings: Settings, case_id: str) -> None:
    submit(store, settings, case_id, REMOVE)
    decide.undo_last(store, settings, ANN)
    submit(store, settings, case_id, KEEP)
    with store.read() as session:
        standing = decisions.standing(session, case_id)
        assert standing is not None and standing.action == "keep"
        assert decisions.count(session) == 1


def test_undo_goes_back_one_decision_at_a_time(store: Store, settings: Settings) -> None:
    ids = scored(store, settings, routes=HUMAN)
    submit(store, settings, ids["icd"], REMOVE)
    submit(store, settings, ids["ucc"], KEEP)
    assert decide.undo_last(store, settings, ANN).id == ids["ucc"]
    assert decide.undo_last(store, settings, ANN).id == ids["icd"]
    with pytest.raises(DecisionRefused, match="no decision of yours"):
        decide.undo_last(store, settings, ANN)


def test_nobody_undoes_what_others_decided(store: Store, settings: Settings, case_id: str) -> None:
    submit(store, settings, case_id, REMOVE)
    with pytest.raises(DecisionRefused, match="no decision of yours"):
        decide.undo_last(store, settings, BOB)


def test_no_undo_once_somebody_else_decided(store: Store, settings: Settings, case_id: str) -> None:
    submit(store, settings, case_id, REMOVE)
    submit(store, settings, case_id, KEEP, BOB)
    with pytest.raises(DecisionRefused, match="bob has decided"):
        decide.undo_last(store, settings, ANN)


def test_no_undo_while_somebody_else_has_it_open(
    store: Store, settings: Settings, case_id: str
) -> None:
    submit(store, settings, case_id, REMOVE)
    token_of(store, settings, case_id, BOB)
    with pytest.raises(DecisionRefused, match="Somebody else"):
        decide.undo_last(store, settings, ANN)
    with store.read() as session:
        assert decisions.count(session) == 1


@pytest.mark.parametrize(
    ("seconds", "works"),
    [pytest.param(25.0, True, id="in time"), pytest.param(31.0, False, id="too late")],
)
def test_undo_works_for_half_a_minute(
    store: Store,
    settings: Settings,
    case_id: str,
    seconds: float,
    works: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit(store, settings, case_id, REMOVE)
    later = utcnow() + timedelta(seconds=seconds)
    monkeypatch.setattr(decide, "utcnow", lambda: later)
    if works:
        assert decide.undo_last(store, settings, ANN).state == "queued"
        return
    with pytest.raises(DecisionRefused, match=f"30 seconds.*Open case {case_id}"):
        decide.undo_last(store, settings, ANN)
    assert case_view.view(store, settings, ANN, case_id).state == "decided"


@pytest.mark.parametrize(
    ("name", "state"),
    [
        pytest.param(RouteName.HUMAN, "queued", id="it waited"),
        pytest.param(RouteName.AUTO_FLAG, "auto", id="the machine had settled it"),
    ],
)
def test_undo_puts_a_case_back_where_it_was(
    store: Store, settings: Settings, name: RouteName, state: str
) -> None:
    case_id = scored(store, settings, routes={"icd": route(name)})["icd"]
    with store.read() as session:
        before = cases.get(session, case_id)
    submit(store, settings, case_id, REMOVE)
    assert decide.undo_last(store, settings, ANN).state == state
    with store.read() as session:
        after = cases.get(session, case_id)
    assert (after.queued_at, after.priority) == (before.queued_at, pytest.approx(before.priority))


def test_undo_of_a_changed_mind_lets_the_first_answer_stand(
    store: Store, settings: Settings, case_id: str
) -> None:
    submit(store, settings, case_id, REMOVE)
    submit(store, settings, case_id, KEEP)
    view = decide.undo_last(store, settings, ANN)
    assert view.state == "decided"
    with store.read() as session:
        standing = decisions.standing(session, case_id)
        assert standing is not None and standing.action == "remove"


def test_undo_of_a_second_look_keeps_it_a_second_look(
    store: Store, settings: Settings, case_id: str
) -> None:
    decide.second_look(store, settings, ANN, case_id, token_of(store, settings, case_id))
    submit(store, settings, case_id, KEEP, BOB)
    view = decide.undo_last(store, settings, BOB)
    assert (view.second_look, view.second_look_by) == (True, "ann")
