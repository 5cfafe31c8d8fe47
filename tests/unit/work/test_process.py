"""The worker as a child process: it works, stops when told, and ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coefvq.review import library
from coefvq.review.uploads import register
from coefvq.settings import Settings
from coefvq.store import jobs
from coefvq.store.session import open_store
from coefvq.work.process import run_worker, start_background_worker
from tests import media_factory
from tests.store_factory import ANN, LOCAL, FixedCascade

PATIENCE_S = 90.0
ROOT = Path(__file__).resolve().parents[3]


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait until something holds; only a defect waits to the end."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def library_attempts(settings: Settings) -> int:
    with open_store(settings.url) as store:
        (job,) = library.set_aside(store, ANN)
        return job.attempts


def test_it_takes_jobs_with_the_parents_settings(settings: Settings, tmp_path: Path) -> None:
    """A text file needs no models: it is looked at and set aside."""
    with open_store(settings.url) as store:
        bad = media_factory.text(tmp_path / "bad.mp4")
        register(store, settings, LOCAL, bad)
        child = start_background_worker(settings)
        try:
            assert eventually(lambda: bool(library.set_aside(store, ANN)))
        finally:
            child.stop()
    assert not child.alive


def test_stop_ends_an_idle_worker(settings: Settings) -> None:
    child = start_background_worker(settings)
    assert child.alive
    child.stop(PATIENCE_S)
    assert gone(child.pid)


def test_messages_go_to_the_log_file(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with open_store(settings.url) as store:
        register(store, settings, LOCAL, media_factory.text(tmp_path / "bad.mp4"))
        child = start_background_worker(settings, log)
        try:
            assert eventually(lambda: bool(library.set_aside(store, ANN)))
        finally:
            child.stop()
    assert "attempt 1" in log.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_child_that_dies_is_replaced_and_its_job_taken_up_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    """Leases last an hour here: only giving back the dead child's lets the job go on."""
    patient = settings.model_copy(update={"lease_s": 3600.0})
    with open_store(settings.url) as store:
        child = start_background_worker(patient)
        try:
            first, name = child.pid, child.name
            os.kill(first, signal.SIGSTOP)
            register(store, settings, LOCAL, media_factory.text(tmp_path / "bad.mp4"))
            with store.write() as session:
                assert jobs.claim_next(session, name, 3600.0) is not None
            os.kill(first, signal.SIGKILL)
            assert eventually(lambda: bool(library.set_aside(store, ANN)))
            assert child.alive and child.pid != first and child.name != name
        finally:
            child.stop()
    assert library_attempts(settings) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_it_ends_when_its_parent_is_killed(settings: Settings) -> None:
    script = f"""
        import time
        from pathlib import Path
        from coefvq.settings import Settings
        from coefvq.work.process import start_background_worker
        print(start_background_worker(Settings(home=Path({str(settings.home)!r}))).pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not gone(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert eventually(lambda: gone(child))


def test_run_worker_once_empties_the_queue(settings: Settings, tmp_path: Path) -> None:
    clip = media_factory.clip(tmp_path / "clip.mp4", seconds=0.5)
    with open_store(settings.url) as store:
        register(store, settings, LOCAL, clip)
        taken = run_worker(
            settings, once=True, stop=threading.Event(), factory=lambda _: FixedCascade()
        )
        assert taken == 3
        assert library.status_counts(store, ANN)["to_review"] == 1


def test_run_worker_ends_when_told(settings: Settings) -> None:
    stop = threading.Event()
    stop.set()
    assert run_worker(settings, stop=stop, factory=lambda _: FixedCascade()) == 0
