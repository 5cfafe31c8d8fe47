"""What a worker does for a training and for a gate.

Whatever must be stored with the end of the job is returned, and stored in the transaction that
closes it (see ``handlers``). Registering a candidate comes before and may be done twice: a version
names its very bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.errors import (
    LeaseLost,
    ModelError,
    SettingsError,
    StoreError,
    TrainingError,
    TrainingStopped,
)
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store import training_runs
from coefvq.store.jobs import ClaimedJob
from coefvq.store.session import Store
from coefvq.store.training_runs import RUN
from coefvq.work import training, training_options, training_promotion
from coefvq.work.bench import Apply, Bench, Report
from coefvq.work.training_monitor import JobMonitor, RunMonitor

if TYPE_CHECKING:
    from coefvq.learning.candidate import Candidate
    from coefvq.learning.dataset.snapshot import Snapshot


@dataclass(frozen=True)
class _Run:
    """What the handler needs of a run's row."""

    id: str
    stage: Stage
    snapshot_id: str
    parent: str
    options: dict[str, Any]
    started_by: str
    losses: list[Any]


def train(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Train a candidate, register it, and queue its gate.

    A training that cannot succeed is done all the same: its run says why it failed, and can be
    taken up again.
    """
    run = _run(bench.store, str(job.payload[RUN]))
    _tidy(bench)
    report(0.0, "reading the snapshot")
    monitor = RunMonitor(bench.store, job, run.losses)
    try:
        monitor.check()
        candidate = _candidate(bench, run, monitor)
        version = _register(bench, run, candidate)
        monitor.last_word()
    except TrainingStopped:
        return _ending(run, lambda session, row: training_runs.stop(session, row, bench.name))
    except LeaseLost:
        raise
    except (TrainingError, ModelError, SettingsError, StoreError) as error:
        code, words = error.code, str(error)
        return _ending(run, lambda session, row: training_runs.fail(session, row, code, words))
    return _done(run, version, bool(job.payload.get(training.GATE_TOO, True)))


def gate(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Compare a candidate with the model in force; the report is kept by the gate itself.

    Of a candidate that passes, it is told what a promotion would do to the routing. A job that is
    to promote does that instead.

    Raises:
        TrainingError: It cannot be compared, and why.
    """
    if training_promotion.PROMOTE in job.payload:
        return training_promotion.promote(bench, job)
    from coefvq.learning.gate.run import run_gate

    report(0.0, "reading the snapshot")
    snapshot = None
    if job.payload.get(RUN):
        run = _run(bench.store, str(job.payload[RUN]))
        snapshot = _snapshot(bench, run.snapshot_id)
    version, monitor = str(job.payload["version"]), JobMonitor(bench.store, job)
    found = run_gate(bench.store, bench.settings, version, snapshot=snapshot, monitor=monitor)
    if not found.passed:
        return lambda session: None
    report(0.0, "fitting the routing for it")
    plan = training_promotion.planned(bench, job, version, OPERATOR)
    return training_promotion.keep_outcome(job, plan)


def folder_of_run(settings: Settings, run_id: str) -> Path:
    """Where a run keeps its work."""
    return settings.runs_dir / run_id


def _run(store: Store, run_id: str) -> _Run:
    with store.read() as session:
        row = training_runs.get(session, run_id)
        return _Run(row.id, Stage(row.stage), row.snapshot_id, row.parent, dict(row.options),
                    row.started_by, list(row.losses))  # fmt: skip


def _snapshot(bench: Bench, snapshot_id: str) -> Snapshot:
    from coefvq.learning.dataset.read import read_snapshot

    return read_snapshot(bench.store, bench.settings, snapshot_id)


def _candidate(bench: Bench, run: _Run, monitor: RunMonitor) -> Candidate:
    from coefvq.learning.dataset.signals import StoreSignals
    from coefvq.learning.registry import folder_of

    items = _snapshot(bench, run.snapshot_id).items
    signals = StoreSignals(bench.store, bench.settings)
    parent = folder_of(bench.store, bench.settings, run.parent)
    out = folder_of_run(bench.settings, run.id)
    out.mkdir(parents=True, exist_ok=True)
    options = training_options.made(run.stage, run.options)
    if run.stage is Stage.PREFILTER:
        from coefvq.learning.refit.run import refit_prefilter

        return refit_prefilter(items, signals, parent, out, options=options, monitor=monitor)
    from coefvq.learning.tune.run import tune_mllm

    return tune_mllm(items, signals, parent, out, options=options, monitor=monitor,
                     cache_dir=bench.settings.cache_dir)  # fmt: skip


def _register(bench: Bench, run: _Run, candidate: Candidate) -> str:
    from coefvq.learning.registry import register

    return register(bench.store, bench.settings, run.started_by, candidate,
                    snapshot_id=run.snapshot_id, run_id=run.id)  # fmt: skip


def _ending(run: _Run, end: Callable[[Session, Any], None]) -> Apply:
    return lambda session: end(session, training_runs.get(session, run.id, lock=True))


def _done(run: _Run, version: str, gate_too: bool) -> Apply:
    def apply(session: Session) -> None:
        row = training_runs.get(session, run.id, lock=True)
        training_runs.done(session, row, version)
        if gate_too:
            training.queue_gate(session, row)

    return apply


def _tidy(bench: Bench) -> None:
    """Remove the work of runs that are done: their candidates are in the registry."""
    with bench.store.read() as session:
        done = training_runs.done_ids(session)
    for run_id in done:
        shutil.rmtree(folder_of_run(bench.settings, run_id), ignore_errors=True)
