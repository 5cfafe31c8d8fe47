"""The worker as a process of its own, so that scoring never holds up a page.

The parent holds the child's standard input open. When the parent ends, however it ends, the
pipe closes and the child gives its job back and ends too.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import OperationalError

from coefvq.errors import StoreError
from coefvq.settings import PREFIX, Settings
from coefvq.store import leases
from coefvq.store.session import open_store
from coefvq.store.tables import JobKind
from coefvq.work.assessor import load_cascade
from coefvq.work.trainer import RENEW
from coefvq.work.worker import SCORING, CascadeFactory, Worker, worker_name

log = logging.getLogger(__name__)
GRACE_S = 3.0
_NICENESS = 5
WORKER, TRAINER = "worker", "trainer"
_MODULES = {WORKER: "coefvq.work", TRAINER: "coefvq.work.trainer"}
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


class BackgroundWorker:
    """A child process that works, started again when it dies.

    A codec or model that takes its process down costs the job one attempt, not the app its
    worker. The dead child's leases are given back at once: nobody else can hold them.

    Args:
        role: ``worker``: takes everything, or what ``kinds`` says. ``trainer``: trainings and
            gates, so that those never hold up scoring; small while there are none.
    """

    def __init__(
        self,
        settings: Settings,
        log_file: Path | None = None,
        kinds: Collection[JobKind] | None = None,
        role: str = WORKER,
    ):
        self._settings, self._log_file = settings, log_file
        self._role, self._kinds = role, sorted(kind.value for kind in kinds or ())
        self._stopping = threading.Event()
        self._name = worker_name(role)
        self._process = self._start()
        self._guard = threading.Thread(target=self._watch, name="worker-guard", daemon=True)
        self._guard.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def name(self) -> str:
        """The child's name as a holder of leases."""
        return self._name

    @property
    def alive(self) -> bool:
        """Whether it runs just now."""
        return self._process.poll() is None

    def stop(self, timeout_s: float = GRACE_S + 5.0) -> None:
        """Let it give its job back and end; kill it when it does not."""
        self._stopping.set()
        _close_input(self._process)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._guard.join(timeout_s)

    def _watch(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            code = self._process.wait()
            if self._stopping.is_set():
                return
            _close_input(self._process)
            if code != RENEW:
                log.warning("%s ended with status %d; starting another", self._name, code)
                _free_leases(self._settings, self._name)
                if self._stopping.wait(pause_s):
                    return
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            self._name = worker_name(self._role)
            self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        output = self._log_file.open("ab") if self._log_file is not None else None
        try:
            return subprocess.Popen(
                [sys.executable, "-m", _MODULES[self._role], self._name, *self._kinds],
                stdin=subprocess.PIPE,
                stdout=output or subprocess.DEVNULL,
                stderr=output,
                env=_environment(self._settings),
                start_new_session=True,  # Ctrl-C goes to the parent, which then stops the child
            )
        finally:
            if output is not None:
                output.close()


def start_background_worker(settings: Settings, log_file: Path | None = None) -> BackgroundWorker:
    """Start a worker process with these settings. It ends with its parent.

    Args:
        log_file: Where its messages go; by default where the parent's errors go.
    """
    return BackgroundWorker(settings, log_file)


@contextmanager
def background_workers(settings: Settings) -> Iterator[None]:
    """Two processes: one scores and does what people wait for, the other one trains."""
    started = [
        BackgroundWorker(settings, kinds=SCORING),
        BackgroundWorker(settings, role=TRAINER),
    ]
    try:
        yield
    finally:
        ends = [threading.Thread(target=each.stop) for each in started]
        for end in ends:
            end.start()
        for end in ends:
            end.join()


def run_worker(
    settings: Settings,
    *,
    once: bool = False,
    stop: threading.Event | None = None,
    factory: CascadeFactory = load_cascade,
    kinds: Collection[JobKind] | None = None,
) -> int:
    """Work in this process; return how many jobs were taken (with ``once``), else 0.

    On SIGTERM (where the main thread runs this) the job at hand is given back.

    Args:
        kinds: What it takes; ``None``: everything.
    """
    ending = stop or threading.Event()
    with open_store(settings.url) as store:
        worker = Worker(settings, store, factory, kinds=kinds)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: _end(worker, ending))
        if once:
            return worker.run_once(ending)
        worker.run_forever(ending)
    return 0


def run_child(
    settings: Settings,
    name: str | None = None,
    factory: CascadeFactory = load_cascade,
    kinds: Collection[JobKind] | None = None,
    *,
    spell: bool = False,
) -> None:
    """The child's whole life: work until standard input closes.

    Args:
        kinds: What it takes; ``None``: everything.
        spell: Return as soon as nothing is left to do.
    """
    if hasattr(os, "nice") and not spell:
        os.nice(_NICENESS)
    ending = threading.Event()
    with open_store(settings.url) as store:
        worker = Worker(settings, store, factory, name, kinds)
        watch = threading.Thread(target=_watch_parent, args=(worker, ending), daemon=True)
        watch.start()
        signal.signal(signal.SIGTERM, lambda *_: _end(worker, ending))
        if spell:
            worker.run_once(ending)
        else:
            worker.run_forever(ending)


def _watch_parent(worker: Worker, ending: threading.Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    _end(worker, ending)


def _end(worker: Worker, ending: threading.Event) -> None:
    """Ask for the end; a job that takes longer than the grace time is given back."""
    if ending.is_set():
        return
    ending.set()
    threading.Thread(target=_insist, args=(worker,), daemon=True).start()


def _insist(worker: Worker) -> None:
    threading.Event().wait(GRACE_S)
    worker.give_back()
    log.info("%s stops in the middle of a job; it is queued again", worker.name)
    os._exit(0)


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()


def _free_leases(settings: Settings, name: str) -> None:
    try:
        with open_store(settings.url) as store, store.write() as session:
            leases.release_all(session, leases.JOB, name)
    except (StoreError, OperationalError) as error:
        log.warning("leases of %s run out by themselves: %s", name, error)


def _environment(settings: Settings) -> dict[str, str]:
    """The parent's environment with the settings in force and this very package first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = {PREFIX + name.upper(): str(value) for name, value in settings.model_dump().items()}
    package = str(Path(__file__).resolve().parents[2])
    ours["PYTHONPATH"] = os.pathsep.join(filter(None, [package, kept.get("PYTHONPATH")]))
    return kept | ours
