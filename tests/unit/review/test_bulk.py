"""Deciding a selection, taking it back, sending a selection to people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coefvq.domain import RouteName
from coefvq.errors import DecisionRefused, NotAllowed, StoreError
from coefvq.review import bulk, case_view, decide, queue, queues
from coefvq.review.access import Actor
from coefvq.review.views import CaseView, DecisionForm
from coefvq.settings import Settings
from coefvq.store import decisions, events
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from tests.store_factory import ANN, BOB, route, scored

LEAD = Actor("lea", frozenset({"lead"}))
OTHER_LEAD = Actor("leo", frozenset({"lead"}))
KEEP = DecisionForm({}, "keep")
REMOVE = DecisionForm(
    {"violence": True}, "remove", {"violence": "weapon used"}, notice='"{title}" was removed.'
)


@pytest.fixture
def ids(store: Store, settings: Settings) -> list[str]:
    """Three cases that wait."""
    return [scored(store, settings, bytes([n]), title=f"clip {n}")["icd"] for n in range(3)]


def seen(store: Store, settings: Settings, case_id: str) -> CaseView:
    return case_view.view(store, settings, LEAD, case_id)


def kinds(store: Store, subject: str, subject_id: str) -> list[str]:
    with store.read() as session:
        return [event.kind for event in events.of_subject(session, subject, subject_id)]


def test_a_selection_is_decided_with_one_form(
    store: Store, settings: Settings, ids: list[str]
) -> None:
    batch = bulk.decide_many(store, settings, LEAD, [*ids, ids[0]], REMOVE)
    assert (batch.done, batch.refused) == (3, {})
    for number, case_id in enumerate(ids):
        view = seen(store, settings, case_id)
        decision = view.decisions[0]
        assert (view.state, view.lease, decision.batch_id) == ("decided", None, batch.batch_id)
        assert decision.notice == f'"clip {number}" was removed.'
        assert decision.snapshot["verdict_id"] == view.verdict_id
        assert kinds(store, "decision", decision.id) == ["case.decided"]
    assert kinds(store, "batch", batch.batch_id) == ["batch.decided"]


def test_what_cannot_be_decided_is_refused_and_the_rest_goes_on(
    store: Store, settings: Settings, ids: list[str]
) -> None:
    queue.open_case(store, settings, BOB, ids[0])
    other_task = scored(store, settings, b"9", routes={"ucc": route()})["ucc"]
    batch = bulk.decide_many(store, settings, LEAD, [*ids, other_task, "c0"], REMOVE)
    assert batch.done == 2
    assert set(batch.refused) == {ids[0], other_task, "c0"}
    assert "bob has it open" in batch.refused[ids[0]]
    assert "not in task 'ucc'" in batch.refused[other_task]
    assert "There is no case c0" in batch.refused["c0"]
    assert seen(store, settings, ids[0]).lease is not None
    assert seen(store, settings, other_task).lease is None


def test_what_was_decided_is_not_decided_again(
    store: Store, settings: Settings, ids: list[str]
) -> None:
    bulk.decide_many(store, settings, LEAD, ids, KEEP)
    again = bulk.decide_many(store, settings, LEAD, ids, REMOVE)
    assert again.done == 0 and "decided already" in again.refused[ids[0]]
    assert len(seen(store, settings, ids[0]).decisions) == 1


def test_a_form_that_lacks_something_is_refused_for_each(
    store: Store, settings: Settings, ids: list[str]
) -> None:
    form = DecisionForm({"violence": True}, "remove")
    batch = bulk.decide_many(store, settings, LEAD, ids, form)
    assert batch.done == 0
    assert all("Give a reason" in why for why in batch.refused.values())
    assert seen(store, settings, ids[0]).lease is None


def test_a_batch_is_taken_back_whole(store: Store, settings: Settings, ids: list[str]) -> None:
    settled = scored(store, settings, b"8", routes={"icd": route(RouteName.AUTO_FLAG)})["icd"]
    batch = bulk.decide_many(store, settings, LEAD, [*ids, settled], KEEP)
    assert bulk.undo_batch(store, LEAD, batch.batch_id) == 4
    assert [seen(store, settings, each).state for each in [*ids, settled]] == ["queued"] * 3 + [
        "auto"
    ]
    assert seen(store, settings, ids[0]).lease is None
    decision = seen(store, settings, ids[0]).decisions[0]
    assert decision.undone_at is not None
    assert kinds(store, "decision", decision.id) == ["case.decided", "decision.undone"]
    assert kinds(store, "batch", batch.batch_id) == ["batch.decided", "batch.undone"]
    with pytest.raises(DecisionRefused, match="Nothing of batch"):
        bulk.undo_batch(store, LEAD, batch.batch_id)
    with store.read() as session:
        assert events.verify(session) is None and decisions.count(session) == 0


def test_what_somebody_opened_or_decided_since_stays(
    store: Store, settings: Settings, ids: list[str]
) -> None:
    batch = bulk.decide_many(store, settings, LEAD, ids, KEEP)
    queue.open_case(store, settings, BOB, ids[0])
    lease = queue.open_case(store, settings, ANN, ids[1]).lease
    assert lease is not None and lease.token is not None
    form = DecisionForm(REMOVE.labels, "remove", REMOVE.reasons)
    decide.submit(store, settings, ANN, ids[1], lease.token, form)
    assert bulk.undo_batch(store, LEAD, batch.batch_id) == 1
    states = [seen(store, settings, each).state for each in ids]
    assert states == ["decided", "decided", "queued"]


@pytest.mark.parametrize(
    ("actor", "seconds", "error", "says"),
    [
        pytest.param(OTHER_LEAD, 0.0, DecisionRefused, "is lea's", id="somebody else's"),
        pytest.param(LEAD, 31.0, DecisionRefused, "30 seconds", id="too late"),
        pytest.param(ANN, 0.0, NotAllowed, "may not decide many", id="not allowed"),
    ],
)
def test_who_cannot_take_a_batch_back(
    store: Store,
    settings: Settings,
    ids: list[str],
    actor: Actor,
    seconds: float,
    error: type[Exception],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = bulk.decide_many(store, settings, LEAD, ids, KEEP)
    later = utcnow() + timedelta(seconds=seconds)
    monkeypatch.setattr(bulk, "utcnow", lambda: later)
    with pytest.raises(error, match=says):
        bulk.undo_batch(store, actor, batch.batch_id)
    assert seen(store, settings, ids[0]).state == "decided"


@pytest.mark.parametrize(
    ("number", "says"), [(0, "No case is selected"), (501, "501 cases are selected")]
)
def test_how_much_can_be_selected(store: Store, settings: Settings, number: int, says: str) -> None:
    with pytest.raises(DecisionRefused, match=says):
        bulk.decide_many(store, settings, LEAD, [f"c{n}" for n in range(number)], KEEP)


def test_a_reviewer_decides_one_at_a_time(store: Store, settings: Settings, ids: list[str]) -> None:
    with pytest.raises(NotAllowed):
        bulk.decide_many(store, settings, ANN, ids, KEEP)


def test_videos_are_sent_to_people_unless_they_wait_already(
    store: Store, settings: Settings
) -> None:
    passed = {"icd": route(RouteName.AUTO_PASS), "ucc": route(RouteName.AUTO_PASS)}
    first = scored(store, settings, b"1", routes=passed)
    second = scored(store, settings, b"2")
    videos = [seen(store, settings, each["icd"]).video.id for each in (first, second)]
    assert bulk.enqueue_videos(store, ANN, videos) == 3
    assert bulk.enqueue_videos(store, ANN, videos) == 0
    view = seen(store, settings, first["icd"])
    assert view.state == "queued" and view.queued_at is not None
    assert kinds(store, "case", first["icd"]) == ["case.sent"]
    assert kinds(store, "case", second["icd"]) == []
    assert queue.counts(store, ANN).waiting == {"icd": 2, "ucc": 2}


def test_sending_an_unknown_video_sends_none(store: Store, settings: Settings) -> None:
    passed = {"icd": route(RouteName.AUTO_PASS)}
    case_id = scored(store, settings, routes=passed)["icd"]
    video_id = seen(store, settings, case_id).video.id
    with pytest.raises(StoreError, match="no video v0"):
        bulk.enqueue_videos(store, ANN, [video_id, "v0"])
    assert seen(store, settings, case_id).state == "auto"


def test_sent_cases_enter_a_queue(store: Store, settings: Settings) -> None:
    queues.add(store, LEAD, "All", promised_age_s=600)
    passed = {"icd": route(RouteName.AUTO_PASS), "ucc": route(RouteName.AUTO_PASS)}
    case_id = scored(store, settings, routes=passed)["icd"]
    assert seen(store, settings, case_id).queue is None
    bulk.enqueue_videos(store, ANN, [seen(store, settings, case_id).video.id])
    view = seen(store, settings, case_id)
    assert view.queued_at is not None
    assert (view.queue, view.due_at) == ("all", view.queued_at + timedelta(minutes=10))
