"""A worker dies or hangs in the middle of a job: another finishes it, and only once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coefvq.review.uploads import register
from coefvq.settings import Settings
from coefvq.store import assessments, cases, events, jobs, videos
from coefvq.store.session import Store, open_store
from coefvq.store.tables import JobState, VerdictRow
from coefvq.work.worker import Worker
from tests import media_factory
from tests.store_factory import LOCAL, FixedCascade, settings_at

LEASE_S = 6.0
PATIENCE_S = 120.0
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Short leases, so that a takeover comes soon."""
    return settings_at(tmp_path / "home", lease_s=LEASE_S)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A store on disk that several processes share."""
    with open_store(settings.url) as opened:
        yield opened


@pytest.fixture
def video_id(store: Store, settings: Settings, tmp_path: Path) -> str:
    """A real clip whose score job waits."""
    clip = media_factory.clip(tmp_path / "clip.mp4", seconds=0.5)
    made = register(store, settings, LOCAL, clip)
    for _ in ("its file", "its copies"):
        assert healthy(store, settings).work_one()
    return made


@pytest.fixture
def child(settings: Settings, video_id: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process in the middle of scoring the clip."""
    command = [sys.executable, "-m", "tests.e2e.slow_worker", str(settings.home), str(LEASE_S)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        assert eventually(lambda: (settings.home / "scoring").exists())
        yield process
    finally:
        process.kill()
        process.wait()


def healthy(store: Store, settings: Settings) -> Worker:
    return Worker(settings, store, lambda _: FixedCascade(), "healthy")


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def assert_one_result(store: Store, video_id: str) -> None:
    with store.read() as session:
        assert videos.get(session, video_id).status == videos.SCORED
        stages = [row.stage for row in assessments.of_video(session, video_id)]
        assert stages == ["prefilter", "mllm"]
        assert session.query(VerdictRow).count() == len(cases.of_video(session, video_id)) == 2
        job = jobs.newest_by_video(session, [video_id])[video_id]
        assert (job.state, job.attempts) == (JobState.DONE, 2)
        kinds = [event.kind for event in events.of_subject(session, "video", video_id)]
        assert kinds == ["video.uploaded", "video.compared", "video.scored"]
        assert events.verify(session) is None


def test_the_job_of_a_killed_worker_is_done_by_another_exactly_once(
    store: Store, settings: Settings, video_id: str, child: subprocess.Popen[bytes]
) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()
    other = healthy(store, settings)
    with store.read() as session:
        assert jobs.counts(session)["running"] == 1
    assert eventually(other.work_one)
    assert not other.work_one()
    assert_one_result(store, video_id)


def test_a_living_workers_job_is_not_taken(
    store: Store, settings: Settings, child: subprocess.Popen[bytes]
) -> None:
    """Its heartbeat holds the lease, though the job lasts longer than one lease."""
    other = healthy(store, settings)
    until = time.monotonic() + 1.5 * LEASE_S
    while time.monotonic() < until:
        assert not other.work_one()
        time.sleep(0.2)
    assert child.poll() is None


def test_a_worker_that_wakes_up_too_late_stores_nothing(
    store: Store, settings: Settings, video_id: str, child: subprocess.Popen[bytes]
) -> None:
    child.send_signal(signal.SIGSTOP)
    assert eventually(healthy(store, settings).work_one)
    (settings.home / "go").touch()
    child.send_signal(signal.SIGCONT)
    assert child.wait(PATIENCE_S) == 0
    assert_one_result(store, video_id)
