"""Golden cases: added, mixed in, scored, retired."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, NotAllowed, SettingsError, StoreError
from coefvq.review import case_view, decide, golden, looks, queue, queues
from coefvq.review.access import Actor
from coefvq.review.golden import GoldenView
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, FirstAnswerRow, LookRow, utcnow
from tests.unit.review.quality import (
    ANN,
    BOB,
    HATE,
    KEEP,
    LEA,
    VIOLENCE,
    answer,
    looks_of,
    scored,
    shares,
    take,
    token_of,
)


@pytest.fixture
def mixed(settings: Settings) -> Settings:
    """Settings under which a golden case comes first wherever there is one to give."""
    return shares(settings, golden=1.0)


@pytest.fixture
def known(store: Store, settings: Settings) -> GoldenView:
    """A golden case that Bob decided: hate, from 2 to 4 seconds."""
    case_id = scored(store, settings, b"golden", title="<b>old</b>")["icd"]
    form = DecisionForm(HATE.labels, "remove", dict(HATE.reasons), "", 2.0, 4.0)
    answer(store, settings, case_id, form, BOB)
    return golden.add(store, LEA, case_id, note="the classic")


def test_a_decision_becomes_a_golden_case(store: Store, known: GoldenView) -> None:
    assert (known.labels["hate_harassment"], known.labels["violence"]) == ("violation", "ok")
    assert (known.start_s, known.end_s, known.note, known.added_by) == (2, 4, "the classic", "lea")
    assert (known.title, known.answers, known.right) == ("<b>old</b>", 0, 0)
    assert golden.list_golden(store, LEA) == (known,)
    assert golden.list_golden(store, LEA, task="ucc") == ()
    with store.read() as session:
        kinds = [each.kind for each in events.of_subject(session, "golden", known.id)]
    assert kinds == ["golden.added"]


def test_retired_ones_are_kept(store: Store, settings: Settings, known: GoldenView) -> None:
    first = golden.retire(store, LEA, known.id)
    assert golden.retire(store, LEA, known.id) == first and first.retired_at is not None
    assert golden.list_golden(store, LEA) == ()
    assert golden.list_golden(store, LEA, retired=True) == (first,)
    scored(store, settings, b"plain")
    assert take(store, shares(settings, golden=1.0)).video.title != known.title
    golden.add(store, LEA, known.case_id, {"violence": True})


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        pytest.param({"labels": None}, DecisionRefused, "Nobody has decided", id="no decision"),
        pytest.param({"labels": {"violense": True}}, DecisionRefused, "violence", id="typo"),
        pytest.param({"labels": {}, "start_s": 1.0}, DecisionRefused, "both ends", id="half"),
        pytest.param({"labels": {}, "start_s": 4.0, "end_s": 2.0}, DecisionRefused, "inside",
                     id="backwards"),
        pytest.param({"labels": {}, "start_s": 1.0, "end_s": 60.0}, DecisionRefused, "inside",
                     id="too long"),
        pytest.param({"labels": {}, "start_s": float("nan"), "end_s": 2.0}, DecisionRefused,
                     "inside", id="no number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    store: Store, settings: Settings, given: dict[str, object], error: type[Exception], says: str
) -> None:
    case_id = scored(store, settings)["icd"]
    with pytest.raises(error, match=says):
        golden.add(store, LEA, case_id, **given)  # type: ignore[arg-type]


def test_a_case_is_golden_once(store: Store, known: GoldenView) -> None:
    with pytest.raises(DecisionRefused, match="golden case already"):
        golden.add(store, LEA, known.case_id)
    with pytest.raises(StoreError, match="no golden case g0"):
        golden.retire(store, LEA, "g0")


def test_only_leads(store: Store, known: GoldenView) -> None:
    for call in (
        lambda: golden.add(store, BOB, known.case_id),
        lambda: golden.list_golden(store, BOB),
        lambda: golden.retire(store, BOB, known.id),
        lambda: golden.scores(store, BOB),
    ):
        with pytest.raises(NotAllowed):
            call()


def test_it_stands_in_for_the_case_that_is_due(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    queues.add(store, LEA, "All of it")
    due = scored(store, settings, b"plain")["icd"]
    before = queue.counts(store, ANN)
    seen = take(store, mixed)
    plain = case_view.view(store, settings, LEA, due)
    assert seen.id not in (known.case_id, due, known.id) and len(seen.id) == len(due)
    assert seen.video.title == known.title
    assert (seen.state, seen.decisions, seen.notes) == ("queued", (), ())
    assert (seen.queued_at, seen.due_at, seen.priority) == (
        plain.queued_at, plain.due_at, plain.priority,
    )  # fmt: skip
    assert (seen.queue, token_of(seen)) == ("all-of-it", 1)
    after = queue.counts(store, ANN)
    assert (after.waiting, after.queues[0].waiting, after.total) == (before.waiting, 1, 1)
    assert take(store, mixed).id == seen.id, "a reload gives the same"
    assert take(store, settings, BOB).id == due, "the case itself is free for others"
    assert queue.counts(store, ANN).total == 1


def test_the_answer_touches_nothing_but_the_look(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    scored(store, settings, b"plain")
    with store.read() as session:
        before = session.get_one(CaseRow, known.case_id), session.query(DecisionRow).count()
    seen = take(store, mixed)
    done = decide.submit(store, settings, ANN, seen.id, token_of(seen), KEEP)
    assert done.next is not None and done.next.state == "queued"
    with store.read() as session:
        after = session.get_one(CaseRow, known.case_id), session.query(DecisionRow).count()
        assert decisions.standing(session, known.case_id).reviewer == "bob"  # type: ignore[union-attr]
        data = [each.data for each in events.of_subject(session, "look", seen.id)]
        assert session.query(FirstAnswerRow).count() == 0
    assert (after[0].updated_at, after[0].state, after[1]) == (
        before[0].updated_at, before[0].state, before[1],
    )  # fmt: skip
    assert data[-1]["equal"] is False and data[-1]["kind"] == "golden"
    assert queue.counts(store, ANN).decided_today == 1


@pytest.mark.parametrize(
    ("actor", "why"),
    [
        pytest.param(BOB, "decided it", id="who decided it"),
        pytest.param(ANN, "answered it", id="who answered it lately"),
    ],
)
def test_nobody_gets_what_they_know(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView, actor: Actor, why: str
) -> None:
    if actor is ANN:
        scored(store, settings, b"1")
        seen = take(store, mixed)
        decide.submit(store, settings, ANN, seen.id, token_of(seen), HATE)
        queue.release(store, ANN, *_held(store, settings))
    due = scored(store, settings, b"plain", icd={"violence": 0.6})["icd"]
    assert take(store, mixed, actor).id == due, why


def _held(store: Store, settings: Settings) -> tuple[str, int]:
    view = take(store, settings)
    return view.id, token_of(view)


def test_after_ninety_days_it_comes_again(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    scored(store, settings, b"1")
    seen = take(store, mixed)
    decide.submit(store, settings, ANN, seen.id, token_of(seen), HATE)
    queue.release(store, ANN, *_held(store, settings))
    long_ago = utcnow() - looks.AGAIN_AFTER - timedelta(minutes=1)
    with store.write() as session:
        session.execute(update(LookRow).values(answered_at=long_ago))
    again = take(store, mixed)
    assert again.video.title == known.title and again.id != seen.id


def test_none_while_a_case_is_held_or_nothing_is_due(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    assert queue.next_case(store, mixed, ANN) is None
    due = scored(store, settings, b"plain")["icd"]
    queue.open_case(store, settings, ANN, due)
    assert take(store, mixed).id == due


def test_another_task_or_a_restricted_queue_gives_none(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    made = queues.add(store, LEA, "Few", restricted=True)
    with store.write() as session:
        cases.get(session, known.case_id).queue = made.id
    with store.write() as session:
        session.execute(update(CaseRow).where(CaseRow.state == "queued").values(queue=None))
    due = scored(store, settings, b"plain", icd={"violence": 0.6})["icd"]
    with store.write() as session:
        cases.get(session, due).queue = None
    outsider = Actor("oda", frozenset({"reviewer"}), frozenset({"other"}))
    assert take(store, mixed, outsider).id == due


def test_the_share_is_drawn(
    store: Store, settings: Settings, known: GoldenView, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = scored(store, settings, b"plain")["icd"]
    two = shares(settings, golden=0.02)
    monkeypatch.setattr(looks, "chance", lambda: 0.02)
    seen = take(store, two)
    assert seen.id == due
    queue.release(store, ANN, due, token_of(seen))
    monkeypatch.setattr(looks, "chance", lambda: 0.019)
    assert take(store, two).video.title == known.title


def test_a_skipped_one_is_over(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    due = scored(store, settings, b"plain")["icd"]
    seen = take(store, mixed)
    following = queue.skip(store, mixed, ANN, seen.id, token_of(seen), reason="cannot judge")
    assert following is not None and following.id == due
    with pytest.raises(StoreError, match="no case"):
        queue.open_case(store, settings, ANN, seen.id)
    assert looks_of(store, known.case_id)[0].state == "settled"


def test_one_that_was_given_back_comes_again(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    scored(store, settings, b"plain")
    seen = take(store, mixed)
    queue.save_draft(store, ANN, seen.id, HATE)
    queue.release(store, ANN, seen.id, token_of(seen))
    again = take(store, settings)
    assert again.id == seen.id and again.draft is not None


def test_an_undo_opens_it_again_for_its_reviewer(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    scored(store, settings, b"plain")
    seen = take(store, mixed)
    done = decide.submit(store, settings, ANN, seen.id, token_of(seen), KEEP)
    assert done.next is not None
    queue.release(store, ANN, done.next.id, token_of(done.next))
    back = decide.undo_last(store, settings, ANN)
    assert (back.id, back.queued_at, back.queue) == (seen.id, seen.queued_at, seen.queue)
    decide.submit(store, settings, ANN, back.id, token_of(back), HATE)
    (score,) = golden.scores(store, LEA)
    assert (score.right.hits, score.right.n) == (1, 1)


def test_others_cannot_open_it(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    scored(store, settings, b"plain")
    seen = take(store, mixed)
    for actor in (BOB, LEA):
        with pytest.raises(StoreError, match="no case"):
            queue.open_case(store, settings, actor, seen.id)


def test_the_expected_answer_is_hidden_from_who_has_it(
    store: Store, settings: Settings, mixed: Settings, known: GoldenView
) -> None:
    scored(store, settings, b"plain")
    assert case_view.view(store, settings, ANN, known.case_id).decisions
    take(store, mixed)
    assert case_view.view(store, settings, ANN, known.case_id).decisions == ()
    assert case_view.view(store, settings, BOB, known.case_id).decisions


def test_scores(store: Store, settings: Settings, mixed: Settings, known: GoldenView) -> None:
    first = scored(store, settings, b"golden 2", title="fine")["icd"]
    answer(store, settings, first, KEEP, BOB)
    golden.add(store, LEA, first)
    scored(store, settings, b"plain")
    near = DecisionForm(HATE.labels, "remove", dict(HATE.reasons), "", 3.5, 6.0)
    wanted = {"<b>old</b>": near, "fine": VIOLENCE}
    for _ in range(2):
        seen = take(store, mixed)
        form = wanted[str(seen.video.title)]
        decide.submit(store, settings, ANN, seen.id, token_of(seen), form)
        queue.release(store, ANN, *_held(store, settings))
    (score,) = golden.scores(store, LEA, task="icd")
    assert (score.reviewer, score.right.hits, score.right.n) == ("ann", 1, 2)
    assert (score.range_met.hits, score.range_met.n) == (1, 1)
    by = {each.policy: each for each in score.policies}
    assert list(by) == [policy.id for policy in taxonomy.task("icd").policies]
    assert (by["hate_harassment"].misses.hits, by["hate_harassment"].misses.n) == (0, 1)
    assert (by["violence"].false_alarms.hits, by["violence"].false_alarms.n) == (1, 2)
    assert by["violence"].misses.value is None
    assert golden.scores(store, LEA, task="ucc") == ()
    assert golden.scores(store, LEA, since=utcnow()) == ()
    assert {(each.answers, each.right) for each in golden.list_golden(store, LEA)} == {
        (1, 1), (1, 0),
    }  # fmt: skip


def test_an_unknown_task_is_named(store: Store, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="Unknown task"):
        queue.next_case(store, shares(settings, golden=1.0), ANN, task="icc")
