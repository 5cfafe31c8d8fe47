"""After an answer on a pair: what is scored again, when, and what stays as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from coefvq.domain import RouteName
from coefvq.review import copy_answers, decide, queue
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import cases, copy_scores, jobs, videos
from coefvq.store.session import Store
from coefvq.store.tables import AssessmentRow, CaseState, JobKind, JobRow, VideoRow
from coefvq.work import banks
from coefvq.work.worker import Worker
from tests.copies_factory import copy_of_video, found, put_matches, put_original
from tests.store_factory import FixedCascade, result, route, scored
from tests.unit.review.quality import ANN, HATE, KEEP, LEA, answer, token_of


@dataclass
class Pair:
    """An original, its copy with the copy's cases by task, and their match."""

    original: str
    copy: str
    match: str
    cases: dict[str, str]


@pytest.fixture
def pair(store: Store, settings: Settings) -> Pair:
    """Both were scored before; the case ``icd`` of the copy waits for a person."""
    scored(store, settings, b"original")
    by_task = scored(store, settings, b"copy")
    first, second = ids(store)
    return Pair(first, second, copy_of_video(store, second, first, seconds=10.0), by_task)


def ids(store: Store) -> list[str]:
    with store.read() as session:
        return [row.id for row in session.query(VideoRow).order_by(VideoRow.id)]


def say(store: Store, settings: Settings, pair: Pair, said: str, actor: Actor = ANN, **how: Any):
    return copy_answers.answer(store, settings, actor, pair.match, said, **how)


def waiting(store: Store) -> list[tuple[str, str, Any]]:
    with store.read() as session:
        rows = session.query(JobRow).filter_by(state="queued").order_by(JobRow.id)
        return [(str(row.video_id), row.kind, row.payload.get(jobs.AGAIN)) for row in rows]


def work(store: Store, settings: Settings, cascade: FixedCascade | None = None) -> FixedCascade:
    used = cascade or FixedCascade(answer=flagged)
    Worker(settings, store, lambda _: used, "w1").run_once()
    return used


def flagged(sha256: str) -> Any:
    return result(sha256, routes={"icd": route(RouteName.AUTO_FLAG), "ucc": route()})


def state(store: Store, case_id: str) -> tuple[str, str | None]:
    with store.read() as session:
        row = cases.get(session, case_id)
        return row.state, row.verdict_id


@pytest.mark.parametrize(
    ("said", "given"),
    [
        pytest.param("confirmed", [True], id="confirmed: the pair counts as sure"),
        pytest.param("rejected", [], id="rejected: it counts for nothing"),
    ],
)
def test_an_answer_has_the_video_scored_with_it(
    store: Store, settings: Settings, pair: Pair, said: str, given: list[bool]
) -> None:
    done = say(store, settings, pair, said)
    assert done.scored_again == (pair.copy,)
    assert waiting(store) == [(pair.copy, "score", "answer")]
    with store.read() as session:
        assert videos.get(session, pair.copy).status == videos.SCORED
    cascade = work(store, settings)
    assert [[one.confirmed for one in call["copies"]] for call in cascade.calls] == [given]
    assert [state(store, pair.cases[task])[0] for task in ("icd", "ucc")] == ["auto", "queued"]
    assert say(store, settings, pair, said).scored_again == ()
    assert waiting(store) == []


def test_uploads_of_the_same_bytes_are_scored_again_too(
    store: Store, settings: Settings, pair: Pair
) -> None:
    scored(store, settings, b"copy", title="once more")
    scored(store, settings, b"another", title="another copy of it")
    *_, twin, other = ids(store)
    original = put_original(store, pair.original, "library", video_id=pair.original)
    for video in (twin, other):
        put_matches(store, video, found(store, original))
    assert say(store, settings, pair, "rejected").scored_again == (pair.copy, twin)
    assert [video for video, _, _ in waiting(store)] == [pair.copy, twin]


def test_an_original_that_an_answer_takes_away_counts_nowhere_any_more(
    store: Store, settings: Settings, pair: Pair
) -> None:
    say(store, settings, pair, "confirmed")
    work(store, settings)
    with store.write() as session:  # the library's own row is gone; what the answer added stays
        from coefvq.store import originals

        (row,) = originals.by_reference(session, pair.original, originals.LIBRARY)
        originals.remove(session, row.id, "lea")
    scored(store, settings, b"another")
    other = ids(store)[-1]
    with store.read() as session:
        (known,) = originals.by_reference(session, pair.original)
    put_matches(store, other, found(store, known.id))
    assert say(store, settings, pair, "rejected").scored_again == (pair.copy, other)


