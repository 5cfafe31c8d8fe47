"""Adjudication: which of two answers counts, who may say so, and that it happens once."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from coefvq.errors import CoefVQError, DecisionRefused, NotAllowed, StoreError
from coefvq.review import adjudicate, case_view, decide, looks, queue
from coefvq.review.access import Actor
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import decisions, events
from coefvq.store.session import Store
from coefvq.store.tables import DecisionRow, LookRow, UserRow, utcnow
from tests.unit.review.quality import (
    ANN,
    BOB,
    HATE,
    KEEP,
    LEA,
    LEO,
    VIOLENCE,
    answer,
    differing,
    looks_of,
    scored,
    shares,
)


@pytest.fixture
def look(store: Store, settings: Settings) -> LookRow:
    """A case on which Ann said hate, and Bob nothing."""
    return differing(store, settings)


def standing(store: Store, case_id: str) -> DecisionRow:
    with store.read() as session:
        row = decisions.standing(session, case_id)
    assert row is not None
    return row


def people(store: Store, *names: str) -> None:
    with store.write() as session:
        for name in names:
            row = UserRow(name=name, password_hash="x", roles=["lead"], created_at=utcnow())
            session.add(row)


def test_the_list_shows_both_answers(store: Store, settings: Settings, look: LookRow) -> None:
    found = adjudicate.waiting(store, LEA)
    (item,) = found.items
    assert (found.total, item.id, item.case_id, item.task) == (1, look.id, look.case_id, "icd")
    assert item.policies == ("hate_harassment",)
    assert (item.first.reviewer, item.first.action) == ("ann", "remove")
    assert (item.second.reviewer, item.second.action) == ("bob", "keep")
    assert item.machine["hate_harassment"] == pytest.approx(0.87)
    assert item.machine["sexual"] is None
    assert (item.mine, item.allowed) == (False, True)
    assert adjudicate.waiting(store, LEA, task="ucc").total == 0
    assert adjudicate.waiting(store, LEA, offset=1) == adjudicate.Disputes(1, ())


@pytest.mark.parametrize(
    ("which", "form", "label", "action"),
    [
        pytest.param("first", None, "violation", "remove", id="the first"),
        pytest.param("second", None, "ok", "keep", id="the second"),
        pytest.param("own", VIOLENCE, "ok", "remove", id="a third"),
    ],
)
def test_the_ruling_is_the_decision(
    store: Store,
    settings: Settings,
    look: LookRow,
    which: str,
    form: DecisionForm | None,
    label: str,
    action: str,
) -> None:
    decision_id = adjudicate.settle(store, settings, LEA, look.id, which, form, "as agreed")
    row = standing(store, look.case_id)
    assert (row.id, row.kind, row.reviewer, row.role) == (
        decision_id, "adjudication", "lea", "lead",
    )  # fmt: skip
    assert (row.labels["hate_harassment"], row.action) == (label, action)
    assert row.comment == "as agreed"
    (after,) = looks_of(store, look.case_id)
    assert (after.state, after.settled_by) == ("settled", "lea")
    assert adjudicate.waiting(store, LEA).total == 0
    with store.read() as session:
        last = events.of_subject(session, "look", look.id)[-1]
    assert (last.kind, last.data["decision"], last.data["answer"]) == (
        "look.adjudicated", decision_id, which,
    )  # fmt: skip
    assert case_view.view(store, settings, ANN, look.case_id).lease is None


def test_a_ruling_asks_for_no_second_answer(
    store: Store, settings: Settings, look: LookRow
) -> None:
    adjudicate.settle(store, shares(settings, second=1.0), LEA, look.id, "second")
    assert len(looks_of(store, look.case_id)) == 1


def test_it_is_settled_once(store: Store, settings: Settings, look: LookRow) -> None:
    results: list[str] = []
    gate = Barrier(2)

    def rule(actor: Actor, which: str) -> None:
        gate.wait()
        try:
            adjudicate.settle(store, settings, actor, look.id, which)
            results.append("done")
        except DecisionRefused as error:
            results.append(str(error))

    threads = [Thread(target=rule, args=pair) for pair in ((LEA, "first"), (LEO, "second"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[1] == "done" and "settled already" in sorted(results)[0]
    with store.read() as session:
        assert session.query(DecisionRow).filter_by(kind="adjudication").count() == 1


@pytest.mark.parametrize(
    ("which", "form", "says"),
    [
        pytest.param("own", None, "fill in your own", id="no form"),
        pytest.param("third", None, "Choose the first", id="no such answer"),
        pytest.param("own", DecisionForm({"violence": True}, "remove"), "Give a reason", id="bad"),
    ],
)
def test_a_bad_ruling_is_refused_and_changes_nothing(
    store: Store,
    settings: Settings,
    look: LookRow,
    which: str,
    form: DecisionForm | None,
    says: str,
) -> None:
    with pytest.raises(DecisionRefused, match=says):
        adjudicate.settle(store, settings, LEA, look.id, which, form)
    assert looks_of(store, look.case_id)[0].state == "differs"
    assert standing(store, look.case_id).reviewer == "ann"


def test_a_case_that_somebody_has_open_waits(
    store: Store, settings: Settings, look: LookRow
) -> None:
    queue.open_case(store, settings, BOB, look.case_id)
    with pytest.raises(DecisionRefused, match="bob has case"):
        adjudicate.settle(store, settings, LEA, look.id, "first")


def test_only_leads(store: Store, settings: Settings, look: LookRow) -> None:
    with pytest.raises(NotAllowed):
        adjudicate.waiting(store, BOB)
    with pytest.raises(NotAllowed):
        adjudicate.settle(store, settings, BOB, look.id, "first")


@pytest.mark.parametrize("given", ["l0", "golden"])
def test_what_is_no_dispute(store: Store, settings: Settings, given: str) -> None:
    with pytest.raises(StoreError, match="two answers"):
        adjudicate.settle(store, settings, LEA, given, "first")


@pytest.mark.parametrize(
    ("leads", "allowed"),
    [
        pytest.param(["lea", "leo"], False, id="another lead is there"),
        pytest.param(["lea"], True, id="the only lead"),
        pytest.param([], True, id="no users: one person at this machine"),
    ],
)
def test_nobody_rules_on_their_own_answer_where_another_could(
    store: Store, settings: Settings, leads: list[str], allowed: bool
) -> None:
    look = differing(store, settings, by=(LEA, BOB))
    people(store, *leads)
    (item,) = adjudicate.waiting(store, LEA).items
    assert (item.mine, item.allowed) == (True, allowed)
    if allowed:
        adjudicate.settle(store, settings, LEA, look.id, "first")
    else:
        with pytest.raises(NotAllowed, match="Another lead"):
            adjudicate.settle(store, settings, LEA, look.id, "first")
        adjudicate.settle(store, settings, LEO, look.id, "first")


def test_an_answer_that_was_ruled_on_is_not_undone(
    store: Store, settings: Settings, look: LookRow
) -> None:
    adjudicate.settle(store, settings, LEA, look.id, "first")
    for actor, says in ((BOB, "dealt with"), (ANN, "lea has decided"), (LEA, "no decision")):
        with pytest.raises(DecisionRefused, match=says):
            decide.undo_last(store, settings, actor)


def test_an_undone_first_answer_ends_the_dispute(
    store: Store, settings: Settings, look: LookRow
) -> None:
    decide.undo_last(store, settings, ANN)
    assert adjudicate.waiting(store, LEA).total == 0
    with pytest.raises(CoefVQError, match="settled already"):
        adjudicate.settle(store, settings, LEA, look.id, "first")


def test_a_ruling_ends_a_later_look_that_waits(
    store: Store, settings: Settings, look: LookRow
) -> None:
    answer(store, shares(settings, second=1.0), look.case_id, HATE, LEO)
    adjudicate.settle(store, settings, LEA, look.id, "first")
    assert [row.state for row in looks_of(store, look.case_id)] == ["settled", "settled"]
    assert looks.counts(store, LEA).waiting == 0


def test_equal_answers_need_no_ruling(store: Store, settings: Settings) -> None:
    differing(store, settings, second=HATE)
    differing(store, settings, b"2", first=KEEP, second=KEEP)
    scored(store, settings, b"3")
    assert adjudicate.waiting(store, LEA) == adjudicate.Disputes(0, ())
