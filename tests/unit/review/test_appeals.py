"""Appeals: filed once, resolved once, with a reason, and by somebody else where there is one."""

from __future__ import annotations

import pytest

from coefvq.errors import DecisionRefused, NotAllowed, StoreError
from coefvq.review import appeals, case_view, queue
from coefvq.review.appeals import AppealView
from coefvq.settings import Settings
from coefvq.store import decisions, events
from coefvq.store.session import Store
from coefvq.store.tables import UserRow, utcnow
from tests.unit.review.quality import (
    ANN,
    BOB,
    HATE,
    KEEP,
    LEA,
    LEO,
    VIOLENCE,
    answer,
    looks_of,
    scored,
    shares,
)

HOSTILE = "=cmd() <script>alert(1)</script>"


@pytest.fixture
def case_id(store: Store, settings: Settings) -> str:
    """A case that Ann decided: hate."""
    made = scored(store, settings)["icd"]
    answer(store, settings, made, HATE)
    return made


@pytest.fixture
def appeal(store: Store, case_id: str) -> AppealView:
    """An open appeal against it."""
    return appeals.file(store, LEA, case_id, f" {HOSTILE}\x00 ")


def test_an_appeal_is_against_the_decision_that_stands(
    store: Store, case_id: str, appeal: AppealView
) -> None:
    assert (appeal.state, appeal.case_id, appeal.text) == ("open", case_id, HOSTILE)
    assert (appeal.decision.reviewer, appeal.filed_by, appeal.allowed) == ("ann", "lea", True)
    assert appeals.list_appeals(store, LEA) == appeals.Appeals(1, (appeal,))
    assert appeals.list_appeals(store, LEA, "upheld").total == 0
    assert appeals.list_appeals(store, LEA, None, "icd").total == 1
    assert appeals.list_appeals(store, LEA, None, "ucc").total == 0


def test_one_at_a_time(store: Store, case_id: str, appeal: AppealView) -> None:
    with pytest.raises(DecisionRefused, match="open already"):
        appeals.file(store, LEA, case_id, "again")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "what the uploader says", id="nothing"),
        pytest.param(" \x00 ", "what the uploader says", id="blank"),
    ],
)
def test_an_appeal_needs_words(store: Store, case_id: str, text: str, says: str) -> None:
    with pytest.raises(DecisionRefused, match=says):
        appeals.file(store, LEA, case_id, text)


def test_nothing_to_appeal_against(store: Store, settings: Settings) -> None:
    with pytest.raises(DecisionRefused, match="Nobody has decided"):
        appeals.file(store, LEA, scored(store, settings)["icd"], "why?")
    with pytest.raises(StoreError, match="no case c0"):
        appeals.file(store, LEA, "c0", "why?")


def test_upheld(store: Store, settings: Settings, case_id: str, appeal: AppealView) -> None:
    done = appeals.uphold(store, settings, LEA, appeal.id, "clearly a slur")
    assert (done.state, done.reason, done.resolved_by) == ("upheld", "clearly a slur", "lea")
    assert done.new_decision_id is None and appeals.list_appeals(store, LEA).total == 0
    with store.read() as session:
        kinds = [event.kind for event in events.of_subject(session, "appeal", appeal.id)]
        assert decisions.standing(session, case_id).reviewer == "ann"  # type: ignore[union-attr]
    assert kinds == ["appeal.filed", "appeal.upheld"]
    assert appeals.file(store, LEA, case_id, "but still").state == "open"


@pytest.mark.parametrize("own", [False, True], ids=["nothing is violated", "another answer"])
def test_overturned(
    store: Store, settings: Settings, case_id: str, appeal: AppealView, own: bool
) -> None:
    always = shares(settings, second=1.0)
    form = VIOLENCE if own else None
    done = appeals.overturn(store, always, LEA, appeal.id, "a quotation", form)
    with store.read() as session:
        row = decisions.standing(session, case_id)
    assert row is not None and row.id == done.new_decision_id
    assert (row.kind, row.reviewer, done.state) == ("appeal", "lea", "overturned")
    assert row.labels["hate_harassment"] == "ok"
    assert (row.labels["violence"], row.action) == (
        ("violation", "remove") if own else ("ok", "keep")
    )
    assert row.comment == ("a fight" if own else "a quotation")
    assert looks_of(store, case_id) == []
    assert case_view.view(store, settings, ANN, case_id).state == "decided"


