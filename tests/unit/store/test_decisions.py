"""Decisions and drafts as rows; what they must hold is tested with the review services."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coefvq.settings import Settings
from coefvq.store import cases, decisions, events
from coefvq.store.session import Store
from coefvq.store.tables import CaseState, DecisionRow, utcnow
from tests.store_factory import scored


def decide(store: Store, case_id: str, reviewer: str, label: str = "ok") -> str:
    with store.write() as session:
        row = DecisionRow(
            case_id=case_id,
            task="icd",
            reviewer=reviewer,
            role="reviewer",
            action="keep",
            labels={"violence": label},
            reasons={},
            comment="",
            correction=False,
            snapshot={},
            decided_at=utcnow(),
        )
        return decisions.add(session, cases.get(session, case_id), row).id


@pytest.fixture
def case_id(store: Store, settings: Settings) -> str:
    """A queued case."""
    return scored(store, settings)["icd"]


def undo(store: Store, decision_id: str) -> None:
    with store.write() as session:
        decisions.undo(session, session.get_one(DecisionRow, decision_id), "ann")


def test_a_decision_closes_its_case_and_is_an_event(store: Store, case_id: str) -> None:
    decision_id = decide(store, case_id, "ann")
    with store.read() as session:
        case = cases.get(session, case_id)
        assert (case.state, case.decision_id) == (CaseState.DECIDED, decision_id)
        logged = events.of_subject(session, "decision", decision_id)
    assert [(event.kind, event.actor) for event in logged] == [("case.decided", "ann")]


def test_an_undone_decision_stays_but_does_not_stand(store: Store, case_id: str) -> None:
    decision_id = decide(store, case_id, "ann")
    undo(store, decision_id)
    with store.read() as session:
        assert [row.id for row in decisions.of_case(session, case_id)] == [decision_id]
        assert decisions.standing(session, case_id) is None
        assert decisions.last_by(session, "ann") is None
        assert decisions.count(session) == 0
        assert set(decisions.undone_at(session, [decision_id])) == {decision_id}
        case = cases.get(session, case_id)
    assert (case.state, case.decision_id) == (CaseState.QUEUED, None)


def test_undoing_the_later_lets_the_earlier_stand(store: Store, case_id: str) -> None:
    first = decide(store, case_id, "ann")
    second = decide(store, case_id, "bob", "violation")
    undo(store, second)
    with store.read() as session:
        standing = decisions.standing(session, case_id)
        assert standing is not None and standing.id == first
        assert cases.get(session, case_id).decision_id == first


def test_counts_by_reviewer_and_time(store: Store, case_id: str) -> None:
    decide(store, case_id, "ann")
    decide(store, case_id, "bob")
    soon = utcnow() + timedelta(minutes=1)
    with store.read() as session:
        assert decisions.count(session) == 2
        assert decisions.count(session, reviewer="ann") == 1
        assert decisions.count(session, since=soon) == 0
        assert len(decisions.times_of(session, "ann")) == 1


def test_one_draft_a_case_and_reviewer(store: Store, case_id: str) -> None:
    with store.write() as session:
        decisions.save_draft(session, case_id, "ann", {"comment": "first"})
        decisions.save_draft(session, case_id, "bob", {"comment": "other"})
    with store.write() as session:
        decisions.save_draft(session, case_id, "ann", {"comment": "second"})
    with store.write() as session:
        kept = decisions.draft(session, case_id, "ann")
        assert kept is not None and kept.form == {"comment": "second"}
        decisions.drop_draft(session, case_id, "ann")
        decisions.drop_draft(session, case_id, "ann")
    with store.read() as session:
        assert decisions.draft(session, case_id, "ann") is None
        assert decisions.draft(session, case_id, "bob") is not None


def test_the_decisions_of_a_batch(store: Store, settings: Settings, case_id: str) -> None:
    other = scored(store, settings, b"2")["icd"]
    rows = []
    for each in (case_id, other):
        with store.write() as session:
            row = DecisionRow(
                case_id=each, task="icd", reviewer="ann", role="lead", action="keep", labels={},
                reasons={}, comment="", correction=False, snapshot={}, batch_id="b1",
            )  # fmt: skip
            rows.append(decisions.add(session, cases.get(session, each), row).id)
    with store.read() as session:
        assert [row.id for row in decisions.of_batch(session, "b1")] == rows
        assert events.of_subject(session, "decision", rows[0])[0].data["batch"] == "b1"
    undo(store, rows[0])
    with store.read() as session:
        assert [row.id for row in decisions.of_batch(session, "b1")] == rows[1:]
        assert decisions.of_batch(session, "b2") == []


@pytest.mark.parametrize("state", ["auto", "queued", "decided"])
def test_an_undo_brings_the_former_state_back(store: Store, case_id: str, state: str) -> None:
    with store.write() as session:
        row = DecisionRow(
            case_id=case_id, task="icd", reviewer="ann", role="reviewer", action="keep", labels={},
            reasons={}, comment="", correction=False, snapshot={"state": state},
        )  # fmt: skip
        decision_id = decisions.add(session, cases.get(session, case_id), row).id
    undo(store, decision_id)
    with store.read() as session:
        assert cases.get(session, case_id).state == state
