"""Trainings as rows: started, followed, stopped, taken up again, done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import events
from coefvq.store.tables import GateReportRow, JobRow, JobState, TrainingRunRow, utcnow

QUEUED, RUNNING, DONE, CANCELLED, FAILED = "queued", "running", "done", "cancelled", "failed"
OPEN = (QUEUED, RUNNING)
STOPPED = (CANCELLED, FAILED)
"""A run in one of these can be taken up again."""
STARTED, ASKED, RESUMED = "training.started", "training.cancel_asked", "training.resumed"
ENDED = {DONE: "training.done", CANCELLED: "training.cancelled", FAILED: "training.failed"}
RUN = "run"
"""In a job's payload: the run that it does."""
_FOLLOWS = {JobState.QUEUED.value: QUEUED, JobState.RUNNING.value: RUNNING}


def add(session: Session, row: TrainingRunRow) -> TrainingRunRow:
    """Begin a run and log it."""
    session.add(row)
    session.flush()
    data = {"stage": row.stage, "snapshot": row.snapshot_id, "parent": row.parent,
            "options": row.options}  # fmt: skip
    events.append(session, row.started_by, STARTED, "training", row.id, data)
    return row


def get(session: Session, run_id: str, *, lock: bool = False) -> TrainingRunRow:
    """Look one run up, as it is in the database now.

    Raises:
        StoreError: There is no such run.
    """
    row = session.get(TrainingRunRow, run_id, with_for_update=lock or None, populate_existing=True)
    if row is None:
        raise StoreError(f"There is no training {run_id}.")
    return row


def find(session: Session, start: str) -> TrainingRunRow:
    """Look a run up by the start of its id.

    Raises:
        StoreError: There is none, or there are several.
    """
    query = select(TrainingRunRow).where(TrainingRunRow.id.startswith(start, autoescape=True))
    found = session.scalars(query.limit(2)).all() if start else []
    if len(found) != 1:
        raise StoreError(
            f"{'No' if not found else 'More than one'} training begins with '{start}'."
        )
    return found[0]


def listed(session: Session, limit: int = 30) -> list[TrainingRunRow]:
    """Runs, the newest first."""
    query = select(TrainingRunRow).order_by(TrainingRunRow.id.desc()).limit(limit)
    return list(session.scalars(query))


def open_of(session: Session, stage: str) -> TrainingRunRow | None:
    """The run of a stage that waits or goes on just now."""
    mine = TrainingRunRow.stage == stage
    query = select(TrainingRunRow).where(mine, TrainingRunRow.state.in_(OPEN))
    return session.scalars(query.limit(1)).first()


def done_ids(session: Session) -> list[str]:
    """Runs that made their candidate: nobody takes them up again."""
    query = select(TrainingRunRow.id).where(TrainingRunRow.state == DONE)
    return list(session.scalars(query))


def job_of(session: Session, run_id: str, kind: str, *states: JobState) -> JobRow | None:
    """The newest job of a run, in one of the states where some are named."""
    query = select(JobRow).where(JobRow.kind == kind)
    query = query.where(JobRow.payload[RUN].as_string() == run_id)
    if states:
        query = query.where(JobRow.state.in_([state.value for state in states]))
    return session.scalars(query.order_by(JobRow.id.desc()).limit(1)).first()


def jobs_of(session: Session, run_ids: Sequence[str], kind: str) -> dict[str, JobRow]:
    """The newest job of each run."""
    query = select(JobRow).where(JobRow.kind == kind)
    query = query.where(JobRow.payload[RUN].as_string().in_(run_ids)).order_by(JobRow.id)
    return {str(row.payload[RUN]): row for row in session.scalars(query)}


def newest_gates(session: Session, versions: Sequence[str]) -> dict[str, GateReportRow]:
    """The newest gate's report of each version: the one that counts."""
    query = select(GateReportRow).where(GateReportRow.version.in_(versions))
    return {row.version: row for row in session.scalars(query.order_by(GateReportRow.id))}


def follow(session: Session, job: JobRow) -> None:
    """Let a run show where its job is: it waits, goes on, or was set aside."""
    row = get(session, str(job.payload[RUN]), lock=True)
    if row.state == DONE:
        return
    if job.state == JobState.SET_ASIDE.value:
        fail(session, row, job.error_code or "error", job.error or "")
        return
    row.state = _FOLLOWS[job.state]
    row.eta_s = None
    if row.state == RUNNING:
        row.started_at = row.started_at or utcnow()


def ask_to_stop(session: Session, row: TrainingRunRow, actor: str) -> None:
    """Note that somebody wants it to stop; whoever trains sees it within seconds."""
    row.cancel = True
    events.append(session, actor, ASKED, "training", row.id, {"stage": row.stage})


def resume(session: Session, row: TrainingRunRow, actor: str) -> None:
    """Let a stopped run wait for its turn again, with the work that it has done."""
    row.state, row.cancel = QUEUED, False
    row.error_code = row.error = row.finished_at = row.eta_s = None
    events.append(session, actor, RESUMED, "training", row.id, {"stage": row.stage})


def done(session: Session, row: TrainingRunRow, version: str) -> None:
    """A run made its candidate."""
    row.version, row.progress, row.error_code, row.error = version, 1.0, None, None
    row.note = ""
    _end(session, row, DONE, row.started_by, {"version": version})


def stop(session: Session, row: TrainingRunRow, actor: str) -> None:
    """A run stopped because somebody asked for it; its work is kept."""
    _end(session, row, CANCELLED, actor, {})


def fail(session: Session, row: TrainingRunRow, code: str, message: str) -> None:
    """A run cannot go on; its work is kept."""
    row.error_code, row.error = code, message
    _end(session, row, FAILED, "worker", {"code": code})


def _end(
    session: Session, row: TrainingRunRow, state: str, actor: str, data: dict[str, Any]
) -> None:
    row.state, row.finished_at, row.eta_s = state, utcnow(), None
    row.cancel = False
    events.append(session, actor, ENDED[state], "training", row.id, {"stage": row.stage, **data})
