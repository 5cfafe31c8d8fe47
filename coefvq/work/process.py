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
from pathlib import Path

from coefvq.settings import PREFIX, Settings
from coefvq.store.session import open_store
from coefvq.work.assessor import load_cascade
from coefvq.work.worker import CascadeFactory, Worker

log = logging.getLogger(__name__)
GRACE_S = 3.0
_NICENESS = 5


class BackgroundWorker:
    """A running child process."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self._process = process

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self, timeout_s: float = GRACE_S + 5.0) -> None:
        """Let it give its job back and end; kill it when it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_background_worker(settings: Settings, log_file: Path | None = None) -> BackgroundWorker:
    """Start a worker process with these settings. It ends with its parent.

    Args:
        log_file: Where its messages go; by default where the parent's errors go.
    """
    command = [sys.executable, "-m", "coefvq.work"]
    output = log_file.open("ab") if log_file is not None else None
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output or subprocess.DEVNULL,
            stderr=output,
            env=_environment(settings),
            start_new_session=True,  # Ctrl-C goes to the parent, which then stops the child
        )
    finally:
        if output is not None:
            output.close()
    return BackgroundWorker(process)


def run_worker(
    settings: Settings,
    *,
    once: bool = False,
    stop: threading.Event | None = None,
    factory: CascadeFactory = load_cascade,
) -> int:
    """Work in this process; return how many jobs were taken (with ``once``), else 0.

    On SIGTERM (where the main thread runs this) the job at hand is given back.
    """
    ending = stop or threading.Event()
    with open_store(settings.url) as store:
        worker = Worker(settings, store, factory)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: _end(worker, ending))
        if once:
            return worker.run_once(ending)
        worker.run_forever(ending)
    return 0


def run_child(settings: Settings, factory: CascadeFactory = load_cascade) -> None:
    """The child's whole life: work until standard input closes."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    ending = threading.Event()
    with open_store(settings.url) as store:
        worker = Worker(settings, store, factory)
        watch = threading.Thread(target=_watch_parent, args=(worker, ending), daemon=True)
        watch.start()
        signal.signal(signal.SIGTERM, lambda *_: _end(worker, ending))
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


def _environment(settings: Settings) -> dict[str, str]:
    """The parent's environment with the settings in force written out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = {PREFIX + name.upper(): str(value) for name, value in settings.model_dump().items()}
    return kept | ours
