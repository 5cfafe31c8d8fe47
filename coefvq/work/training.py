"""Trainings as jobs: start one, stop it, take it up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.errors import SettingsError, TrainingError, did_you_mean
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import jobs, routing_state, trained_models, training_runs
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobRow, JobState, TrainingRunRow
from coefvq.store.training_runs import RUN
from coefvq.work import training_options

NAMES = {Stage.PREFILTER: "prefilter", Stage.MLLM: "MLLM"}
GATE_TOO = "gate"
"""In a TRAIN job's payload: whether a gate follows."""
_TURN = "training"


@dataclass(frozen=True)
class RunView:
    """One training.

    Attributes:
        state: ``queued``, ``running``, ``done``, ``cancelled`` or ``failed``.
        stopping: Somebody asked it to stop, and it has not yet.
        progress: Share of the part at hand, 0..1.
        note: What that part is.
        eta_s: Seconds that remain of it; ``None``: not known.
        losses: ``(step, name, value)``.
        version: The candidate that it made.
        waits_for: Why a queued one does not go on; empty: it is next.
    """

    id: str
    stage: str
    snapshot_id: str
    parent: str
    options: dict[str, Any]
    state: str
    stopping: bool
    progress: float
    note: str
    eta_s: float | None
    losses: tuple[tuple[int, str, float], ...]
    version: str | None
    error_code: str | None
    error: str | None
    started_by: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    gate: GateJobView | None = field(default=None)

    @property
    def open(self) -> bool:
        """Whether it waits or goes on."""
        return self.state in training_runs.OPEN

    @property
    def resumable(self) -> bool:
        """Whether it can be taken up again."""
        return self.state in training_runs.STOPPED


@dataclass(frozen=True)
class GateJobView:
    """The job that compares a run's candidate. ``state``: of ``store.tables.JobState``."""

    id: str
    state: str
    progress: float
    note: str
    error: str | None


def start_training(
    store: Store,
    settings: Settings,
    actor: Actor,
    stage: Stage | str,
    *,
    snapshot_id: str | None = None,
    options: Mapping[str, Any] | None = None,
    gate: bool = True,
) -> str:
    """Queue a training; a worker does it, and the gate after it.

    Args:
        snapshot_id: What it learns from: an id, its start, or a number; ``None``: a snapshot of
            the decisions as they stand now.
        options: Of the stage's trainer, by name; what is not there stays as it is.
        gate: Compare the candidate with the model in force as soon as it is there.

    Returns:
        The run's id.

    Raises:
        NotAllowed: The actor is no lead.
        SettingsError: There is no such stage or option, or a value does not fit.
        TrainingError: One of this stage goes on already, or there is nothing to learn from.
    """
    require(actor, Permission.LEAD)
    which = stage_of(stage)
    wanted = training_options.checked(which, options or {})
    with store.read() as session:
        _refuse_second(session, which)
    from coefvq.learning.dataset.make import make_snapshot
    from coefvq.learning.dataset.read import read_snapshot

    snapshot = (
        read_snapshot(store, settings, snapshot_id)
        if snapshot_id
        else make_snapshot(store, settings, actor, note=f"for a training of the {NAMES[which]}")
    )
    with store.write() as session:
        routing_state.locked(session, _TURN, which.value)
        _refuse_second(session, which)
        row = TrainingRunRow(
            stage=which.value,
            snapshot_id=snapshot.id,
            parent=parent_of(session, which),
            options=wanted,
            losses=[],
            started_by=actor.name,
        )
        training_runs.add(session, row)
        jobs.add(session, JobKind.TRAIN, {RUN: row.id, GATE_TOO: gate})
        return row.id


def cancel_training(store: Store, settings: Settings, actor: Actor, run_id: str) -> RunView:
    """Stop a training; its work is kept and can be taken up again.

    One that waits stops at once, one that goes on within seconds.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such training.
        TrainingError: It is over.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = training_runs.get(session, run_id, lock=True)
        if row.state not in training_runs.OPEN:
            raise TrainingError(f"This training is {row.state} already; there is nothing to stop.")
        training_runs.ask_to_stop(session, row, actor.name)
        job = _open_job(session, run_id)
        if job is None or jobs.withdraw(session, job):
            training_runs.stop(session, row, actor.name)
        return view_of(row)


def resume_training(store: Store, settings: Settings, actor: Actor, run_id: str) -> RunView:
    """Take a stopped or failed training up again where it stopped.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such training.
        TrainingError: It is not stopped, or another one of the stage goes on.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = training_runs.get(session, run_id, lock=True)
        if row.state not in training_runs.STOPPED:
            raise TrainingError(
                f"This training is {row.state}; only a stopped or failed one can be resumed."
            )
        routing_state.locked(session, _TURN, row.stage)
        _refuse_second(session, Stage(row.stage))
        training_runs.resume(session, row, actor.name)
        last = training_runs.job_of(session, run_id, JobKind.TRAIN.value)
        if last is not None and last.state == JobState.SET_ASIDE.value:
            jobs.retry(session, last.id)
        else:
            payload = {RUN: run_id, GATE_TOO: True} | (dict(last.payload) if last else {})
            jobs.add(session, JobKind.TRAIN, payload)
        return view_of(row)


