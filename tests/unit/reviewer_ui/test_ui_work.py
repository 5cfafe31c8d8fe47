"""Asking for the second stage, and how long scoring will take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import case_view, preferences
from coefvq.review.access import LOCAL, Actor
from coefvq.settings import Settings
from coefvq.store import jobs
from coefvq.store.session import open_store
from coefvq.store.tables import JobKind, JobState, utcnow
from reviewer_ui import ask
from reviewer_ui.pace import seconds_a_video
from reviewer_ui.pages.review import ReviewPage
from tests.ui.world import World, add, sure

VIEWER = Actor("eve", frozenset({"viewer"}))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(home=tmp_path / "home")
    with open_store(settings.url) as store:
        made = World(settings, store, {})
        add(made, "clip", title="clip", seconds=0.5, sound=False, result=sure(human=True))
        yield made


def busy(world: World) -> str | None:
    case = case_view.view(world.store, world.settings, LOCAL, world.case("clip"))
    return ask.busy(world.store, LOCAL, case)


def score_job(world: World):
    with world.store.read() as session:
        return jobs.open_job(session, JobKind.SCORE, video_id=world.ids["clip"])


def test_nothing_is_due_before_somebody_asks(world):
    assert busy(world) is None
    assert score_job(world) is None


def test_asking_queues_one_job_that_runs_the_mllm(world):
    for _ in range(2):
        ask.ask_mllm(world.store, LOCAL, world.case("clip"))
    assert score_job(world).payload == {"stage": "mllm"}
    assert busy(world) == "Waits for the worker…"


def test_a_running_job_says_how_far_it_is(world):
    ask.ask_mllm(world.store, LOCAL, world.case("clip"))
    with world.store.write() as session:
        job = jobs.get(session, score_job(world).id)
        job.state, job.progress, job.note = JobState.RUNNING.value, 0.2, "scoring"
    assert busy(world) == "scoring 20 %…"


def test_a_video_that_is_being_taken_in_cannot_be_asked_about(world):
    with world.store.write() as session:
        jobs.enqueue(session, JobKind.INGEST, video_id=world.ids["clip"])
    with pytest.raises(StoreError, match="being taken in"):
        ask.ask_mllm(world.store, LOCAL, world.case("clip"))


def test_who_only_looks_may_not_ask(world):
    with pytest.raises(NotAllowed):
        ask.ask_mllm(world.store, VIEWER, world.case("clip"))


def test_the_pace_is_the_mean_of_both_jobs(world):
    assert seconds_a_video(world.store, LOCAL) is None
    now = utcnow()
    with world.store.write() as session:
        for kind, lengths in ((JobKind.INGEST, (1.0, 3.0)), (JobKind.SCORE, (4.0, 8.0))):
            for seconds in lengths:
                job = jobs.enqueue(session, kind, video_id=world.ids["clip"])
                job.state = JobState.DONE.value
                job.started_at, job.finished_at = now, now + timedelta(seconds=seconds)
                session.flush()
    assert seconds_a_video(world.store, LOCAL) == pytest.approx(8.0)


def test_who_only_looks_is_given_no_case_and_told_where_to_go(world):
    answer = ReviewPage(world.store, world.settings).open_case(VIEWER, {"first": True})
    assert answer["case"] is None and "Choose a case to look at" in answer["regions"]["calm"]
    assert answer["prefs"]["blur"] == "always"


def test_who_only_looks_can_open_a_case_by_its_link_and_holds_nothing(world):
    page, case_id = ReviewPage(world.store, world.settings), world.case("clip")
    answer = page.open_case(VIEWER, {"case": case_id})
    assert answer["case"] == case_id and 'data-token=""' in answer["regions"]["decision-form"]


def test_a_poll_of_a_case_that_is_gone_shows_the_next_one(world):
    answer = ReviewPage(world.store, world.settings).poll(LOCAL, {"case": "gone", "token": 1})
    assert answer["case"] == world.case("clip") and "is gone" in answer["note"]["text"]


def test_a_queue_that_was_removed_no_longer_holds_cases_back(world):
    preferences.save(world.store, LOCAL, {"queue": "removed"})
    answer = ReviewPage(world.store, world.settings).open_case(LOCAL, {})
    assert answer["case"] == world.case("clip")
