"""The queue: who gets which case, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from coefvq.domain import RouteName
from coefvq.errors import LeaseLost, SettingsError, StoreError
from coefvq.review import queue, waiting
from coefvq.review.access import Actor
from coefvq.review.views import CaseView, DecisionForm
from coefvq.settings import Settings
from coefvq.store import ageing, cases, events, jobs
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, SkipRow, utcnow
from tests.store_factory import ANN, BOB, RATIONALE, route, scored

VIEWER = Actor("vic", frozenset({"viewer"}))
HUMAN = {"icd": route(), "ucc": route()}


def next_id(store: Store, settings: Settings, actor: Actor = ANN, **how: object) -> str | None:
    view = queue.next_case(store, settings, actor, **how)  # type: ignore[arg-type]
    return view.id if view else None


def opened(store: Store, settings: Settings, actor: Actor, case_id: str) -> tuple[CaseView, int]:
    view = queue.open_case(store, settings, actor, case_id)
    assert view.lease is not None and view.lease.token is not None
    return view, view.lease.token


def events_of(store: Store, case_id: str) -> list[str]:
    with store.read() as session:
        return [event.kind for event in events.of_subject(session, "case", case_id)]


def test_an_empty_queue_has_no_next(store: Store, settings: Settings) -> None:
    assert queue.next_case(store, settings, ANN) is None


def test_grave_and_uncertain_come_first_then_the_oldest(store: Store, settings: Settings) -> None:
    mild = scored(store, settings, b"1", icd={"violence": 0.05})["icd"]
    grave = scored(store, settings, b"2", icd={"violence": 0.6})["icd"]
    later = scored(store, settings, b"3", icd={"violence": 0.6})["icd"]
    order = []
    for _ in range(3):
        order.append(next_id(store, settings, exclude=order))
    assert order == [grave, later, mild]


def test_two_reviewers_get_two_cases(store: Store, settings: Settings) -> None:
    scored(store, settings, b"1")
    scored(store, settings, b"2")
    first, second = next_id(store, settings, ANN), next_id(store, settings, BOB)
    assert first and second and first != second
    assert next_id(store, settings, Actor("cyd", frozenset({"reviewer"}))) is None


def test_a_reload_gives_the_same_case_and_token(store: Store, settings: Settings) -> None:
    scored(store, settings, b"1")
    scored(store, settings, b"2")
    first = queue.next_case(store, settings, ANN)
    again = queue.next_case(store, settings, ANN)
    assert first is not None and again is not None and first.lease and again.lease
    assert (again.id, again.lease.token) == (first.id, first.lease.token)
    assert events_of(store, first.id) == ["case.claimed"]


def test_only_one_task_on_request(store: Store, settings: Settings) -> None:
    ids = scored(store, settings, routes=HUMAN)
    assert next_id(store, settings, task="ucc") == ids["ucc"]
    with pytest.raises(SettingsError, match="Unknown task"):
        queue.next_case(store, settings, ANN, task="icc")


def test_what_the_machine_decided_is_not_handed_out_but_can_be_opened(
    store: Store, settings: Settings
) -> None:
    case_id = scored(store, settings, routes={"icd": route(RouteName.AUTO_FLAG)})["icd"]
    assert next_id(store, settings) is None
    view, _ = opened(store, settings, ANN, case_id)
    assert (view.state, view.verdict) == ("auto", "violation")


def test_a_case_that_somebody_has_can_be_read_only(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    opened(store, settings, ANN, case_id)
    view = queue.open_case(store, settings, BOB, case_id)
    assert view.lease is not None
    assert (view.lease.holder, view.lease.mine, view.lease.token) == ("ann", False, None)


def test_who_may_only_look_claims_nothing(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    assert queue.open_case(store, settings, VIEWER, case_id).lease is None


def test_an_unknown_case_is_named(store: Store, settings: Settings) -> None:
    with pytest.raises(StoreError, match="no case c0"):
        queue.open_case(store, settings, ANN, "c0")


def test_heartbeat_prolongs_and_release_frees(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    view, token = opened(store, settings, ANN, case_id)
    assert view.lease is not None
    assert queue.heartbeat(store, settings, ANN, case_id, token) > view.lease.expires_at
    queue.release(store, ANN, case_id, token)
    with pytest.raises(LeaseLost):
        queue.heartbeat(store, settings, ANN, case_id, token)
    assert next_id(store, settings, BOB) == case_id


def test_a_case_whose_time_ran_out_goes_to_the_next(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    hurried = settings.model_copy(update={"case_lease_s": 1e-6})
    _, token = opened(store, hurried, ANN, case_id)
    assert next_id(store, settings, BOB) == case_id
    with pytest.raises(LeaseLost, match="taken over by bob"):
        queue.heartbeat(store, settings, ANN, case_id, token)


def test_a_skipped_case_comes_back_last_and_only_to_who_skipped(
    store: Store, settings: Settings
) -> None:
    first = scored(store, settings, b"1", icd={"violence": 0.6})["icd"]
    second = scored(store, settings, b"2", icd={"violence": 0.05})["icd"]
    _, token = opened(store, settings, ANN, first)
    following = queue.skip(store, settings, ANN, first, token)
    assert following is not None and following.id == second and following.lease
    assert next_id(store, settings, BOB) == first
    assert events_of(store, first) == ["case.claimed", "case.skipped", "case.claimed"]


def test_skipping_the_only_case_gives_none_yet_keeps_it(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    _, token = opened(store, settings, ANN, case_id)
    assert queue.skip(store, settings, ANN, case_id, token) is None
    assert next_id(store, settings, ANN) == case_id


def test_only_the_holder_can_skip(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    _, token = opened(store, settings, ANN, case_id)
    with pytest.raises(LeaseLost):
        queue.skip(store, settings, BOB, case_id, token)


def test_a_draft_survives_and_is_the_reviewers_own(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    form = DecisionForm({"violence": True}, "remove", {"violence": "other"}, "half", 1.0, 2.0)
    saved = queue.save_draft(store, ANN, case_id, form)
    draft = queue.open_case(store, settings, ANN, case_id).draft
    assert draft is not None
    assert (draft.labels, draft.comment, draft.saved_at) == (form.labels, "half", saved)
    assert (draft.start_s, draft.end_s) == (1.0, 2.0)
    assert queue.open_case(store, settings, BOB, case_id).draft is None
    queue.drop_draft(store, ANN, case_id)
    assert queue.open_case(store, settings, ANN, case_id).draft is None


def test_a_draft_of_an_unknown_case_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no case c0"):
        queue.save_draft(store, ANN, "c0", DecisionForm({}, "keep"))


def test_a_rationale_is_asked_for_once(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    assert queue.request_rationale(store, ANN, case_id)
    assert queue.request_rationale(store, ANN, case_id)
    with store.read() as session:
        assert jobs.open_job(session, JobKind.EXPLAIN, case_id=case_id) is not None
        assert jobs.counts(session)["queued"] == 1
    assert queue.open_case(store, settings, ANN, case_id).rationale_due


def test_no_job_where_there_is_a_rationale(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, rationale=RATIONALE)["icd"]
    assert not queue.request_rationale(store, ANN, case_id)


def test_no_rationale_where_the_mllm_did_not_look(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, mllm=False)["icd"]
    with pytest.raises(StoreError, match="has not looked"):
        queue.request_rationale(store, ANN, case_id)


def test_counts(store: Store, settings: Settings) -> None:
    assert queue.counts(store, ANN).total == 0
    assert queue.counts(store, ANN).oldest_s is None
    mine = scored(store, settings, b"1", routes=HUMAN)["icd"]
    theirs = scored(store, settings, b"2")["icd"]
    opened(store, settings, ANN, mine)
    opened(store, settings, BOB, theirs)
    counts = queue.counts(store, ANN)
    assert (counts.waiting, counts.leased) == ({"icd": 1, "ucc": 1}, {"icd": 1})
    assert counts.oldest_s is not None and counts.oldest_s >= 0
    assert queue.counts(store, VIEWER).leased == {"icd": 2}


def test_a_second_look_is_not_offered_to_who_asked(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    with store.write() as session:
        cases.get(session, case_id).second_look_by = "ann"
    assert next_id(store, settings, ANN) is None
    assert (queue.counts(store, ANN).total, queue.counts(store, ANN).second_look) == (0, 1)
    assert next_id(store, settings, BOB) == case_id


@pytest.mark.parametrize(
    ("gaps", "pace"),
    [
        pytest.param([], None, id="none yet"),
        pytest.param([30.0], None, id="two decisions are no pace"),
        pytest.param([20.0, 30.0, 40.0], 30.0, id="median"),
        pytest.param([20.0, 3600.0, 40.0], 30.0, id="lunch does not count"),
    ],
)
def test_pace(settings: Settings, gaps: list[float], pace: float | None) -> None:
    times = [utcnow()]
    for gap in gaps:
        times.append(times[-1] - timedelta(seconds=gap))
    assert waiting.pace(times) == pace


def test_views_are_frozen(store: Store, settings: Settings) -> None:
    scored(store, settings)
    view = queue.next_case(store, settings, ANN)
    assert view is not None
    with pytest.raises(AttributeError):
        view.state = "decided"  # type: ignore[misc]
    assert replace(view, state="decided").state == "decided"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("does not play", "does not play", id="one of the list"),
        pytest.param(" in my own words\x00 ", "in my own words", id="free text"),
        pytest.param("", "", id="none"),
        pytest.param("x" * 300, "x" * 200, id="cut"),
    ],
)
def test_a_skip_says_why(store: Store, settings: Settings, given: str, kept: str) -> None:
    case_id = scored(store, settings)["icd"]
    _, token = opened(store, settings, ANN, case_id)
    queue.skip(store, settings, ANN, case_id, token, reason=given)
    with store.read() as session:
        row = session.get_one(SkipRow, (case_id, "ann"))
        last = events.of_subject(session, "case", case_id)[-1]
    assert (row.reason, last.data) == (kept, {"reason": kept})


def test_waiting_makes_up_for_urgency(store: Store, settings: Settings) -> None:
    grave = scored(store, settings, b"2", icd={"violence": 0.6})["icd"]
    mild = scored(store, settings, b"1", icd={"violence": 0.05})["icd"]
    with store.write() as session:
        row = cases.get(session, mild)
        row.state = "auto"
        row.priority, row.queued_at = ageing.urgency_of(row), None
        cases.queue(session, row, utcnow() - timedelta(days=3))
    assert next_id(store, settings) == mild
    assert queue.open_case(store, settings, BOB, grave).priority > 1.0


def test_the_urgency_is_shown_without_the_age(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, icd={"violence": 0.9})["icd"]
    assert queue.open_case(store, settings, ANN, case_id).priority == pytest.approx(1.2)