@pytest.mark.parametrize(
    ("elsewhere", "queued"),
    [
        pytest.param(False, [("score", "answer")], id="in no bank any more"),
        pytest.param(True, [], id="still in another bank"),
    ],
)
def test_an_original_that_is_removed_by_hand_counts_no_more(
    store: Store, settings: Settings, pair: Pair, elsewhere: bool, queued: list[tuple[str, str]]
) -> None:
    if elsewhere:
        with store.read() as session:
            sha256 = videos.get(session, pair.original).sha256
        put_original(store, "film.mp4", sha256=sha256)
    banks.remove(store, LEA, pair.original)
    assert waiting(store) == [(pair.copy, *job) for job in queued]
    given = [len(call["copies"]) for call in work(store, settings).calls]
    assert given == [0] * len(queued)


def test_footage_that_proves_nothing_is_looked_for_again_after_all_else(
    store: Store, settings: Settings, pair: Pair
) -> None:
    scored(store, settings, b"another")
    other = ids(store)[-1]
    original = put_original(store, pair.original, "library", video_id=pair.original)
    put_matches(store, other, found(store, original))
    say(store, settings, pair, "rejected", LEA, proves_nothing=True)
    assert waiting(store) == [
        (pair.copy, "score", "answer"),
        (pair.copy, "fingerprint", "answer"),
        (other, "fingerprint", "answer"),
    ]
    with store.read() as session:
        rows = session.query(JobRow).filter_by(kind="fingerprint", state="queued")
        assert {row.priority for row in rows} == {copy_scores.BEHIND}


def test_nothing_moves_while_somebody_has_a_case_of_the_video_open(
    store: Store, settings: Settings, pair: Pair
) -> None:
    view = queue.open_case(store, settings, ANN, pair.cases["icd"])
    before = state(store, view.id)
    say(store, settings, pair, "confirmed")
    assert work(store, settings).calls == []
    assert state(store, view.id) == before
    queue.release(store, ANN, view.id, token_of(view))
    assert len(work(store, settings).calls) == 1
    assert state(store, view.id)[0] == CaseState.AUTO


def test_a_case_that_is_opened_while_its_video_is_scored_stays_as_it_was(
    store: Store, settings: Settings, pair: Pair
) -> None:
    def slow(sha256: str) -> Any:
        if not held:
            held.append(queue.open_case(store, settings, ANN, pair.cases["icd"]))
        return flagged(sha256)

    held: list[Any] = []
    before = state(store, pair.cases["icd"])
    say(store, settings, pair, "confirmed")
    cascade = work(store, settings, FixedCascade(answer=slow))
    assert len(cascade.calls) == 1
    assert state(store, pair.cases["icd"]) == before
    assert waiting(store) == [(pair.copy, "score", "answer")]
    with store.read() as session:
        assert videos.get(session, pair.copy).status == videos.SCORED
    decide.submit(store, settings, ANN, held[0].id, token_of(held[0]), KEEP)
    assert len(work(store, settings, cascade).calls) == 2


def test_a_decided_case_keeps_what_the_machine_had_said_before(
    store: Store, settings: Settings, pair: Pair
) -> None:
    """Else the machine would be credited with what a person told it."""
    answer(store, settings, pair.cases["icd"], HATE)
    before, other = (state(store, pair.cases[task]) for task in ("icd", "ucc"))
    say(store, settings, pair, "confirmed")
    work(store, settings)
    assert state(store, pair.cases["icd"]) == before
    assert state(store, pair.cases["ucc"])[1] != other[1]
    with store.read() as session:
        rows = session.query(AssessmentRow).filter_by(video_id=pair.copy, stage="prefilter")
        assert rows.count() == 2


def test_an_answer_while_a_video_is_scored_is_not_lost(
    store: Store, settings: Settings, pair: Pair
) -> None:
    def slow(sha256: str) -> Any:
        if len(cascade.calls) == 1:
            say(store, settings, pair, "rejected")
        return flagged(sha256)

    cascade = FixedCascade(answer=slow)
    with store.write() as session:
        jobs.enqueue(session, JobKind.SCORE, video_id=pair.copy)
    work(store, settings, cascade)
    assert [len(call["copies"]) for call in cascade.calls] == [1, 0]


def test_a_search_that_waits_already_becomes_one_after_an_answer(store: Store, pair: Pair) -> None:
    with store.write() as session:
        copy_scores.again(session, JobKind.SCORE, pair.copy, copy_scores.FOUND)
        copy_scores.again(session, JobKind.SCORE, pair.copy, copy_scores.ANSWERED)
        copy_scores.again(session, JobKind.SCORE, pair.copy, copy_scores.FOUND)
    assert waiting(store) == [(pair.copy, "score", "answer")]
