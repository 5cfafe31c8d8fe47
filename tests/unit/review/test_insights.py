"""Reading figures and asking for new ones: leads only, by task and time."""

from __future__ import annotations

import pytest

from coefvq.errors import NotAllowed, SettingsError, StoreError
from coefvq.review import insights
from coefvq.review.access import LOCAL, Actor
from coefvq.store import figures, jobs
from coefvq.store.session import Store

LEAD = Actor("lea", frozenset({"lead"}))
CALLS = [
    pytest.param(lambda store, actor: insights.read(store, actor, "icd"), id="read"),
    pytest.param(lambda store, actor: insights.tasks(actor), id="tasks"),
    pytest.param(lambda store, actor: insights.request(store, actor), id="request"),
    pytest.param(lambda store, actor: insights.progress(store, actor), id="progress"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("role", ["viewer", "uploader", "reviewer"])
def test_only_leads_may(store: Store, call, role: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NotAllowed):
        call(store, Actor("x", frozenset({role})))
    with store.read() as session:
        assert figures.last_job(session) is None
    call(store, LEAD)


def test_figures_of_the_task_and_time_asked_for(store: Store) -> None:
    with store.write() as session:
        figures.put(session, "miss.7", "icd", {"value": 7})
        figures.put(session, "miss.30", "icd", {"value": 30})
        figures.put(session, "miss.7", "ucc", {"value": 70})
        figures.put(session, "ledger.7", "", {"value": 1})
        figures.put(session, "drift", "icd", {"value": 2})
    found = insights.read(store, LEAD, "icd", "7")
    assert found.documents == {
        "miss": {"value": 7}, "ledger": {"value": 1}, "drift": {"value": 2}
    }  # fmt: skip
    assert found.age_s is not None and 0 <= found.age_s < 60
    assert insights.read(store, LEAD, "icd").get("miss") == {"value": 30}
    assert insights.read(store, LEAD, "ucc", "90").get("miss") is None


def test_nothing_computed_yet_has_no_age(store: Store) -> None:
    found = insights.read(store, LOCAL, "icd")
    assert (found.documents, found.computed_at, found.age_s) == ({}, None, None)
    assert found.run == insights.Run() and not found.run.busy


@pytest.mark.parametrize(
    ("task", "window", "error"),
    [("icd", "31", StoreError), ("icd", "", StoreError), ("icdd", "30", SettingsError)],
)
def test_unknown_tasks_and_times_are_refused(store, task, window, error) -> None:
    with pytest.raises(error):
        insights.read(store, LEAD, task, window)


def test_asking_twice_is_one_run_and_its_progress_is_told(store: Store) -> None:
    assert insights.request(store, LEAD).waits
    assert insights.request(store, LEAD).busy
    with store.write() as session:
        claimed = jobs.claim_next(session, "worker", 60.0)
        assert claimed is not None
        jobs.report(session, claimed.lease, 0.4, "figures of icd")
    run = insights.progress(store, LEAD)
    assert (run.busy, run.waits, run.progress, run.note) == (True, False, 0.4, "figures of icd")
    with store.write() as session:
        jobs.fail(session, claimed.lease, "x", "it broke", permanent=True)
    run = insights.progress(store, LEAD)
    assert (run.failed, run.busy, run.note) == (True, False, "it broke")
