"""Figures are kept in place of the last ones; one job computes them, however many ask."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from coefvq.store import figures, jobs
from coefvq.store.session import Store
from coefvq.store.tables import FigureRow, JobKind, JobRow, JobState, utcnow


def test_a_figure_replaces_the_one_before(store: Store) -> None:
    begun = utcnow()
    with store.write() as session:
        figures.put(session, "miss.30", "icd", {"value": 1}, begun - timedelta(hours=1))
    with store.write() as session:
        figures.put(session, "miss.30", "icd", {"value": None}, begun)
        figures.put(session, "miss.30", "ucc", {"value": 2}, begun)
    with store.read() as session:
        assert figures.get(session, "miss.30", "icd") == ({"value": None}, begun)
        assert figures.get(session, "miss.7", "icd") is None
        assert session.scalar(select(func.count()).select_from(FigureRow)) == 2
        found = figures.several(session, [("miss.30", "icd"), ("nothing", "icd")])
    assert list(found) == [("miss.30", "icd")]


def test_asking_twice_queues_one_job(store: Store) -> None:
    with store.write() as session:
        first = figures.queue(session).id
    with store.write() as session:
        assert figures.queue(session).id == first
        claimed = jobs.claim_next(session, "worker", 60.0)
    assert claimed is not None and claimed.kind is JobKind.FIGURES
    with store.write() as session:
        assert figures.queue(session).id == first, "one that runs counts too"


def test_many_that_ask_at_once_queue_one_job(store: Store) -> None:
    ready = threading.Barrier(6)

    def ask() -> None:
        ready.wait()
        with store.write() as session:
            figures.queue(session)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(JobRow)) == 1


@pytest.mark.parametrize("ending", ["done", "failed"])
def test_rows_of_earlier_runs_go(store: Store, ending: str) -> None:
    for _ in range(3):
        with store.write() as session:
            figures.queue(session)
            claimed = jobs.claim_next(session, "worker", 60.0)
            assert claimed is not None
            if ending == "done":
                jobs.finish(session, claimed.lease)
            else:
                jobs.fail(session, claimed.lease, "x", "it broke", permanent=True)
    with store.read() as session:
        rows = list(session.scalars(select(JobRow)))
        last = figures.last_job(session)
    assert len(rows) == 1 and last is not None and last.id == rows[0].id
    assert last.state == (JobState.DONE if ending == "done" else JobState.SET_ASIDE).value


@pytest.mark.parametrize(
    ("age_s", "took_s", "every_s", "due"),
    [
        pytest.param(None, 0.0, 300.0, True, id="never yet"),
        pytest.param(299.0, 1.0, 300.0, False, id="not yet"),
        pytest.param(301.0, 1.0, 300.0, True, id="time"),
        pytest.param(301.0, 60.0, 300.0, False, id="a long run is rarer"),
        pytest.param(601.0, 60.0, 300.0, True, id="a tenth of the time"),
    ],
)
def test_when_it_is_time(
    store: Store, age_s: float | None, took_s: float, every_s: float, due: bool
) -> None:
    now = utcnow()
    with store.write() as session:
        if age_s is not None:
            at = now - timedelta(seconds=age_s)
            figures.put(session, figures.RUN, figures.OVERALL, {"seconds": took_s}, at)
        assert figures.due(session, every_s, now) is due


def test_a_run_under_way_or_just_failed_is_not_due_again(store: Store) -> None:
    with store.write() as session:
        figures.queue(session)
        assert not figures.due(session, 300.0)
        claimed = jobs.claim_next(session, "worker", 60.0)
        assert claimed is not None and not figures.due(session, 300.0)
        jobs.fail(session, claimed.lease, "x", "it broke", permanent=True)
        assert not figures.due(session, 300.0)
        assert figures.due(session, 300.0, utcnow() + timedelta(seconds=301))
