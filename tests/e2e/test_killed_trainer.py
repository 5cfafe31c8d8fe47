"""A trainer is killed in the middle of a training: another one goes on, and loses no step."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store import events
from coefvq.store.session import Store, open_store
from coefvq.work import training
from coefvq.work.worker import LEARNING, SCORING, Worker
from tests.e2e.slow_trainer import WAITS_AT
from tests.store_factory import FixedCascade, settings_at
from tests.unit.work.past import Past
from tests.unit.work.training_double import STEPS, Script, play

LEASE_S = 6.0
PATIENCE_S = 300.0
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Short leases, so that a takeover comes soon."""
    return settings_at(tmp_path / "home", lease_s=LEASE_S)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A store on disk that several processes share, with a few decisions."""
    with open_store(settings.url) as opened:
        past = Past(opened, settings)
        for number in range(4):
            past.case(violation=number % 2 == 0, title=f"a clip about subject number {number}")
        yield opened


@pytest.fixture
def run_id(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """A training that waits."""
    play(monkeypatch, Script())
    return training.start_training(store, settings, LOCAL, "prefilter")


@pytest.fixture
def child(settings: Settings, run_id: str) -> Iterator[subprocess.Popen[bytes]]:
    """A trainer process in the middle of it."""
    command = [sys.executable, "-m", "tests.e2e.slow_trainer", str(settings.home), str(LEASE_S)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        assert eventually(lambda: (settings.home / "waiting").exists())
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def steps(settings: Settings) -> list[int]:
    return [int(line) for line in (settings.home / "steps").read_text().split()]


def test_another_trainer_goes_on_where_the_killed_one_was(
    store: Store, settings: Settings, run_id: str, child: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert steps(settings) == list(range(WAITS_AT + 1))
    script = play(monkeypatch, Script())
    scoring = Worker(settings, store, lambda _: FixedCascade(), "scoring", SCORING)
    assert not scoring.work_one(), "a training is nothing for the worker that scores"
    other = Worker(settings, store, lambda _: FixedCascade(), "other", LEARNING)
    assert eventually(other.work_one)
    assert script.taken == list(range(WAITS_AT, STEPS)), "done steps are not done again"
    run = training.training_run(store, LOCAL, run_id)
    assert run.state == "done" and run.version == "prefilter-candidate"
    with store.read() as session:
        kinds = [event.kind for event in events.of_subject(session, "training", run_id)]
        assert kinds == ["training.started", "training.done"]
        assert events.verify(session) is None


def test_a_stop_reaches_a_living_trainer_in_another_process(
    store: Store, settings: Settings, run_id: str, child: subprocess.Popen[bytes]
) -> None:
    assert training.cancel_training(store, settings, LOCAL, run_id).stopping
    (settings.home / "go").touch()
    assert child.wait(PATIENCE_S) == 0
    assert training.training_run(store, LOCAL, run_id).state == "cancelled"
    assert steps(settings) == list(range(WAITS_AT + 1))
