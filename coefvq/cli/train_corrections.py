"""A training from corrections in the foreground: the same run as on the Training page."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from coefvq.cli.progress import duration
from coefvq.errors import TrainingError
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings, load_settings
from coefvq.store import training_runs
from coefvq.store.session import Store, open_store
from coefvq.store.tables import JobKind, JobState, TrainedModelRow
from coefvq.work import training
from coefvq.work.training import RunView

_LOOK_S, _SAY_S = 1.0, 5.0
_AGAIN = "coefvq train {} --resume {}"


@dataclass(frozen=True)
class Wish:
    """What is asked for; ``resume``: the start of a run's id."""

    model: str
    snapshot: str | None
    resume: str | None
    options: dict[str, Any]
    gate: bool


def train_here(wish: Wish) -> dict[str, Any]:
    """Train, register and compare in this process; progress goes to stderr.

    Where a worker was faster and has the job, this waits for it.

    Returns:
        Run, snapshot, parent, version, metrics and the gate's report, plain JSON.

    Raises:
        TrainingError: It failed or was stopped, with the reason.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    settings = load_settings()
    with open_store(settings.url) as store:
        run_id = _begin(store, settings, wish)
        with _watched(store, settings, run_id):
            run = _see_through(store, settings, run_id, JobKind.TRAIN)
            if run.state != training_runs.DONE:
                again = _AGAIN.format(run.stage, run.id)
                why = run.error or "The training was stopped."
                raise TrainingError(f"{why} Its work is kept; to go on: {again}")
            if wish.gate:
                run = _see_through(store, settings, run_id, JobKind.GATE)
        return _report(store, run)


def _begin(store: Store, settings: Settings, wish: Wish) -> str:
    if wish.resume is None:
        return training.start_training(
            store, settings, OPERATOR, wish.model,
            snapshot_id=wish.snapshot, options=wish.options, gate=wish.gate,
        )  # fmt: skip
    run = training.training_run(store, OPERATOR, wish.resume)
    if run.stage != wish.model:
        raise click.UsageError(f"Training {run.id} is of the {run.stage}, not the {wish.model}.")
    if wish.snapshot or wish.options:
        raise click.UsageError("A resumed training keeps its snapshot and its options.")
    return training.resume_training(store, settings, OPERATOR, run.id).id


def _see_through(store: Store, settings: Settings, run_id: str, kind: JobKind) -> RunView:
    """Do a run's job of one kind here, or wait for the worker that has it."""
    from coefvq.work.assessor import load_cascade
    from coefvq.work.worker import Worker, worker_name

    worker = Worker(settings, store, load_cascade, worker_name("train"))
    while True:
        with store.read() as session:
            job = training_runs.job_of(session, run_id, kind.value)
        if job is None or job.state in (JobState.DONE.value, JobState.SET_ASIDE.value):
            return training.training_run(store, OPERATOR, run_id)
        if not worker.work_one(job.id):
            time.sleep(_LOOK_S)


@contextmanager
def _watched(store: Store, settings: Settings, run_id: str) -> Iterator[None]:
    """Print progress; the first Ctrl-C stops the training so that it can be resumed."""
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(store, run_id, over), daemon=True)
    teller.start()
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        click.echo("stopping after this step; Ctrl-C again leaves at once", err=True)
        # In a thread of its own: the store may be in the middle of a write here.
        threading.Thread(target=_cancel, args=(store, settings, run_id), daemon=True).start()

    if main:
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        over.set()
        teller.join()
        if main:
            signal.signal(signal.SIGINT, before)


def _cancel(store: Store, settings: Settings, run_id: str) -> None:
    try:
        training.cancel_training(store, settings, OPERATOR, run_id)
    except TrainingError as error:
        click.echo(str(error), err=True)


def _tell(store: Store, run_id: str, over: threading.Event) -> None:
    said, at = "", 0.0
    while not over.wait(_LOOK_S):
        run = training.training_run(store, OPERATOR, run_id)
        part, line = _progress(run)
        due = time.monotonic() - at >= _SAY_S
        if part and (part != said or due):
            click.echo(line, err=True)
            said, at = part, time.monotonic()


def _progress(run: RunView) -> tuple[str, str]:
    """The part at hand, and a line that says how far it is; empty before it begins."""
    part, share, left = run.note, run.progress, run.eta_s
    if run.state == training_runs.DONE and run.gate is not None:
        part, share, left = run.gate.note, run.gate.progress, None
    rest = "" if left is None else f", about {duration(left)} left"
    return part, f"{part}: {share:.0%}{rest}"


def _report(store: Store, run: RunView) -> dict[str, Any]:
    """What came of it. A gate that could not be computed says why."""
    with store.read() as session:
        model = session.get(TrainedModelRow, run.version)
        gate = training_runs.newest_gates(session, [str(run.version)]).get(str(run.version))
    found: dict[str, Any] = {
        "run": run.id,
        "stage": run.stage,
        "snapshot": run.snapshot_id,
        "parent": run.parent,
        "version": run.version,
        "metrics": (model.document or {}).get("metrics", {}) if model else {},
        "gate": None,
    }
    if gate is not None:
        found["gate"] = {"passed": gate.passed, "against": gate.against, **gate.document}
    elif run.gate is not None and run.gate.error:
        found["gate"] = {"passed": False, "reasons": [run.gate.error]}
    return found
