"""Two worker processes follow a rollback before their next video, and mix no two policies."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store import jobs
from coefvq.store.session import Store, open_store
from coefvq.store.tables import CaseRow, EventRow, JobKind, JobRow, ShadowRouteRow, VerdictRow
from coefvq.work import routing_versions, trials
from tests.routing_factory import policy
from tests.store_factory import _finish_ingest, upload

ROOT = Path(__file__).parents[2]
WITHIN = timedelta(seconds=5)
NAMES = ("one", "two")
FIRST, SECOND = policy(budget=1.0), policy(budget=1.0, notes=("by mistake",))


@contextmanager
def workers(home: Path) -> Iterator[None]:
    """Two processes of their own."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.routed_worker", str(home), name], cwd=ROOT
        )
        for name in NAMES
    ]
    try:
        wait(lambda: all((home / f"{name}.ready").exists() for name in NAMES))
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait(done: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "the workers did not get on"
        time.sleep(0.05)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = Settings(home=tmp_path / "home")
    with open_store(settings.url) as opened:
        yield opened


def videos(store: Store, settings: Settings, number: int) -> list[str]:
    """Uploads that are ready to be scored; nobody has queued them yet."""
    made = [upload(store, settings, f"video {n}".encode(), uploader=f"u{n}") for n in range(number)]
    with store.write() as session:
        _finish_ingest(session)
    return made


def queue(store: Store, chosen: list[str]) -> None:
    with store.write() as session:
        for video in chosen:
            jobs.enqueue(session, JobKind.SCORE, video_id=video)


def scored(store: Store) -> int:
    with store.read() as session:
        return len(list(session.scalars(select(VerdictRow.id))))


def routes(store: Store) -> list[tuple[str, datetime, datetime, str]]:
    """Of every ``icd`` verdict: version, when its job began, when it was stored, by whom."""
    query = (
        select(VerdictRow, JobRow.started_at, EventRow.actor)
        .join(CaseRow, CaseRow.id == VerdictRow.case_id)
        .join(JobRow, (JobRow.video_id == CaseRow.video_id) & (JobRow.kind == "score"))
        .join(
            EventRow, (EventRow.subject_id == CaseRow.video_id) & (EventRow.kind == "video.scored")
        )
        .where(CaseRow.task == "icd")
    )
    found = []
    with store.read() as session:
        for verdict, began, actor in session.execute(query):
            assert verdict.first_route["version"] == verdict.route["version"], "a mixture"
            found.append((verdict.route["version"], began, verdict.created_at, actor))
    return found


def test_all_workers_are_back_before_their_next_video(store: Store, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    first, second = (routing_versions.keep(store, LOCAL, made) for made in (FIRST, SECOND))
    routing_versions.publish(store, LOCAL, "icd", first, "the first", "settings")
    routing_versions.publish(store, LOCAL, "icd", second, "a mistake", first)
    uploads = videos(store, settings, 36)
    queue(store, uploads[:24])
    with workers(settings.home):
        wait(lambda: scored(store) >= 16)  # two verdicts a video: some are under way now
        back = routing_versions.rollback(store, LOCAL, "icd", "that was wrong", second)
        queue(store, uploads[24:])
        wait(lambda: scored(store) >= 72)
    found = routes(store)
    assert len(found) == 36
    assert {version for version, *_ in found} == {first, second}
    assert {version for version, began, *_ in found if began > back.at} == {first}
    assert all(at < back.at + WITHIN for version, _, at, _ in found if version == second)
    assert {actor for version, *_, actor in found if version == first} == set(NAMES)


def test_a_split_and_a_shadow_run_on_all_workers_and_end_at_once(
    store: Store, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home")
    first, second = (routing_versions.keep(store, LOCAL, made) for made in (FIRST, SECOND))
    routing_versions.publish(store, LOCAL, "icd", first, "the first", "settings")
    trials.start(store, LOCAL, "icd", "split", second, "half of them", share=0.5)
    shadow = trials.start(store, LOCAL, "icd", "shadow", second, "beside it")
    uploads = videos(store, settings, 24)
    with workers(settings.home):
        queue(store, uploads[:16])
        wait(lambda: scored(store) >= 32)
        for each in trials.of_task(store, LOCAL, "icd"):
            trials.stop(store, LOCAL, each.id)
        queue(store, uploads[16:])
        wait(lambda: scored(store) >= 48)
    ended = max(each.ended_at for each in trials.of_task(store, LOCAL, "icd") if each.ended_at)
    found = routes(store)
    during = [version for version, began, *_ in found if began < ended]
    assert set(during) == {first, second}
    assert {version for version, began, *_ in found if began > ended} == {first}
    with store.read() as session:
        beside = session.query(ShadowRouteRow).filter_by(trial_id=shadow.id).count()
    assert beside == 16
    report = trials.report(store, LOCAL, shadow.id)
    assert report.n == 16  # type: ignore[union-attr]