@pytest.mark.parametrize("act", [appeals.uphold, appeals.overturn])
def test_a_reason_is_needed_and_it_ends_once(
    store: Store, settings: Settings, appeal: AppealView, act: object
) -> None:
    for reason, says in (("", "Say why"), ("x" * 2001, "at most 2000")):
        with pytest.raises(DecisionRefused, match=says):
            act(store, settings, LEA, appeal.id, reason)  # type: ignore[operator]
    act(store, settings, LEA, appeal.id, "so")  # type: ignore[operator]
    with pytest.raises(DecisionRefused, match="already"):
        act(store, settings, LEA, appeal.id, "so")  # type: ignore[operator]


def test_the_same_answer_is_no_overturning(
    store: Store, settings: Settings, appeal: AppealView
) -> None:
    with pytest.raises(DecisionRefused, match="same answer"):
        appeals.overturn(store, settings, LEA, appeal.id, "so", HATE)
    assert appeals.list_appeals(store, LEA).total == 1


def test_a_case_that_somebody_has_open_waits(
    store: Store, settings: Settings, case_id: str, appeal: AppealView
) -> None:
    queue.open_case(store, settings, BOB, case_id)
    with pytest.raises(DecisionRefused, match="bob has case"):
        appeals.overturn(store, settings, LEA, appeal.id, "so")


def test_only_leads(store: Store, settings: Settings, case_id: str, appeal: AppealView) -> None:
    for call in (
        lambda: appeals.file(store, BOB, case_id, "x"),
        lambda: appeals.list_appeals(store, BOB),
        lambda: appeals.uphold(store, settings, BOB, appeal.id, "x"),
        lambda: appeals.overturn(store, settings, BOB, appeal.id, "x"),
        lambda: appeals.figures(store, BOB),
    ):
        with pytest.raises(NotAllowed):
            call()
    with pytest.raises(StoreError, match="no appeal a0"):
        appeals.uphold(store, settings, LEA, "a0", "x")


def test_who_decided_does_not_resolve_where_another_can(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, settings, case_id, HATE, LEA)
    alone = appeals.file(store, LEA, case_id, "why?")
    assert alone.allowed
    with store.write() as session:
        for name in ("lea", "leo"):
            session.add(UserRow(name=name, password_hash="x", roles=["lead"], created_at=utcnow()))
    assert not appeals.list_appeals(store, LEA).items[0].allowed
    with pytest.raises(NotAllowed, match="Another lead"):
        appeals.uphold(store, settings, LEA, alone.id, "mine")
    assert appeals.uphold(store, settings, LEO, alone.id, "right").resolved_by == "leo"


def test_figures(store: Store, settings: Settings, appeal: AppealView) -> None:
    empty = appeals.figures(store, LEA, since=utcnow())
    assert (empty.filed, empty.overturned.value, empty.policies) == (0, None, ())
    appeals.overturn(store, settings, LEA, appeal.id, "so")
    second = scored(store, settings, b"2")["icd"]
    answer(store, settings, second, HATE, BOB)
    appeals.uphold(store, settings, LEA, appeals.file(store, LEA, second, "x").id, "so")
    third = scored(store, settings, b"3")["icd"]
    answer(store, settings, third, KEEP, BOB)
    appeals.file(store, LEA, third, "a reporter disagrees")
    found = appeals.figures(store, LEA, "icd")
    assert (found.filed, found.open) == (3, 1)
    assert (found.overturned.hits, found.overturned.n) == (1, 2)
    policies = {name: (rate.hits, rate.n) for name, rate in found.policies}
    reviewers = {name: (rate.hits, rate.n) for name, rate in found.reviewers}
    assert policies == {"hate_harassment": (1, 2)}
    assert reviewers == {"ann": (1, 1), "bob": (0, 1)}
