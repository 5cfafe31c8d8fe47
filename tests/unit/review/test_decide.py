"""Decide, undo, second look."""

from __future__ import annotations

import pytest

from coefvq.domain import RouteName
from coefvq.errors import DecisionRefused, LeaseLost
from coefvq.review import case_view, decide, exposure, queue
from coefvq.review.access import LOCAL
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, events, results, videos
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow
from tests.store_factory import ANN, BOB, result, route, scored

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


def test_a_decision_is_stored_whole(store: Store, settings: Settings, case_id: str) -> None:
    submit(store, settings, case_id, REMOVE)
    view = case_view.view(store, settings, ANN, case_id)
    decision = view.decisions[0]
    assert (view.state, view.lease, view.draft) == ("decided", None, None)
    assert (decision.reviewer, decision.role, decision.task) == ("ann", "reviewer", "icd")
    assert (decision.action, decision.comment) == ("remove", "said it")
    assert decision.labels["hate_harassment"] == "violation"
    assert decision.labels["violence"] == "ok"
    assert decision.reasons == {"hate_harassment": "slur"}
    assert decision.undone_at is None


def test_the_snapshot_holds_what_was_on_the_screen(
    store: Store, settings: Settings, case_id: str
) -> None:
    seen = case_view.view(store, settings, ANN, case_id)
    submit(store, settings, case_id, REMOVE)
    snapshot = case_view.view(store, settings, ANN, case_id).decisions[0].snapshot
    assert seen.prefilter is not None and seen.mllm is not None and seen.route is not None
    assert snapshot["assessments"] == {"prefilter": seen.prefilter.id, "mllm": seen.mllm.id}
    assert snapshot["models"] == {"prefilter": "prefilter-test", "mllm": "mllm-test"}
    assert snapshot["route"]["version"] == seen.route.version
    assert snapshot["route"]["threshold"] == seen.route.threshold
    assert snapshot["probability"] == seen.probability
    assert snapshot["policies"]["hate_harassment"]["prefilter"] == pytest.approx(0.435)
    assert snapshot["policies"]["sexual"]["covered"] is False


def test_a_score_that_came_in_between_is_not_in_the_snapshot(
    store: Store, settings: Settings, case_id: str
) -> None:
    seen = queue.open_case(store, settings, ANN, case_id)
    with store.write() as session:
        video = videos.get(session, seen.video.id)
        made = result(video.sha256, icd={"hate_harassment": 0.1})
        results.record(session, video, made, payloads={}, priority=lambda _: 0.0, actor="w")
    form = DecisionForm(
        REMOVE.labels, "remove", REMOVE.reasons, "said it", verdict_id=seen.verdict_id
    )
    submit(store, settings, case_id, form)
    decision = case_view.view(store, settings, ANN, case_id).decisions[0]
    assert decision.snapshot["probability"] == 0.87
    assert not decision.correction


def test_another_cases_verdict_is_refused(store: Store, settings: Settings, case_id: str) -> None:
    other = case_view.view(store, settings, ANN, scored(store, settings, b"2")["icd"])
    form = DecisionForm({}, "keep", verdict_id=other.verdict_id)
    with pytest.raises(DecisionRefused, match="not a verdict of it"):
        submit(store, settings, case_id, form)


@pytest.mark.parametrize(
    ("name", "form", "correction"),
    [
        pytest.param(RouteName.HUMAN, REMOVE, False, id="as the machine leaned"),
        pytest.param(RouteName.HUMAN, KEEP, True, id="against its leaning"),
        pytest.param(RouteName.AUTO_FLAG, KEEP, True, id="clears a flag"),
        pytest.param(RouteName.AUTO_PASS, REMOVE, True, id="finds a miss"),
    ],
)
def test_corrections_are_told(
    store: Store, settings: Settings, name: RouteName, form: DecisionForm, correction: bool
) -> None:
    case_id = scored(store, settings, routes={"icd": route(name)})["icd"]
    assert submit(store, settings, case_id, form).correction is correction


def test_the_next_case_comes_with_the_answer(store: Store, settings: Settings) -> None:
    first = scored(store, settings, b"1", routes=HUMAN)
    answer = submit(store, settings, first["icd"], REMOVE)
    assert answer.next is not None and answer.next.id == first["ucc"]
    assert answer.next.lease is not None and answer.next.lease.mine


