"""What to label next, out of a store: which cases, how they reach people, what a snapshot keeps."""

from __future__ import annotations

import pytest

from coefvq.domain import RouteName
from coefvq.errors import NotAllowed, SettingsError
from coefvq.learning.choose import service
from coefvq.learning.choose.rank import Mixing
from coefvq.learning.choose.service import LABEL_BONUS, next_to_label
from coefvq.learning.dataset.make import make_snapshot
from coefvq.review import golden, queue, queues
from coefvq.review.priority import of as urgency_of
from coefvq.settings import Settings
from coefvq.store import ageing, cases, events
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow
from tests.store_factory import result, route
from tests.unit.review.quality import ANN, HATE, LEA, answer, scored

PASSED = {"icd": route(RouteName.AUTO_PASS)}
BY_SCORE = Mixing(random=0.0, warm_up=0)


def automatic(store: Store, settings: Settings, name: str, probability: float = 0.2) -> str:
    """A case that the machine passed; its id."""
    how = {"icd": {"violence": probability}, "routes": PASSED}
    return scored(store, settings, name.encode(), title=f"clip {name}", **how)["icd"]


def case_of(store: Store, case_id: str) -> CaseRow:
    with store.read() as session:
        return cases.get(session, case_id)


def test_which_cases(store: Store, settings: Settings) -> None:
    """Not those that are decided, golden, restricted, of another task, or chosen before."""
    queues.add(store, LEA, "Worst", policies=["sexual"], restricted=True)
    answer(store, settings, scored(store, settings, b"decided")["icd"], HATE)
    golden.add(store, LEA, automatic(store, settings, "golden"), {"violence": True})
    scored(store, settings, b"restricted", icd={"sexual": 0.9})
    unsure = automatic(store, settings, "unsure", 0.5)
    sure = automatic(store, settings, "sure", 0.01)
    waits = scored(store, settings, b"waits", icd={"violence": 0.9})["icd"]
    found = next_to_label(store, LEA, "icd", mixing=BY_SCORE, seed=0)
    assert {item.case_id for item in found.items} == {unsure, sure, waits}
    assert (found.candidates, found.labels, found.opened) == (3, 1, 0)
    assert {item.case_id: item.waiting for item in found.items}[waits]
    first = next_to_label(store, LEA, "icd", number=1, mixing=BY_SCORE, queue=True).items[0]
    again = next_to_label(store, LEA, "icd", mixing=BY_SCORE)
    assert first.case_id not in {item.case_id for item in again.items}


def test_chosen_cases_reach_people_and_keep_their_propensity(
    store: Store, settings: Settings
) -> None:
    for at in range(4):
        automatic(store, settings, str(at))
    found = next_to_label(store, LEA, "icd", number=2, queue=True, mixing=Mixing(random=1.0))
    assert found.opened == 2
    (item, _) = found.items
    assert (item.propensity, item.reason) == (0.5, "random")
    case = case_of(store, item.case_id)
    assert (case.state, case.rule) == ("queued", "label_next")
    own = urgency_of(result("x", icd={"violence": 0.2}, routes=PASSED).tasks["icd"])
    assert ageing.urgency_of(case) == pytest.approx(own + LABEL_BONUS)
    with store.read() as session:
        told = events.of_subject(session, "case", case.id)[-1]
    assert (told.kind, told.actor, told.data["propensity"]) == ("case.label_next", "lea", 0.5)
    answer(store, settings, item.case_id, HATE)
    snapshot = make_snapshot(store, settings, LEA)
    (labelled,) = snapshot.items
    assert (labelled.propensity, labelled.audit) == (0.5, False)
    assert snapshot.document["drawn"] == 1


def test_one_that_waits_already_comes_earlier_and_stays_where_it_is(
    store: Store, settings: Settings
) -> None:
    waits = scored(store, settings, b"waits")["icd"]
    before = case_of(store, waits)
    next_to_label(store, LEA, "icd", queue=True, mixing=Mixing(random=1.0))
    after = case_of(store, waits)
    assert (after.rule, after.queue, after.queued_at) == ("entropy", None, before.queued_at)
    assert after.priority == pytest.approx(before.priority + LABEL_BONUS)
    answer(store, settings, waits, HATE)
    (labelled,) = make_snapshot(store, settings, LEA).items
    assert labelled.propensity == 1.0  # it would have come to a person in any case


def test_a_queue_can_take_them_and_a_new_score_leaves_them(
    store: Store, settings: Settings
) -> None:
    made = queues.add(store, LEA, "To label", rules=["label_next"])
    case_id = automatic(store, settings, "one")
    next_to_label(store, LEA, "icd", queue=True)
    assert case_of(store, case_id).queue == made.id
    with store.write() as session:
        case = cases.locked(session, case_id)
        cases.send(session, case, route(RouteName.AUTO_PASS), 0.3)
    case = case_of(store, case_id)
    assert (case.state, case.rule, case.queue) == ("queued", "label_next", made.id)
    view = queue.next_case(store, settings, ANN, queue_id=made.id)
    assert view is not None and view.id == case_id


def test_one_decided_meanwhile_is_passed_over(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, other = automatic(store, settings, "one"), automatic(store, settings, "two")
    real = service._send

    def late(*args: object) -> int:
        answer(store, settings, case_id, HATE)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(service, "_send", late)
    assert next_to_label(store, LEA, "icd", queue=True).opened == 1
    assert case_of(store, case_id).state == "decided"
    assert case_of(store, other).state == "queued"


def test_many_are_drawn_from_first(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(4):
        automatic(store, settings, str(at))
    monkeypatch.setattr(service, "MOST_CANDIDATES", 2)
    found = next_to_label(store, LEA, "icd", number=1, mixing=BY_SCORE)
    assert (found.candidates, found.items[0].propensity) == (4, 0.5)


def test_what_is_refused(store: Store, settings: Settings) -> None:
    with pytest.raises(NotAllowed):
        next_to_label(store, ANN, "icd")
    with pytest.raises(SettingsError, match="Did you mean 'icd'"):
        next_to_label(store, LEA, "idc")
    with pytest.raises(SettingsError, match="between 1 and"):
        next_to_label(store, LEA, "icd", number=0)
    assert next_to_label(store, LEA, "icd").items == ()
