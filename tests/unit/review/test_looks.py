"""Independent looks: who is given one, that nobody can tell, and what becomes of the answer."""

from __future__ import annotations

from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import update

from coefvq.domain import RouteName
from coefvq.errors import DecisionRefused, LeaseLost, NotAllowed, StoreError
from coefvq.review import case_view, decide, history, library, looks, notes, queue, queues
from coefvq.review.access import Actor
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, events
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, LookRow, UserRow, utcnow
from tests.store_factory import route
from tests.unit.review.quality import (
    ANN,
    BOB,
    CYD,
    HATE,
    KEEP,
    LEA,
    VIC,
    VIOLENCE,
    answer,
    looks_of,
    scored,
    shares,
    take,
    token_of,
)


@pytest.fixture
def always(settings: Settings) -> Settings:
    """Settings under which every decision gets a second look."""
    return shares(settings, second=1.0)


@pytest.fixture
def look(store: Store, settings: Settings, always: Settings) -> LookRow:
    """A second look that waits, on a case that Ann decided."""
    case_id = scored(store, settings)["icd"]
    answer(store, always, case_id, HATE)
    (found,) = looks_of(store, case_id)
    return found


def kinds(store: Store, look_id: str) -> list[str]:
    with store.read() as session:
        return [event.kind for event in events.of_subject(session, "look", look_id)]


@pytest.mark.parametrize(
    ("how", "form", "asked"),
    [
        pytest.param({}, HATE, False, id="as the machine leans"),
        pytest.param({}, KEEP, False, id="against a machine that is not sure"),
        pytest.param({"icd": {"violence": 0.95}}, KEEP, True, id="against a sure policy"),
        pytest.param({"icd": {"violence": 0.05}}, VIOLENCE, True, id="against a sure ok"),
        pytest.param({"icd": {"violence": 0.1}}, VIOLENCE, False, id="a tenth is not sure"),
        pytest.param({"routes": {"icd": route(RouteName.AUTO_FLAG)}}, KEEP, True, id="a flag"),
        pytest.param({"routes": {"icd": route(RouteName.AUTO_PASS)}}, HATE, True, id="a pass"),
        pytest.param({"icd": {}}, VIOLENCE, False, id="nothing is covered"),
    ],
)
def test_a_confident_machine_that_is_corrected_gets_a_second_answer(
    store: Store, settings: Settings, how: dict[str, Any], form: DecisionForm, asked: bool
) -> None:
    case_id = scored(store, settings, **how)["icd"]
    answer(store, settings, case_id, form)
    found = looks_of(store, case_id)
    assert len(found) == int(asked)
    if asked:
        assert (found[0].decided_by, found[0].reviewer, found[0].state) == ("ann", None, "waiting")