def test_a_late_submit_is_refused_and_the_draft_kept(
    store: Store, settings: Settings, case_id: str
) -> None:
    hurried = settings.model_copy(update={"case_lease_s": 1e-6})
    token = token_of(store, hurried, case_id)
    queue.open_case(store, settings, BOB, case_id)
    with pytest.raises(LeaseLost, match="taken over by bob"):
        decide.submit(store, settings, ANN, case_id, token, REMOVE)
    view = case_view.view(store, settings, ANN, case_id)
    assert view.decisions == () and view.state == "queued"
    assert view.draft is not None and view.draft.reasons == REMOVE.reasons


def test_the_same_answer_sent_twice_is_stored_once(
    store: Store, settings: Settings, case_id: str
) -> None:
    token = token_of(store, settings, case_id)
    first = decide.submit(store, settings, ANN, case_id, token, REMOVE)
    again = decide.submit(store, settings, ANN, case_id, token, REMOVE)
    assert again.decision_id == first.decision_id
    view = case_view.view(store, settings, ANN, case_id)
    assert (len(view.decisions), view.draft) == (1, None)


def test_another_answer_under_the_same_lease_is_late_and_kept(
    store: Store, settings: Settings, case_id: str
) -> None:
    """Two tabs of one person: the second must not be told that its answer was stored."""
    token = token_of(store, settings, case_id)
    decide.submit(store, settings, ANN, case_id, token, REMOVE)
    with pytest.raises(LeaseLost):
        decide.submit(store, settings, ANN, case_id, token, DecisionForm({}, "keep"))
    view = case_view.view(store, settings, ANN, case_id)
    assert len(view.decisions) == 1 and view.draft is not None and view.draft.action == "keep"


def test_an_answer_sent_again_after_its_undo_is_late(
    store: Store, settings: Settings, case_id: str
) -> None:
    token = token_of(store, settings, case_id)
    decide.submit(store, settings, ANN, case_id, token, REMOVE)
    decide.undo_last(store, settings, ANN)
    with pytest.raises(LeaseLost):
        decide.submit(store, settings, ANN, case_id, token, REMOVE)


def test_a_form_that_lacks_something_is_refused_and_kept(
    store: Store, settings: Settings, case_id: str
) -> None:
    with pytest.raises(DecisionRefused, match="Give a reason"):
        submit(store, settings, case_id, DecisionForm({"violence": True}, "remove"))
    view = case_view.view(store, settings, ANN, case_id)
    assert view.draft is not None and view.draft.labels == {"violence": True}
    assert view.lease is not None and view.lease.mine


def test_a_range_outside_the_video_is_refused(
    store: Store, settings: Settings, case_id: str
) -> None:
    form = DecisionForm(REMOVE.labels, "remove", REMOVE.reasons, "", 5.0, 60.0)
    with pytest.raises(DecisionRefused, match="not inside the video"):
        submit(store, settings, case_id, form)


def test_a_video_that_is_not_scored_yet_cannot_be_decided(
    store: Store, settings: Settings, case_id: str
) -> None:
    token = token_of(store, settings, case_id)
    with store.write() as session:
        cases.get(session, case_id).state = "pending"
    with pytest.raises(DecisionRefused, match="is pending"):
        decide.submit(store, settings, ANN, case_id, token, KEEP)


def test_hostile_comments_are_stored_as_typed_but_storable(
    store: Store, settings: Settings, case_id: str
) -> None:
    form = DecisionForm({}, "keep", comment="=cmd|'/c calc'!A1 <script>\x00\udc80")
    submit(store, settings, case_id, form)
    view = case_view.view(store, settings, ANN, case_id)
    assert view.decisions[0].comment == "=cmd|'/c calc'!A1 <script>?"


