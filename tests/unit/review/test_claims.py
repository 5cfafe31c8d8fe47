"""Many at once on one queue: no case twice, none lost, late answers refused, drafts kept."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.review_store import fill
from coefvq.errors import LeaseLost
from coefvq.review import bulk, decide, queue
from coefvq.review.access import Actor
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import decisions, events
from coefvq.store.session import Store, open_store
from coefvq.store.tables import CaseRow, DraftRow, LeaseRow

REMOVE = DecisionForm({"violence": True}, "remove", {"violence": "weapon used"}, "kept?")
ROOT = Path(__file__).parents[3]


def reviewer(name: object) -> Actor:
    return Actor(f"r{name}", frozenset({"reviewer"}))


def together(works: Iterable[Callable[[], object]]) -> None:
    """Run all at once; an error in one fails the test."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def queued(store: Store) -> set[str]:
    with store.read() as session:
        return {row.id for row in session.query(CaseRow).where(CaseRow.state == "queued")}


def holders(store: Store) -> dict[str, str | None]:
    with store.read() as session:
        rows = session.query(LeaseRow).where(LeaseRow.kind == "case")
        return {row.subject_id: row.holder for row in rows}


def test_fifty_at_once_get_five_hundred_cases_once_each(store: Store, settings: Settings) -> None:
    fill(store, 500)
    given: dict[str, str] = {}

    def claims(claimant: int) -> None:
        for turn in range(10):
            actor = reviewer(f"{claimant}-{turn}")
            view = queue.next_case(store, settings, actor)
            assert view is not None and view.lease is not None and view.lease.mine
            given[actor.name] = view.id

    together(partial(claims, each) for each in range(50))
    assert len(given) == 500 and set(given.values()) == queued(store)
    assert holders(store) == {case_id: name for name, case_id in given.items()}
    assert queue.next_case(store, settings, reviewer("late")) is None
    with store.read() as session:
        assert events.verify(session) is None


CLAIM_ALL = """
import sys
from pathlib import Path
from coefvq.review import queue
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store.session import open_store

home, name = sys.argv[1:]
settings = Settings(home=Path(home))
with open_store(settings.url) as store:
    for turn in range(1000):
        actor = Actor(f"{name}-{turn}", frozenset({"reviewer"}))
        view = queue.next_case(store, settings, actor)
        if view is None:
            break
        print(view.id, flush=True)
"""


def test_four_processes_share_a_sqlite_queue(settings: Settings) -> None:
    with open_store(settings.url) as store:
        fill(store, 200)
        command = [sys.executable, "-c", CLAIM_ALL, str(settings.home)]
        started = [
            subprocess.Popen([*command, f"p{each}"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            for each in range(4)
        ]
        said = [process.communicate(timeout=120)[0].split() for process in started]
        given = [case_id for lines in said for case_id in lines]
        assert [process.returncode for process in started] == [0] * 4
        assert len(given) == len(set(given)) == 200
        assert set(given) == queued(store)
        with store.read() as session:
            assert events.verify(session) is None


def test_two_hundred_late_answers_are_refused_and_their_drafts_kept(
    store: Store, settings: Settings
) -> None:
    fill(store, 200)
    hurried = settings.model_copy(update={"case_lease_s": 1e-6})
    late: list[tuple[Actor, str, int]] = []
    for number in range(200):
        view = queue.next_case(store, hurried, reviewer(number))
        assert view is not None and view.lease is not None and view.lease.token is not None
        late.append((reviewer(number), view.id, view.lease.token))
    refused: list[str] = []

    def submits(mine: list[tuple[Actor, str, int]]) -> None:
        for actor, case_id, token in mine:
            with pytest.raises(LeaseLost, match="your draft is kept") as caught:
                decide.submit(store, settings, actor, case_id, token, REMOVE)
            refused.append(str(caught.value))

    def takes_over(claimant: int) -> None:
        for turn in range(10):
            queue.next_case(store, settings, reviewer(f"next-{claimant}-{turn}"))

    works = [partial(submits, late[each::10]) for each in range(10)]
    others = [partial(takes_over, each) for each in range(10)]
    together([*works, *others])
    assert len(refused) == 200
    with store.read() as session:
        kept = {(row.reviewer, row.case_id): row.form for row in session.query(DraftRow)}
        assert set(kept) == {(actor.name, case_id) for actor, case_id, _ in late}
        assert {form["comment"] for form in kept.values()} == {"kept?"}
        waiting = [row.id for row in session.query(CaseRow).where(CaseRow.state == "queued")]
        assert all(decisions.standing(session, case_id) is None for case_id in waiting)
        assert len(waiting) == 200
        assert events.verify(session) is None


def test_of_two_answers_at_the_very_same_time_one_counts(store: Store, settings: Settings) -> None:
    fill(store, 20)
    for _ in range(10):
        view = queue.next_case(store, settings, reviewer(1))
        assert view is not None and view.lease is not None and view.lease.token is not None
        sent = (view.id, view.lease.token, DecisionForm({}, "keep"))
        submits = partial(decide.submit, store, settings, reviewer(1), *sent)
        together([submits, submits])
        with store.read() as session:
            assert len(decisions.of_case(session, view.id)) == 1


def test_sending_and_deciding_at_once_do_not_block_each_other(
    store: Store, settings: Settings
) -> None:
    fill(store, 40)
    with store.read() as session:
        videos = [row.video_id for row in session.query(CaseRow).where(CaseRow.state == "queued")]
        decided = [row.video_id for row in session.query(CaseRow).where(CaseRow.state == "decided")]

    def decides(number: int) -> None:
        view = queue.next_case(store, settings, reviewer(number))
        while view is not None and view.lease is not None and view.lease.token is not None:
            sent = (view.id, view.lease.token, DecisionForm({}, "keep"))
            view = decide.submit(store, settings, reviewer(number), *sent).next

    sends = partial(bulk.enqueue_videos, store, reviewer("sends"), [*decided, *videos])
    together([*(partial(decides, each) for each in range(4)), sends, sends])
    with store.read() as session:
        assert events.verify(session) is None