def test_a_share_of_decisions_is_drawn(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolls = iter([0.04, 0.06])
    monkeypatch.setattr(looks, "chance", lambda: next(rolls))
    five = shares(settings, second=0.05)
    ids = [scored(store, settings, content)["icd"] for content in (b"1", b"2")]
    for case_id in ids:
        view = queue.open_case(store, five, ANN, case_id)
        with store.write() as session:  # what follows is not taken: it would roll again
            looks_before = session.query(LookRow).count()
        monkeypatch.setattr(queue, "following", lambda *_: None)
        decide.submit(store, five, ANN, case_id, token_of(view), HATE)
    assert [len(looks_of(store, case_id)) for case_id in ids] == [1, 0]
    assert looks_before == 1


def test_never_the_first_reviewer(store: Store, settings: Settings, look: LookRow) -> None:
    assert queue.next_case(store, settings, ANN) is None
    assert queue.counts(store, ANN).second_answers == 1
    assert queue.counts(store, ANN).total == 0
    with pytest.raises(StoreError, match="no case"):
        queue.open_case(store, settings, ANN, look.id)
    with pytest.raises(StoreError, match="no case"):
        case_view.view(store, settings, VIC, look.id)
    assert queue.counts(store, BOB).total == 1
    assert take(store, settings, BOB).id == look.id


def test_a_look_is_a_case_like_any_other(store: Store, settings: Settings, look: LookRow) -> None:
    plain = case_view.view(store, settings, LEA, look.case_id)
    seen = take(store, settings, BOB)
    assert (len(seen.id), seen.id[:9]) == (len(plain.id), plain.id[:9]) and seen.id != plain.id
    assert (seen.state, seen.decisions, seen.notes, seen.second_look) == ("queued", (), (), False)
    assert seen.lease is not None and seen.lease.mine and seen.lease.token == 1
    assert (seen.video, seen.prefilter, seen.mllm) == (plain.video, plain.prefilter, plain.mllm)
    assert (seen.queued_at, seen.priority) == (plain.queued_at, plain.priority)
    assert (seen.blind, seen.concealed) == (False, False)
    again = queue.next_case(store, settings, BOB)
    assert again is not None and (again.id, token_of(again)) == (seen.id, 1)


def test_the_first_answer_is_hidden_from_who_could_answer(
    store: Store, settings: Settings, look: LookRow
) -> None:
    notes.add(store, ANN, look.case_id, "clearly hate")
    video = case_view.view(store, settings, LEA, look.case_id).video.id
    for actor, told in ((ANN, True), (BOB, False), (VIC, False), (LEA, True)):
        seen = case_view.view(store, settings, actor, look.case_id)
        assert (bool(seen.decisions), seen.concealed) == (told, not told), actor.name
        assert bool(seen.notes) is told
        past = history.of_video(store, actor, video)
        kinds_seen = {entry.kind for entry in past.entries}
        assert ("case.decided" in kinds_seen) is told
        assert past.left_out == int(not told)
        (item,) = library.list_videos(store, settings, actor).items
        assert (item.cases[0].decided == "violation") is told
    answer(store, settings, look.id, HATE, BOB)
    assert case_view.view(store, settings, BOB, look.case_id).decisions


@pytest.mark.parametrize(("form", "state"), [(HATE, "agreed"), (KEEP, "differs")])
def test_the_answer_is_compared_and_the_case_untouched(
    store: Store, settings: Settings, look: LookRow, form: DecisionForm, state: str
) -> None:
    with store.read() as session:
        before = session.get_one(CaseRow, look.case_id)
    done = answer(store, settings, look.id, form, BOB)
    with store.read() as session:
        after = session.get_one(CaseRow, look.case_id)
    assert (after.state, after.decision_id, after.updated_at) == (
        before.state, before.decision_id, before.updated_at,
    )  # fmt: skip
    (found,) = looks_of(store, look.case_id)
    assert (found.state, found.reviewer, found.action) == (state, "bob", form.action)
    assert done.correction is (form is KEEP)
    assert kinds(store, look.id) == ["look.asked", "look.claimed", "look.answered"]
    seen = case_view.view(store, settings, BOB, look.id)
    assert (seen.state, len(seen.decisions), seen.decisions[0].reviewer) == ("decided", 1, "bob")
    counts = queue.counts(store, BOB)
    assert (counts.total, counts.decided_today, counts.second_answers) == (0, 1, 0)


def test_a_double_click_is_stored_once(store: Store, settings: Settings, look: LookRow) -> None:
    token = token_of(queue.open_case(store, settings, BOB, look.id))
    first = decide.submit(store, settings, BOB, look.id, token, HATE)
    again = decide.submit(store, settings, BOB, look.id, token, HATE)
    assert (again.decision_id, again.correction) == (first.decision_id, first.correction)
    with pytest.raises(LeaseLost):
        decide.submit(store, settings, BOB, look.id, token, KEEP)


def test_a_late_answer_is_refused_and_its_draft_kept(
    store: Store, settings: Settings, look: LookRow
) -> None:
    hurried = settings.model_copy(update={"case_lease_s": 1e-6})
    token = token_of(queue.open_case(store, hurried, BOB, look.id))
    taken = take(store, settings, CYD)
    assert taken.id == look.id and taken.lease is not None and taken.lease.token == 2
    with pytest.raises(LeaseLost, match="taken over by cyd, your draft is kept"):
        decide.submit(store, settings, BOB, look.id, token, HATE)
    draft = case_view.view(store, settings, BOB, look.id).draft
    assert draft is not None and draft.reasons == HATE.reasons
    assert case_view.view(store, settings, CYD, look.id).draft is None


def test_a_bad_form_is_refused_and_kept(store: Store, settings: Settings, look: LookRow) -> None:
    token = token_of(queue.open_case(store, settings, BOB, look.id))
    with pytest.raises(DecisionRefused, match="Give a reason"):
        decide.submit(
            store, settings, BOB, look.id, token, DecisionForm({"violence": True}, "remove")
        )
    seen = case_view.view(store, settings, BOB, look.id)
    assert seen.draft is not None and seen.draft.labels == {"violence": True}
    queue.drop_draft(store, BOB, look.id)
    assert case_view.view(store, settings, BOB, look.id).draft is None


def test_an_undo_opens_the_look_again(store: Store, settings: Settings, look: LookRow) -> None:
    answer(store, settings, look.id, KEEP, BOB)
    seen = decide.undo_last(store, settings, BOB)
    assert (seen.id, seen.state, seen.decisions) == (look.id, "queued", ())
    assert seen.lease is not None and seen.lease.mine and seen.draft is not None
    assert kinds(store, look.id)[-1] == "look.reopened"
    answer(store, settings, look.id, HATE, BOB)
    assert looks_of(store, look.case_id)[0].state == "agreed"


def test_an_undo_takes_back_the_last_answer_whichever_it_was(
    store: Store, settings: Settings, look: LookRow
) -> None:
    answer(store, settings, look.id, KEEP, BOB)
    other = scored(store, settings, b"2")["icd"]
    answer(store, settings, other, HATE, BOB)
    assert decide.undo_last(store, settings, BOB).id == other
    assert decide.undo_last(store, settings, BOB).id == look.id


def test_an_undone_look_comes_too_late(
    store: Store, settings: Settings, look: LookRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(store, settings, look.id, KEEP, BOB)
    monkeypatch.setattr(decide, "UNDO_S", -1.0)
    with pytest.raises(DecisionRefused, match="they are over"):
        decide.undo_last(store, settings, BOB)


def test_an_undone_decision_withdraws_its_look(
    store: Store, settings: Settings, look: LookRow
) -> None:
    token = token_of(queue.open_case(store, settings, BOB, look.id))
    decide.undo_last(store, settings, ANN)
    (found,) = looks_of(store, look.case_id)
    assert (found.state, found.settled_by) == ("settled", "ann")
    assert kinds(store, look.id)[-1] == "look.withdrawn"
    with pytest.raises(StoreError, match="no case"):
        decide.submit(store, settings, BOB, look.id, token, HATE)
    assert queue.next_case(store, settings, BOB) is None  # Ann holds the case again


def test_another_decision_withdraws_the_look_of_the_one_before(
    store: Store, settings: Settings, look: LookRow, always: Settings
) -> None:
    answer(store, always, look.case_id, KEEP, CYD)
    states = [(row.state, row.decided_by) for row in looks_of(store, look.case_id)]
    assert states == [("settled", "ann"), ("waiting", "cyd")]
    assert queue.next_case(store, settings, ANN) is None, "Ann has answered this case"
    assert take(store, settings, BOB).id not in (look.id, look.case_id)


def test_skipped_comes_last_and_to_others(store: Store, settings: Settings, look: LookRow) -> None:
    seen = take(store, settings, BOB)
    assert queue.skip(store, settings, BOB, look.id, token_of(seen), reason="cannot judge") is None
    plain = scored(store, settings, b"2")["icd"]
    assert take(store, settings, BOB).id == plain
    assert take(store, settings, CYD).id == look.id
    assert kinds(store, look.id)[-2] == "look.skipped"


def test_a_look_that_is_sent_on_goes_to_somebody_else(
    store: Store, settings: Settings, look: LookRow
) -> None:
    seen = take(store, settings, BOB)
    decide.second_look(store, settings, BOB, look.id, token_of(seen), "slang")
    assert looks_of(store, look.case_id)[0].state == "waiting"
    assert take(store, settings, CYD).id == look.id


def test_heartbeat_release_assign_notes_and_rationale(
    store: Store, settings: Settings, look: LookRow
) -> None:
    seen = take(store, settings, BOB)
    assert seen.lease is not None
    until = queue.heartbeat(store, settings, BOB, look.id, token_of(seen))
    assert until > seen.lease.expires_at
    queue.assign(store, BOB, look.id, "bob")
    assert case_view.view(store, settings, BOB, look.id).assigned_to == "bob"
    with pytest.raises(NotAllowed):
        queue.assign(store, BOB, look.id, "cyd")
    notes.add(store, BOB, look.id, "mine")
    assert [n.text for n in case_view.view(store, settings, BOB, look.id).notes] == ["mine"]
    assert queue.request_rationale(store, BOB, look.id)
    assert case_view.view(store, settings, BOB, look.id).rationale_due
    queue.release(store, BOB, look.id, token_of(seen))
    assert take(store, settings, CYD).id == look.id


def test_the_older_goes_first(store: Store, settings: Settings, look: LookRow) -> None:
    newer = scored(store, settings, b"2", icd={"violence": 0.6})["icd"]
    assert take(store, settings, BOB).id == look.id
    with store.write() as session:
        session.execute(update(LookRow).values(asked_at=utcnow()))
    assert take(store, settings, CYD).id == newer


def test_by_chance_it_goes_before_older_cases(
    store: Store, settings: Settings, look: LookRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = scored(store, settings, b"2", icd={"violence": 0.6})["icd"]
    with store.write() as session:
        session.execute(update(LookRow).values(asked_at=utcnow()))
    five = shares(settings, second=0.05)
    monkeypatch.setattr(looks, "chance", lambda: 0.11)
    assert take(store, five, BOB).id == older
    monkeypatch.setattr(looks, "chance", lambda: 0.09)
    assert take(store, five, CYD).id == look.id


def test_tasks_queues_and_exclusions_hold_for_looks(
    store: Store, settings: Settings, look: LookRow
) -> None:
    assert queue.next_case(store, settings, BOB, task="ucc") is None
    assert queue.next_case(store, settings, BOB, exclude={look.id}) is None
    made = queues.add(store, LEA, "Few", restricted=True)
    with store.write() as session:
        cases.get(session, look.case_id).queue = made.id
    outsider = Actor("oda", frozenset({"reviewer"}), frozenset({"other"}))
    insider = Actor("ida", frozenset({"reviewer"}), frozenset({made.id}))
    assert queue.next_case(store, settings, outsider) is None
    with pytest.raises(NotAllowed, match="restricted"):
        queue.open_case(store, settings, outsider, look.id)
    assert (queue.counts(store, outsider).total, queue.counts(store, insider).total) == (0, 1)
    assert take(store, settings, insider).id == look.id


def test_who_holds_a_case_goes_on_with_it(store: Store, settings: Settings, look: LookRow) -> None:
    other = scored(store, settings, b"2")["icd"]
    queue.open_case(store, settings, BOB, other)
    assert take(store, settings, BOB).id == other


def test_counts_say_what_waits_and_that_nobody_can_answer(
    store: Store, settings: Settings, look: LookRow
) -> None:
    assert looks.counts(store, LEA) == looks.LookCounts(1, 0, 1)
    with store.write() as session:
        for name, roles in (("ann", ["reviewer"]), ("bob", ["lead"]), ("vic", ["viewer"])):
            session.add(UserRow(name=name, password_hash="x", roles=roles, created_at=utcnow()))
    assert looks.counts(store, LEA) == looks.LookCounts(1, 0, 0)
    answer(store, settings, look.id, KEEP, BOB)
    assert looks.counts(store, LEA) == looks.LookCounts(0, 1, 0)


def test_fifty_claimants_none_twice(store: Store, settings: Settings, always: Settings) -> None:
    for number in range(20):
        case_id = scored(store, settings, bytes([number + 1]))["icd"]
        answer(store, always, case_id, HATE)
    got: list[str | None] = []
    gate = Barrier(50)

    def claim(number: int) -> None:
        gate.wait()
        me = Actor(f"r{number}", frozenset({"reviewer"}))
        view = queue.next_case(store, settings, me)
        got.append(view.id if view else None)

    threads = [Thread(target=claim, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = [each for each in got if each is not None]
    assert (len(got), len(given), len(set(given))) == (50, 20, 20)


def test_a_bad_answer_leaves_nothing_half_done(
    store: Store, settings: Settings, look: LookRow
) -> None:
    token = token_of(queue.open_case(store, settings, BOB, look.id))
    form = replace(HATE, start_s=5.0, end_s=60.0)
    with pytest.raises(DecisionRefused, match="not inside the video"):
        decide.submit(store, settings, BOB, look.id, token, form)
    assert looks_of(store, look.case_id)[0].state == "waiting"