def request_gate(store: Store, actor: Actor, run_id: str) -> str:
    """Queue the comparison of a run's candidate anew; its job's id.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such training.
        TrainingError: It has no candidate.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = training_runs.get(session, run_id, lock=True)
        if row.version is None:
            raise TrainingError("This training has made no candidate yet.")
        return queue_gate(session, row).id


def request_gate_of(store: Store, actor: Actor, version: str) -> str:
    """Queue the comparison of a model of the registry anew; its job's id.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such model.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        model = trained_models.get(session, version)
        if model.run_id is not None:
            run = training_runs.get(session, model.run_id, lock=True)
            if run.version == version:
                return queue_gate(session, run).id
        return jobs.add(session, JobKind.GATE, {"version": version}).id


def queue_gate(session: Session, row: TrainingRunRow) -> JobRow:
    """Queue a run's gate, or return the one that waits or goes on."""
    gate = JobKind.GATE.value
    known = training_runs.job_of(session, row.id, gate, JobState.QUEUED, JobState.RUNNING)
    failed = training_runs.job_of(session, row.id, gate, JobState.SET_ASIDE)
    if known is None and failed is not None:
        return jobs.retry(session, failed.id)
    return known or jobs.add(session, JobKind.GATE, {RUN: row.id, "version": row.version})


def training_runs_of(store: Store, actor: Actor, limit: int = 30) -> tuple[RunView, ...]:
    """Trainings, the newest first, each with the job of its gate.

    Raises:
        NotAllowed: The actor is no lead.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        rows = training_runs.listed(session, limit)
        gates = training_runs.jobs_of(session, [row.id for row in rows], JobKind.GATE.value)
    return tuple(view_of(row, gates.get(row.id)) for row in rows)


def training_run(store: Store, actor: Actor, run_id: str) -> RunView:
    """One training, by its id or the start of it.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is none, or there are several.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        row = training_runs.find(session, run_id)
        return view_of(row, training_runs.job_of(session, row.id, JobKind.GATE.value))


def stage_of(name: Stage | str) -> Stage:
    """Read a stage's name.

    Raises:
        SettingsError: There is no such stage.
    """
    try:
        return Stage(name)
    except ValueError as error:
        known = [stage.value for stage in Stage]
        raise SettingsError(f"Unknown model '{name}'.{did_you_mean(str(name), known)}") from error


def parent_of(session: Session, stage: Stage) -> str:
    """The version in force, from which a candidate is made."""
    from coefvq.learning.registry import in_force
    from coefvq.learning.shipped_models import shipped_version

    return in_force(session).get(stage) or shipped_version(stage)


def view_of(row: TrainingRunRow, gate: JobRow | None = None) -> RunView:
    """A row as a view."""
    return RunView(
        id=row.id,
        stage=row.stage,
        snapshot_id=row.snapshot_id,
        parent=row.parent,
        options=dict(row.options),
        state=row.state,
        stopping=row.cancel and row.state in training_runs.OPEN,
        progress=row.progress,
        note=row.note,
        eta_s=row.eta_s,
        losses=tuple((step, name, value) for step, name, value in row.losses),
        version=row.version,
        error_code=row.error_code,
        error=row.error,
        started_by=row.started_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        gate=None if gate is None else _gate_job(gate),
    )


def _gate_job(row: JobRow) -> GateJobView:
    return GateJobView(row.id, row.state, row.progress, row.note, row.error)


def _open_job(session: Session, run_id: str) -> JobRow | None:
    states = (JobState.QUEUED, JobState.RUNNING)
    return training_runs.job_of(session, run_id, JobKind.TRAIN.value, *states)


def _refuse_second(session: Session, stage: Stage) -> None:
    other = training_runs.open_of(session, stage.value)
    if other is not None:
        raise TrainingError(
            f"A training of the {NAMES[stage]} is {other.state} already ({other.id}). "
            "Stop it first, or wait until it is done."
        )
