"""Blind first: what is left out, for whom, and what the first answer opens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coefvq.domain import RouteName
from coefvq.errors import DecisionRefused, LeaseLost, NotAllowed, StoreError
from coefvq.review import blind, case_view, decide, history, library, queue
from coefvq.review.views import CaseView
from coefvq.settings import Settings
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import DecisionRow, FirstAnswerRow
from tests.store_factory import route
from tests.unit.review.quality import (
    ANN,
    BOB,
    HATE,
    KEEP,
    LEA,
    VIC,
    answer,
    looks_of,
    scored,
    shares,
    take,
    token_of,
)

AUDIT = {"icd": route(RouteName.AUTO_PASS, audit=True, propensity=0.01, escalated=False)}
NOTHING = (
    "verdict", "probability", "prefilter", "mllm", "route", "first_route", "disagreement",
    "transcript", "screen_text", "speech_understood", "queue",
)  # fmt: skip


@pytest.fixture
def every(settings: Settings) -> Settings:
    """Settings under which every case is answered blind first."""
    return shares(settings, blind=1.0)


def says_nothing(view: CaseView) -> bool:
    """Whether nothing of the machine's answer is in a view."""
    scores = [(p.prefilter, p.mllm, p.final, p.covered, p.why_not) for p in view.policies]
    return (
        all(getattr(view, name) is None for name in NOTHING)
        and view.evidence == ()
        and not view.rationale_due
        and set(scores) == {(None, None, None, False, "blind")}
    )


def test_the_view_says_nothing_until_the_first_answer(
    store: Store, settings: Settings, every: Settings
) -> None:
    case_id = scored(store, settings)["icd"]
    seen = take(store, every)
    assert seen.blind and says_nothing(seen)
    assert seen.video.duration_s == 10.0 and seen.verdict_id is not None
    opened = blind.first_answer(store, every, ANN, case_id, token_of(seen), {"violence": True})
    plain = case_view.view(store, settings, ANN, case_id)
    assert not opened.blind and opened == plain and opened.mllm is not None
    with store.read() as session:
        row = session.get_one(FirstAnswerRow, (case_id, "ann"))
        last = events.of_subject(session, "case", case_id)[-1]
    assert row.labels["violence"] == "violation" and row.labels["sexual"] == "ok"
    assert (row.verdict_id, last.kind) == (seen.verdict_id, "case.first_answer")


