"""Publishing a taxonomy: two leads at once, notes, going back, and what becomes of open cases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from coefvq import taxonomy
from coefvq.errors import NotAllowed, StoreError
from coefvq.review import queue, taxonomies
from coefvq.review.access import Actor
from coefvq.review.taxonomies import TaxonomyConflict, TaxonomyRefused
from coefvq.settings import Settings
from coefvq.store import cases, events
from coefvq.store.session import Store
from coefvq.taxonomy.read import Document, packaged_document
from tests import taxonomy_factory as make
from tests.store_factory import ANN, scored
from tests.taxonomy_factory import policy_row

LEA, LEO = Actor("lea", frozenset({"lead"})), Actor("leo", frozenset({"lead"}))


def severe(level: int, base: Document | None = None) -> Document:
    made = make.document() if base is None else base
    policy_row(made, "scam_spam")["severity"] = level
    return made


def states(store: Store, ids: dict[str, str]) -> dict[str, str]:
    with store.read() as session:
        return {task: cases.get(session, case_id).state for task, case_id in ids.items()}


def test_before_the_first_edit(store: Store) -> None:
    now = taxonomies.current(store, LEA)
    assert (now.version.number, now.version.in_force) == (0, True)
    assert now.document == packaged_document() and now.uncovered is None
    assert [version.number for version in taxonomies.history(store, LEA)] == [0]


def test_publishing_puts_it_in_force_with_its_changes(store: Store) -> None:
    base = taxonomies.current(store, LEA).version.version
    made = taxonomies.publish(store, LEA, severe(5), "scams are grave", base)
    assert (made.number, made.published_by, made.note) == (1, "lea", "scams are grave")
    assert [str(change) for change in made.changes] == ["Policy scam_spam: severity 3 -> 5"]
    assert taxonomy.version() == made.version and taxonomy.policy("scam_spam").severity == 5
    first, second = taxonomies.history(store, LEO)
    assert (first.changes, first.in_force) == (made.changes, True)
    assert (second.number, second.in_force) == (0, False)
    with store.read() as session:
        (event,) = events.of_subject(session, "taxonomy", made.version)
        assert event.data["changes"] == ["Policy scam_spam: severity 3 -> 5"]


def test_the_second_lead_is_told_what_the_first_did_and_applies_theirs_again(
    store: Store,
) -> None:
    base = taxonomies.current(store, LEA).version.version
    taxonomies.publish(store, LEA, severe(5), "scams are grave", base)
    mine = make.with_policy("gambling")
    with pytest.raises(TaxonomyConflict, match=r"lea published version 1 .*scams") as told:
        taxonomies.publish(store, LEO, mine, "gambling", base)
    assert [str(change) for change in told.value.changes] == ["Policy scam_spam: severity 3 -> 5"]
    now, merged = taxonomies.rebase(store, LEO, mine, base)
    assert now.version.number == 1 and merged.clashes == ()
    made = taxonomies.publish(store, LEO, merged.document, "gambling", now.version.version)
    assert made.number == 2 and taxonomy.policy("scam_spam").severity == 5
    assert "gambling" in taxonomy.policies()


def test_of_many_at_once_exactly_one_is_first(store: Store) -> None:
    base = taxonomies.current(store, LEA).version.version

    def one(level: int) -> str:
        try:
            return str(taxonomies.publish(store, LEA, severe(level), "mine", base).number)
        except TaxonomyConflict:
            return "conflict"

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, (1, 2, 4, 5)))
    assert sorted(found) == ["1", "conflict", "conflict", "conflict"]


@pytest.mark.parametrize(
    ("document", "note", "says"),
    [
        pytest.param(make.document, "why", "Nothing differs", id="nothing changes"),
        pytest.param(lambda: severe(5), " \n", "Say in the note why", id="no note"),
        pytest.param(lambda: severe(5), "x" * 501, "501 characters", id="long note"),
        pytest.param(lambda: severe(6), "why", "tasks.0.policies.3.severity: .* 1 .nuisance",
                     id="a problem"),
    ],
)  # fmt: skip
def test_refused_with_what_to_do(
    store: Store, document: Callable[[], Document], note: str, says: str
) -> None:
    with pytest.raises(TaxonomyRefused, match=says):
        taxonomies.publish(store, LEA, document(), note)
    assert taxonomies.current(store, LEA).version.number == 0


def test_an_id_comes_back_only_with_a_note_that_names_it(store: Store) -> None:
    taxonomies.publish(store, LEA, make.without_policy("sexual"), "not ours")
    again = make.document()
    policy_row(again, "sexual")["question"] = "Is anybody naked?"
    assert taxonomies.review(store, LEA, again).back == ("sexual",)
    with pytest.raises(TaxonomyRefused, match="say so in the note and name 'sexual'"):
        taxonomies.publish(store, LEA, again, "ours again")
    made = taxonomies.publish(store, LEA, again, "sexual is ours again, in other words")
    assert made.number == 2


def test_going_back_is_a_new_version(store: Store) -> None:
    taxonomies.publish(store, LEA, make.with_policy("gambling"), "one")
    base = taxonomies.publish(store, LEA, severe(5, make.with_policy("gambling")), "two").version
    made = taxonomies.roll_back(store, LEO, 1, "two was wrong", base)
    assert (made.number, made.published_by) == (3, "leo")
    assert taxonomies.document_of(store, LEA) == make.with_policy("gambling")
    assert taxonomies.roll_back(store, LEO, 0, "all of it was wrong").number == 4
    assert taxonomies.document_of(store, LEA) == packaged_document()
    with pytest.raises(StoreError, match="no version 9"):
        taxonomies.roll_back(store, LEO, 9, "why")


def test_open_cases_of_a_task_that_goes_wait_aside_and_come_back(
    store: Store, settings: Settings
) -> None:
    ids = scored(store, settings)
    assert states(store, ids) == {"icd": "queued", "ucc": "auto"}
    found = taxonomies.review(store, LEA, make.without_task("icd"))
    assert (found.open_cases, found.removed_tasks) == ({"icd": 1}, ("icd",))
    taxonomies.publish(store, LEA, make.without_task("icd"), "not ours")
    assert states(store, ids) == {"icd": "set_aside", "ucc": "auto"}
    assert queue.next_case(store, settings, ANN) is None
    assert queue.counts(store, ANN).total == 0
    taxonomies.roll_back(store, LEA, 0, "ours after all")
    assert states(store, ids) == {"icd": "queued", "ucc": "auto"}
    case = queue.next_case(store, settings, ANN)
    assert case is not None and case.id == ids["icd"]


def test_what_no_model_answers_for_is_named(store: Store, settings: Settings) -> None:
    scored(store, settings)
    taxonomies.publish(store, LEA, make.with_policy("gambling"), "why")
    uncovered = taxonomies.current(store, LEA).uncovered
    assert uncovered is not None and "gambling" in uncovered
    assert uncovered.isdisjoint({"hate_harassment", "violence", "watermark"})


@pytest.mark.parametrize("role", ["viewer", "uploader", "reviewer"])
@pytest.mark.parametrize(
    "call",
    [
        lambda s, a: taxonomies.current(s, a),
        lambda s, a: taxonomies.history(s, a),
        lambda s, a: taxonomies.document_of(s, a),
        lambda s, a: taxonomies.check(s, a, {}),
        lambda s, a: taxonomies.review(s, a, {}),
        lambda s, a: taxonomies.publish(s, a, {}, "why"),
        lambda s, a: taxonomies.roll_back(s, a, 0, "why"),
        lambda s, a: taxonomies.rebase(s, a, {}, "x"),
    ],
    ids=["current", "history", "document", "check", "review", "publish", "back", "rebase"],
)
def test_only_leads_edit(store: Store, role: str, call: Callable[[Store, Actor], object]) -> None:
    with pytest.raises(NotAllowed):
        call(store, Actor("x", frozenset({role})))