def test_a_second_look_goes_to_another_person_first(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, b"1")["icd"]
    scored(store, settings, b"2", icd={"violence": 0.6})
    token = token_of(store, settings, case_id)
    following = decide.second_look(store, settings, ANN, case_id, token, "slang I do not know")
    assert following is not None and following.id != case_id
    handed = queue.next_case(store, settings, BOB)
    assert handed is not None and handed.id == case_id
    assert (handed.second_look, handed.second_look_by) == (True, "ann")
    with store.read() as session:
        asked = [
            event.data
            for event in events.of_subject(session, "case", case_id)
            if event.kind == "case.second_look"
        ]
    assert asked == [{"comment": "slang I do not know"}]


def test_the_second_persons_decision_ends_the_second_look(
    store: Store, settings: Settings, case_id: str
) -> None:
    token = token_of(store, settings, case_id)
    decide.second_look(store, settings, ANN, case_id, token)
    submit(store, settings, case_id, KEEP, BOB)
    view = case_view.view(store, settings, ANN, case_id)
    assert (view.state, view.second_look) == ("decided", False)
    assert view.decisions[0].snapshot["second_look_by"] == "ann"


def test_only_the_holder_can_ask_for_a_second_look(
    store: Store, settings: Settings, case_id: str
) -> None:
    token = token_of(store, settings, case_id)
    with pytest.raises(LeaseLost):
        decide.second_look(store, settings, BOB, case_id, token)


def test_the_local_actor_decides_as_a_reviewer(
    store: Store, settings: Settings, case_id: str
) -> None:
    submit(store, settings, case_id, KEEP, LOCAL)
    decision = case_view.view(store, settings, LOCAL, case_id).decisions[0]
    assert (decision.reviewer, decision.role) == ("local", "reviewer")


def test_the_notice_is_stored_and_comes_back_with_an_undo(
    store: Store, settings: Settings, case_id: str
) -> None:
    form = DecisionForm(REMOVE.labels, "remove", REMOVE.reasons, "", notice=" It was removed. ")
    submit(store, settings, case_id, form)
    view = case_view.view(store, settings, ANN, case_id)
    assert view.decisions[0].notice == "It was removed."
    draft = decide.undo_last(store, settings, ANN).draft
    assert draft is not None and draft.notice == "It was removed."


def test_keep_sends_no_notice(store: Store, settings: Settings, case_id: str) -> None:
    submit(store, settings, case_id, DecisionForm({}, "keep", notice="left over from before"))
    assert case_view.view(store, settings, ANN, case_id).decisions[0].notice == ""


def test_a_second_look_is_no_longer_assigned_to_who_asked(
    store: Store, settings: Settings, case_id: str
) -> None:
    queue.assign(store, ANN, case_id, "ann")
    decide.second_look(store, settings, ANN, case_id, token_of(store, settings, case_id))
    assert case_view.view(store, settings, ANN, case_id).assigned_to is None
    following = queue.next_case(store, settings, BOB)
    assert following is not None and following.id == case_id


def test_the_words_for_a_late_answer_are_ready_to_show(
    store: Store, settings: Settings, case_id: str
) -> None:
    hurried = settings.model_copy(update={"case_lease_s": 1e-6})
    token = token_of(store, hurried, case_id)
    queue.open_case(store, settings, BOB, case_id)
    with pytest.raises(LeaseLost, match="taken over by bob, your draft is kept"):
        decide.submit(store, settings, ANN, case_id, token, REMOVE)


def test_a_decision_counts_though_a_pause_is_due(
    store: Store, settings: Settings, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rest(*_: object) -> None:
        raise exposure.Rest("Time for a pause.")

    token = token_of(store, settings, case_id)
    monkeypatch.setattr(exposure, "require_rested", rest)
    done = decide.submit(store, settings, ANN, case_id, token, KEEP)
    assert done.next is None
    assert case_view.view(store, settings, ANN, case_id).state == "decided"
    with pytest.raises(exposure.Rest):
        queue.next_case(store, settings, ANN)


def test_the_snapshot_says_where_the_case_was(
    store: Store, settings: Settings, case_id: str
) -> None:
    submit(store, settings, case_id, KEEP)
    snapshot = case_view.view(store, settings, ANN, case_id).decisions[0].snapshot
    assert (snapshot["state"], snapshot["queue"]) == ("queued", None)
    with store.read() as session:
        assert session.get_one(CaseRow, case_id).state == "decided"