def test_a_first_answer_stays(store: Store, settings: Settings, every: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    token = token_of(take(store, every))
    blind.first_answer(store, every, ANN, case_id, token, {"violence": True})
    again = blind.first_answer(store, every, ANN, case_id, token, {"sexual": True})
    assert not again.blind
    with store.read() as session:
        row = session.get_one(FirstAnswerRow, (case_id, "ann"))
    assert row.labels["violence"] == "violation" and row.labels["sexual"] == "ok"


def test_it_is_each_reviewers_own(store: Store, settings: Settings, every: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    token = token_of(take(store, every))
    blind.first_answer(store, every, ANN, case_id, token, {})
    assert case_view.view(store, every, BOB, case_id).blind
    assert not case_view.view(store, every, VIC, case_id).blind, "a viewer decides nothing"


def test_a_blind_case_decided_at_once_is_both(
    store: Store, settings: Settings, every: Settings
) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, every, case_id, HATE)
    with store.read() as session:
        first = session.get_one(FirstAnswerRow, (case_id, "ann"))
        decision = session.query(DecisionRow).one()
    assert first.labels == decision.labels == decision.snapshot["first_answer"]
    assert decision.snapshot["unseen"] is True


def test_a_decision_keeps_what_was_answered_first(
    store: Store, settings: Settings, every: Settings
) -> None:
    case_id = scored(store, settings)["icd"]
    token = token_of(take(store, every))
    blind.first_answer(store, every, ANN, case_id, token, {})
    decide.submit(store, every, ANN, case_id, token, HATE)
    with store.read() as session:
        snapshot = session.query(DecisionRow).one().snapshot
    assert set(snapshot["first_answer"].values()) == {"ok"} and "unseen" not in snapshot


def test_every_audit_is_blind_and_looks_like_any_blind_case(
    store: Store, settings: Settings, every: Settings
) -> None:
    audit = scored(store, settings, b"1", routes=AUDIT, mllm=False)["icd"]
    plain = scored(store, settings, b"2")["icd"]
    one = case_view.view(store, settings, ANN, audit)
    other = case_view.view(store, every, ANN, plain)
    assert one.blind and says_nothing(one) and says_nothing(other)
    same: dict[str, Any] = {
        "id": "",
        "verdict_id": "",
        "video": other.video,
        "siblings": (),
        "queued_at": None,
    }
    assert replace(one, **same) == replace(other, **same)
    token = token_of(take(store, settings, ANN, task="icd", exclude={plain}))
    seen = blind.first_answer(store, settings, ANN, audit, token, {})
    assert seen.route is not None and seen.route.audit


@pytest.mark.parametrize("actor", [ANN, LEA], ids=["reviewer", "lead"])
def test_audits_are_in_no_list_before_the_answer(
    store: Store, settings: Settings, actor: object
) -> None:
    audit = scored(store, settings, routes=AUDIT)["icd"]
    video = case_view.view(store, settings, ANN, audit).video.id
    told = actor is LEA
    past = history.of_video(store, actor, video, settings)  # type: ignore[arg-type]
    audits = [e.data["audit"] for e in past.entries if e.kind == "video.scored" and e.task == "icd"]
    assert audits == ([True] if told else [])
    head = next(case for case in past.cases if case.task == "icd")
    assert (head.verdict is not None, head.blind) == (told, not told)
    (item,) = library.list_videos(store, settings, actor).items  # type: ignore[arg-type]
    badge = next(case for case in item.cases if case.task == "icd")
    assert (badge.verdict is not None, badge.route is not None) == (told, told)


def test_what_is_decided_or_automatic_is_not_blind(
    store: Store, settings: Settings, every: Settings
) -> None:
    auto = scored(store, settings, b"1", routes={"icd": route(RouteName.AUTO_FLAG)})["icd"]
    assert not queue.open_case(store, every, ANN, auto).blind
    done = scored(store, settings, b"2")["icd"]
    answer(store, settings, done, HATE)
    assert not case_view.view(store, every, BOB, done).blind


def test_the_draw_is_the_same_each_time_and_near_its_share(
    store: Store, settings: Settings
) -> None:
    half = shares(settings, blind=0.5)
    ids = [scored(store, settings, bytes([n + 1]))["icd"] for n in range(40)]
    once = [case_view.view(store, half, ANN, case_id).blind for case_id in ids]
    again = [case_view.view(store, half, ANN, case_id).blind for case_id in ids]
    other = [case_view.view(store, half, BOB, case_id).blind for case_id in ids]
    assert once == again != other
    assert 6 <= sum(once) <= 34  # p < 1e-5 on either side


def test_a_look_is_answered_blind_too(store: Store, settings: Settings, every: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, shares(settings, second=1.0), case_id, HATE)
    (look,) = looks_of(store, case_id)
    seen = take(store, every, BOB)
    assert seen.id == look.id and seen.blind and says_nothing(seen)
    opened = blind.first_answer(store, every, BOB, look.id, token_of(seen), {})
    assert opened.id == look.id and not opened.blind and opened.mllm is not None
    decide.submit(store, every, BOB, look.id, token_of(seen), HATE)
    with store.read() as session:
        assert set(session.get_one(FirstAnswerRow, (case_id, "bob")).labels.values()) == {"ok"}


@pytest.mark.parametrize(
    ("case", "labels", "error", "says"),
    [
        pytest.param("", {"violense": True}, DecisionRefused, "violence", id="no such policy"),
        pytest.param("c0", {}, StoreError, "no case c0", id="no such case"),
    ],
)
def test_a_bad_first_answer_is_refused(
    store: Store,
    settings: Settings,
    every: Settings,
    case: str,
    labels: dict[str, bool],
    error: type[Exception],
    says: str,
) -> None:
    case_id = scored(store, settings)["icd"]
    token = token_of(take(store, every))
    with pytest.raises(error, match=says):
        blind.first_answer(store, every, ANN, case or case_id, token, labels)
    assert case_view.view(store, every, ANN, case_id).blind


def test_only_the_holder_answers(store: Store, settings: Settings, every: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    token = token_of(take(store, every))
    with pytest.raises(LeaseLost):
        blind.first_answer(store, every, BOB, case_id, token, {})
    with pytest.raises(NotAllowed):
        blind.first_answer(store, every, VIC, case_id, token, {})


def test_no_explanation_before_the_answer(
    store: Store, settings: Settings, every: Settings
) -> None:
    case_id = scored(store, settings)["icd"]
    with pytest.raises(DecisionRefused, match="answer first"):
        queue.request_rationale(store, ANN, case_id, every)
    assert queue.request_rationale(store, ANN, case_id, settings)


def test_an_undone_decision_is_not_blind_again(
    store: Store, settings: Settings, every: Settings
) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, every, case_id, KEEP)
    assert not decide.undo_last(store, every, ANN).blind
