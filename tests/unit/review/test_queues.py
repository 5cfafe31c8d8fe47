"""Queues: what enters which, and whose cases are open to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from coefvq.domain import RouteName
from coefvq.errors import DecisionRefused, NotAllowed, SettingsError, StoreError
from coefvq.review import case_view, decide, notes, queue, queues
from coefvq.review.access import LOCAL, Actor
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, events
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, UserRow, utcnow
from tests.store_factory import ANN, BOB, route, scored

LEAD = Actor("lea", frozenset({"lead"}))
VIOLENT = {"violence": 0.6}
KEEP = DecisionForm({}, "keep")


def on(*ids: str, name: str = "cyd") -> Actor:
    return Actor(name, frozenset({"reviewer"}), frozenset(ids))


def place_of(store: Store, case_id: str) -> tuple[str | None, str | None, str | None]:
    with store.read() as session:
        row = cases.get(session, case_id)
        return row.queue, row.rule, row.top_policy


@pytest.mark.parametrize(
    ("conditions", "enters"),
    [
        pytest.param({}, True, id="none"),
        pytest.param({"task": "icd"}, True, id="task"),
        pytest.param({"task": "ucc"}, False, id="another task"),
        pytest.param({"policies": ["sexual", "violence"]}, True, id="policy"),
        pytest.param({"policies": ["sexual"]}, False, id="another policy"),
        pytest.param({"rules": ["entropy"]}, True, id="rule"),
        pytest.param({"rules": ["audit", "second_look"]}, False, id="another rule"),
        pytest.param({"policies": ["violence"], "rules": ["audit"]}, False, id="only one holds"),
    ],
)
def test_a_case_enters_a_queue_whose_conditions_all_hold(
    store: Store, settings: Settings, conditions: dict[str, Any], enters: bool
) -> None:
    made = queues.add(store, LEAD, "Mine", **conditions)
    case_id = scored(store, settings, icd=VIOLENT)["icd"]
    assert place_of(store, case_id) == ("mine" if enters else None, "entropy", "violence")
    assert made.id == "mine"


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        pytest.param({"routes": {"icd": route(RouteName.AUTO_PASS, audit=True)}}, "audit", id="a"),
        pytest.param({"routes": {"icd": route(RouteName.MLLM)}}, "mllm_failed", id="mllm failed"),
        pytest.param({"icd": {}}, "not_covered", id="nothing covered"),
        pytest.param({"routes": {"icd": route(rule="margin")}}, "margin", id="routing rule"),
    ],
)
def test_by_which_way_a_case_came(
    store: Store, settings: Settings, how: dict[str, Any], rule: str
) -> None:
    queues.add(store, LEAD, "Others")
    queues.change(store, LEAD, queues.add(store, LEAD, "Way", rules=[rule]).id, position=-1)
    case_id = scored(store, settings, **how)["icd"]
    assert place_of(store, case_id)[:2] == ("way", rule)


def test_a_second_look_moves_a_case(store: Store, settings: Settings) -> None:
    queues.add(store, LEAD, "Second looks", rules=["second_look"])
    case_id = scored(store, settings)["icd"]
    lease = queue.open_case(store, settings, ANN, case_id).lease
    assert lease is not None and lease.token is not None
    assert place_of(store, case_id)[0] is None
    decide.second_look(store, settings, ANN, case_id, lease.token)
    assert place_of(store, case_id)[:2] == ("second-looks", "second_look")


def test_the_first_that_fits_takes_it(store: Store, settings: Settings) -> None:
    queues.add(store, LEAD, "All")
    queues.add(store, LEAD, "Violence", policies=["violence"])
    case_id = scored(store, settings, icd=VIOLENT)["icd"]
    assert place_of(store, case_id)[0] == "all"
    queues.change(store, LEAD, "violence", position=-1)
    assert place_of(store, case_id)[0] == "violence"
    assert [each.id for each in queues.list_queues(store, LEAD)] == ["violence", "all"]


def test_cases_that_wait_move_when_queues_change(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, icd=VIOLENT)["icd"]
    queues.add(store, LEAD, "Violence", policies=["violence"], promised_age_s=3600)
    view = case_view.view(store, settings, ANN, case_id)
    assert view.queued_at is not None
    assert (view.queue, view.due_at) == ("violence", view.queued_at + timedelta(hours=1))
    queues.change(store, LEAD, "violence", promised_age_s=None)
    assert case_view.view(store, settings, ANN, case_id).due_at is None
    assert queues.remove(store, LEAD, "violence") == 1
    assert place_of(store, case_id)[0] is None
    with store.read() as session:
        told = [event.kind for event in events.of_subject(session, "queue", "violence")]
    assert told == ["queue.added", "queue.changed", "queue.removed"]


def test_cases_from_before_there_were_queues_are_sorted_too(
    store: Store, settings: Settings
) -> None:
    case_id = scored(store, settings, icd=VIOLENT)["icd"]
    with store.write() as session:
        row = session.get_one(CaseRow, case_id)
        row.rule = row.top_policy = None
    queues.add(store, LEAD, "Violence", policies=["violence"])
    assert place_of(store, case_id) == ("violence", "entropy", "violence")


def test_decided_cases_stay_in_their_queue(store: Store, settings: Settings) -> None:
    queues.add(store, LEAD, "First")
    case_id = scored(store, settings)["icd"]
    lease = queue.open_case(store, settings, ANN, case_id).lease
    assert lease is not None and lease.token is not None
    decide.submit(store, settings, ANN, case_id, lease.token, KEEP)
    queues.add(store, LEAD, "Second")
    queues.change(store, LEAD, "second", position=-1)
    assert place_of(store, case_id)[0] == "first"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({"name": "  "}, "has no name", id="no name"),
        pytest.param({"task": "icdd"}, "Did you mean 'icd'", id="task"),
        pytest.param({"policies": ["violense"]}, "Did you mean 'violence'", id="policy"),
        pytest.param({"rules": ["audits"]}, "Did you mean 'audit'", id="rule"),
        pytest.param({"promised_age_s": 0}, "more than 0", id="age"),
        pytest.param({"promised_age_s": float("inf")}, "more than 0", id="endless"),
    ],
)
def test_what_no_queue_can_have(store: Store, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        queues.add(store, LEAD, **({"name": "Mine"} | fields))
    assert queues.list_queues(store, LEAD) == ()


def test_a_field_that_queues_do_not_have(store: Store) -> None:
    queues.add(store, LEAD, "Mine")
    with pytest.raises(SettingsError, match="Did you mean 'restricted'"):
        queues.change(store, LEAD, "mine", restrict=True)


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        pytest.param(["A b", "a  B!"], ["a-b", "a-b-2"], id="the same"),
        pytest.param(["Rest"], ["rest-2"], id="the word for all others"),
        pytest.param(["бот", "<b>"], ["queue", "b"], id="other alphabets"),
    ],
)
def test_ids_are_plain_and_of_one_queue_only(
    store: Store, names: list[str], ids: list[str]
) -> None:
    assert [queues.add(store, LEAD, name).id for name in names] == ids


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda store, who: queues.list_queues(store, who), id="list"),
        pytest.param(lambda store, who: queues.add(store, who, "Mine"), id="add"),
        pytest.param(lambda store, who: queues.change(store, who, "q", name="x"), id="change"),
        pytest.param(lambda store, who: queues.remove(store, who, "q"), id="remove"),
    ],
)
def test_only_leads_set_queues_up(store: Store, ask: Any) -> None:
    with pytest.raises(NotAllowed):
        ask(store, ANN)


@pytest.mark.parametrize("name", ["change", "remove"])
def test_an_unknown_queue(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="no queue q"):
        getattr(queues, name)(store, LEAD, "q")


@pytest.fixture
def three(store: Store, settings: Settings) -> dict[str, str]:
    """A case in an open queue, one in a restricted queue, one in none; by queue."""
    queues.add(store, LEAD, "Severe", policies=["violence"], restricted=True)
    queues.add(store, LEAD, "Spam", policies=["scam_spam"])
    return {
        "severe": scored(store, settings, b"1", icd=VIOLENT)["icd"],
        "spam": scored(store, settings, b"2", icd={"scam_spam": 0.5})["icd"],
        "rest": scored(store, settings, b"3", icd={"sexual": 0.5})["icd"],
    }


@pytest.mark.parametrize(
    ("actor", "given"),
    [
        pytest.param(ANN, {"severe", "spam", "rest"}, id="no list: all"),
        pytest.param(on("spam"), {"spam", "rest"}, id="one queue"),
        pytest.param(on("severe"), {"severe", "rest"}, id="the restricted one"),
        pytest.param(on(), {"rest"}, id="an empty list: what is in no queue"),
        pytest.param(
            Actor("lea", frozenset({"lead"}), frozenset()), {"severe", "spam", "rest"}, id="a lead"
        ),
    ],
)
def test_who_is_given_what(
    store: Store, settings: Settings, three: dict[str, str], actor: Actor, given: set[str]
) -> None:
    got: list[str] = []
    while (view := queue.next_case(store, settings, actor, exclude=got)) is not None:
        got.append(view.id)
    assert set(got) == {three[name] for name in given}
    assert queue.counts(store, actor).total == len(given)


@pytest.mark.parametrize("name", ["severe", "spam", "rest"])
def test_one_queue_on_request(
    store: Store, settings: Settings, three: dict[str, str], name: str
) -> None:
    view = queue.next_case(store, settings, ANN, queue_id=name)
    assert view is not None and view.id == three[name]
    assert queue.next_case(store, settings, BOB, queue_id=name) is None


@pytest.mark.parametrize(
    ("actor", "queue_id", "error"),
    [
        pytest.param(on("spam"), "severe", NotAllowed, id="closed"),
        pytest.param(ANN, "nothing", StoreError, id="unknown"),
    ],
)
def test_a_queue_that_one_cannot_work_on(
    store: Store,
    settings: Settings,
    three: dict[str, str],
    actor: Actor,
    queue_id: str,
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        queue.next_case(store, settings, actor, queue_id=queue_id)


ASKS = {
    "open": lambda s, t, a, c: queue.open_case(s, t, a, c),
    "poll": lambda s, t, a, c: case_view.view(s, t, a, c),
    "decide": lambda s, t, a, c: decide.submit(s, t, a, c, 1, KEEP),
    "skip": lambda s, t, a, c: queue.skip(s, t, a, c, 1),
    "second look": lambda s, t, a, c: decide.second_look(s, t, a, c, 1),
    "draft": lambda s, t, a, c: queue.save_draft(s, a, c, KEEP),
    "explain": lambda s, t, a, c: queue.request_rationale(s, a, c),
    "note": lambda s, t, a, c: notes.add(s, a, c, "hello"),
    "take": lambda s, t, a, c: queue.assign(s, a, c, a.name),
}


@pytest.mark.parametrize("ask", ASKS)
def test_a_restricted_case_is_closed_whatever_is_asked(
    store: Store, settings: Settings, three: dict[str, str], ask: str
) -> None:
    with pytest.raises(NotAllowed, match="restricted queue"):
        ASKS[ask](store, settings, on("spam"), three["severe"])


def test_a_queue_that_is_not_restricted_can_be_looked_into(
    store: Store, settings: Settings, three: dict[str, str]
) -> None:
    view = queue.open_case(store, settings, on("severe"), three["spam"])
    assert view.lease is not None and view.lease.mine


def test_a_sibling_in_a_restricted_queue_is_not_named(store: Store, settings: Settings) -> None:
    queues.add(store, LEAD, "Severe", policies=["violence"], restricted=True)
    ids = scored(store, settings, icd=VIOLENT, routes={"ucc": route()})
    assert case_view.view(store, settings, on(), ids["ucc"]).siblings == ()
    assert case_view.view(store, settings, ANN, ids["ucc"]).siblings == (("icd", ids["icd"]),)


def test_who_has_no_access_is_assigned_nothing(
    store: Store, settings: Settings, three: dict[str, str]
) -> None:
    with store.write() as session:
        session.add(UserRow(name="bob", password_hash="x", roles=["reviewer"], queues=["spam"]))
    with pytest.raises(NotAllowed, match="bob has no access"):
        queue.assign(store, LEAD, three["severe"], "bob")
    with pytest.raises(DecisionRefused, match="Nobody named dan"):
        queue.assign(store, LEAD, three["severe"], "dan")


def test_counts_by_queue(store: Store, settings: Settings, three: dict[str, str]) -> None:
    queues.change(store, LEAD, "spam", promised_age_s=60)
    with store.write() as session:
        row = session.get_one(CaseRow, three["spam"])
        row.queued_at, row.due_at = utcnow() - timedelta(hours=1), utcnow() - timedelta(minutes=59)
    queue.open_case(store, settings, BOB, three["rest"])
    seen = {view.id: view for view in queue.counts(store, ANN).queues}
    assert list(seen) == ["severe", "spam", "rest"]
    assert [view.waiting for view in seen.values()] == [1, 1, 0]
    assert [view.late for view in seen.values()] == [0, 1, 0]
    assert seen["spam"].promised_age_s == 60 and seen["spam"].broken
    assert seen["spam"].oldest_s is not None and seen["spam"].oldest_s >= 3600
    assert queue.counts(store, ANN).oldest_s == pytest.approx(seen["spam"].oldest_s, abs=5)


def test_counts_show_ones_own_queues_first_and_no_closed_one(
    store: Store, settings: Settings, three: dict[str, str]
) -> None:
    queues.add(store, LEAD, "Audits", rules=["audit"])
    seen = queue.counts(store, on("audits")).queues
    assert [(view.id, view.open, view.waiting) for view in seen] == [
        ("audits", True, 0),
        ("rest", True, 1),
        ("spam", False, 0),
    ]


def test_without_queues_there_are_none_to_show(store: Store, settings: Settings) -> None:
    scored(store, settings)
    assert queue.counts(store, ANN).queues == ()
    assert queue.counts(store, on("gone")).total == 1


@pytest.mark.parametrize(("name", "seen"), [("spam", {"spam", "rest"}), ("severe", None)])
def test_what_a_listing_may_show(
    store: Store, settings: Settings, three: dict[str, str], name: str, seen: set[str] | None
) -> None:
    with store.read() as session:
        found = set(
            session.query(CaseRow.id)
            .where(queues.visible(session, on(name)), CaseRow.state == "queued")
            .with_entities(CaseRow.id)
            .all()
        )
    expected = three.values() if seen is None else [three[each] for each in seen]
    assert {row[0] for row in found} == set(expected)


@pytest.mark.parametrize(
    ("which", "by", "order"),
    [(0, 1, "bac"), (2, -1, "acb"), (2, -9, "cab"), (0, -1, "abc"), (0, 9, "bca"), (1, 0, "abc")],
)
def test_a_queue_is_moved_by_places(store: Store, which: int, by: int, order: str) -> None:
    ids = [queues.add(store, LOCAL, name).id for name in "abc"]
    queues.change(store, LOCAL, ids[2], position=70)  # places may have gaps
    moved = queues.move(store, LOCAL, ids[which], by)
    found = queues.list_queues(store, LOCAL)
    assert "".join(each.name for each in found) == order
    assert [each.position for each in found] == [0, 1, 2]
    assert moved in found
