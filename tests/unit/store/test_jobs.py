"""Jobs: claimed once, taken up again when their worker dies, set aside after three failures."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from coefvq.errors import LeaseLost, StoreError
from coefvq.settings import Settings
from coefvq.store import cases, events, jobs, videos
from coefvq.store.jobs import MAX_ATTEMPTS, ClaimedJob
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobRow, JobState, utcnow
from tests.store_factory import scored, upload

TTL = 60.0


def claim(store: Store, worker: str = "w1", now: datetime | None = None) -> ClaimedJob | None:
    with store.write() as session:
        return jobs.claim_next(session, worker, TTL, now)


def claimed(store: Store, worker: str = "w1", now: datetime | None = None) -> ClaimedJob:
    job = claim(store, worker, now)
    assert job is not None
    return job


def row(store: Store, job_id: str) -> JobRow:
    with store.read() as session:
        return jobs.get(session, job_id)


def status(store: Store, video_id: str) -> str:
    with store.read() as session:
        return videos.get(session, video_id).status


@pytest.fixture
def video(store: Store, settings: Settings) -> str:
    """An uploaded video with its ingest job."""
    return upload(store, settings)


def test_an_upload_queues_one_ingest_job(store: Store, video: str) -> None:
    job = claimed(store)
    assert (job.kind, job.video_id, job.attempt) == (JobKind.INGEST, video, 1)
    assert claim(store, "w2") is None


def test_a_claimed_job_runs_and_its_video_shows_it(store: Store, video: str) -> None:
    assert status(store, video) == videos.WAITING
    job = claimed(store)
    assert row(store, job.id).state == JobState.RUNNING
    assert status(store, video) == videos.SCORING


def test_what_a_person_waits_for_comes_first(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    upload(store, settings, b"one")
    with store.write() as session:
        jobs.enqueue(session, JobKind.EXPLAIN, case_id=case_id)
    assert [claimed(store).kind, claimed(store).kind] == [JobKind.EXPLAIN, JobKind.INGEST]


def test_among_equals_the_oldest_comes_first(store: Store, settings: Settings) -> None:
    ids = [upload(store, settings, bytes([number])) for number in range(3)]
    assert [claimed(store).video_id for _ in ids] == ids


def test_the_same_work_is_queued_once(store: Store, video: str) -> None:
    with store.write() as session:
        again = jobs.enqueue(session, JobKind.INGEST, video_id=video)
        assert again.id == jobs.newest_by_video(session, [video])[video].id
        assert jobs.counts(session)["queued"] == 1


def test_a_finished_job_is_done_and_free(store: Store, video: str) -> None:
    job = claimed(store)
    with store.write() as session:
        jobs.report(session, job.lease, 0.5, "half")
    assert (row(store, job.id).progress, row(store, job.id).note) == (0.5, "half")
    with store.write() as session:
        jobs.finish(session, job.lease)
    done = row(store, job.id)
    assert (done.state, done.progress) == (JobState.DONE, 1.0)
    assert claim(store) is None


@pytest.mark.parametrize("share", [-1.0, 7.0])
def test_progress_stays_between_nothing_and_all(store: Store, video: str, share: float) -> None:
    job = claimed(store)
    with store.write() as session:
        jobs.report(session, job.lease, share, "")
    assert row(store, job.id).progress in (0.0, 1.0)


def test_a_dead_workers_job_is_taken_up_when_its_lease_ends(store: Store, video: str) -> None:
    start = utcnow()
    first = claimed(store, "w1", start)
    assert claim(store, "w2", start + timedelta(seconds=TTL - 1)) is None
    second = claimed(store, "w2", start + timedelta(seconds=TTL))
    assert second.id == first.id
    assert second.lease.token > first.lease.token
    assert second.attempt == 2


@pytest.mark.parametrize("act", ["finish", "fail", "report", "give_back"])
def test_the_old_worker_can_do_nothing_any_more(store: Store, video: str, act: str) -> None:
    start = utcnow() - timedelta(seconds=2 * TTL)
    old = claimed(store, "w1", start)
    claimed(store, "w2")
    calls = {
        "finish": lambda session: jobs.finish(session, old.lease),
        "fail": lambda session: jobs.fail(session, old.lease, "x", "x"),
        "report": lambda session: jobs.report(session, old.lease, 0.9, "x"),
        "give_back": lambda session: jobs.give_back(session, old.lease),
    }
    with pytest.raises(LeaseLost), store.write() as session:
        calls[act](session)
    assert row(store, old.id).state == JobState.RUNNING


def test_a_failed_job_is_tried_three_times_then_set_aside(store: Store, video: str) -> None:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job = claimed(store)
        assert job.attempt == attempt
        with store.write() as session:
            jobs.fail(session, job.lease, "model_unavailable", f"failure {attempt}")
        expected = JobState.SET_ASIDE if attempt == MAX_ATTEMPTS else JobState.QUEUED
        assert row(store, job.id).state == expected
    last = row(store, job.id)
    assert (last.error_code, last.error) == ("model_unavailable", "failure 3")
    assert status(store, video) == videos.FAILED
    with store.read() as session:
        assert cases.counts(session) == {
            "pending": 0,
            "queued": 0,
            "auto": 0,
            "decided": 0,
            "set_aside": 2,
        }
        assert [each.kind for each in events.of_subject(session, "job", job.id)] == [
            "job.set_aside"
        ]
    assert claim(store) is None


def test_what_cannot_succeed_is_set_aside_at_once(store: Store, video: str) -> None:
    job = claimed(store)
    with store.write() as session:
        jobs.fail(session, job.lease, "unreadable_media", "no frame", permanent=True)
    assert row(store, job.id).state == JobState.SET_ASIDE


def test_a_job_that_kills_its_worker_three_times_is_set_aside(store: Store, video: str) -> None:
    now = utcnow()
    for number in range(MAX_ATTEMPTS):
        job = claimed(store, f"w{number}", now + timedelta(seconds=number * TTL))
    assert claim(store, "w9", now + timedelta(seconds=MAX_ATTEMPTS * TTL)) is None
    dead = row(store, job.id)
    assert (dead.state, dead.error_code) == (JobState.SET_ASIDE, "worker_died")


def test_a_retried_job_has_all_its_attempts_again(store: Store, video: str) -> None:
    job = claimed(store)
    with store.write() as session:
        jobs.fail(session, job.lease, "unreadable_media", "no frame", permanent=True)
    with store.write() as session:
        jobs.retry(session, job.id)
    assert status(store, video) == videos.WAITING
    again = claimed(store)
    assert (again.id, again.attempt) == (job.id, 1)
    assert row(store, job.id).error is None
    with store.read() as session:
        assert cases.counts(session)["pending"] == 2


def test_only_a_job_set_aside_can_be_retried(store: Store, video: str) -> None:
    job = claimed(store)
    with pytest.raises(StoreError, match="is running"), store.write() as session:
        jobs.retry(session, job.id)


def test_an_unknown_job_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no job nope"), store.write() as session:
        jobs.retry(session, "nope")


def test_a_job_given_back_costs_no_attempt(store: Store, video: str) -> None:
    job = claimed(store)
    with store.write() as session:
        jobs.give_back(session, job.lease)
    assert status(store, video) == videos.WAITING
    assert claimed(store, "w2").attempt == 1


def test_a_scored_video_stays_scored_when_scoring_again_fails(
    store: Store, settings: Settings
) -> None:
    scored(store, settings)
    with store.write() as session:
        video = videos.search(session)[0][0].id
        jobs.enqueue(session, JobKind.SCORE, video_id=video)
    job = claimed(store)
    with store.write() as session:
        jobs.fail(session, job.lease, "x", "x", permanent=True)
    assert status(store, video) == videos.SCORED
    with store.read() as session:
        assert cases.counts(session)["set_aside"] == 0


def test_many_workers_share_the_queue_and_none_gets_anothers_job(
    store: Store, settings: Settings
) -> None:
    ids = {upload(store, settings, bytes([number])) for number in range(12)}
    got: list[str] = []

    def work(name: str) -> None:
        while (job := claim(store, name)) is not None:
            got.append(str(job.video_id))

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(ids)
