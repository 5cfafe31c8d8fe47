"""The queue of work: enqueue, claim under a lease, report, finish, fail, retry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import callbacks, cases, events, leases, training_runs, videos
from coefvq.store.job_turns import AGAIN as AGAIN
from coefvq.store.job_turns import free, next_row
from coefvq.store.job_turns import is_due as is_due
from coefvq.store.leases import Lease
from coefvq.store.tables import JobKind, JobRow, JobState, utcnow

MAX_ATTEMPTS = 3
REACHED = "reached"
"""In a long job's payload: how far its attempts came, by part."""
PRIORITY = {
    JobKind.INGEST: 0,
    JobKind.FINGERPRINT: 1,
    JobKind.SCORE: 1,
    JobKind.EXPLAIN: 2,
    JobKind.FIGURES: 2,
    JobKind.EXPORT: 0,
    JobKind.IMPORT: 0,
    JobKind.TRAIN: -1,
    JobKind.GATE: 1,
    JobKind.SIGNALS: 1,
    JobKind.CALLBACK: 2,
}
"""Finish a video before starting the next; what a person waits for comes first, training last."""


@dataclass(frozen=True)
class ClaimedJob:
    """A job that a worker may do while its lease holds."""

    id: str
    kind: JobKind
    video_id: str | None
    case_id: str | None
    payload: dict[str, Any]
    attempt: int
    lease: Lease


def enqueue(
    session: Session,
    kind: JobKind,
    *,
    video_id: str | None = None,
    case_id: str | None = None,
    payload: dict[str, Any] | None = None,
) -> JobRow:
    """Add a job, or return the one that already waits or runs for the same thing."""
    known = open_job(session, kind, video_id=video_id, case_id=case_id)
    if known is not None:
        return known
    row = JobRow(
        kind=kind.value,
        video_id=video_id,
        case_id=case_id,
        payload=payload or {},
        priority=PRIORITY[kind],
    )
    session.add(row)
    session.flush()
    return row


def open_job(
    session: Session, kind: JobKind, *, video_id: str | None = None, case_id: str | None = None
) -> JobRow | None:
    """The queued or running job of one kind for one video or case."""
    return session.scalars(
        select(JobRow).where(
            JobRow.kind == kind.value,
            JobRow.video_id.is_(None) if video_id is None else JobRow.video_id == video_id,
            JobRow.case_id.is_(None) if case_id is None else JobRow.case_id == case_id,
            JobRow.state.in_((JobState.QUEUED, JobState.RUNNING)),
        )
    ).first()


def add(session: Session, kind: JobKind, payload: dict[str, Any]) -> JobRow:
    """Add a job of neither a video nor a case, whatever else waits."""
    row = JobRow(kind=kind.value, payload=payload, priority=PRIORITY[kind])
    session.add(row)
    session.flush()
    return row


def claim_next(
    session: Session,
    holder: str,
    ttl_s: float,
    now: datetime | None = None,
    *,
    kinds: Collection[JobKind] | None = None,
    only: str | None = None,
) -> ClaimedJob | None:
    """Take the first job that nobody works on: queued, or running with its lease run out.

    A job whose worker was killed for the third time is set aside instead.

    Args:
        kinds: What the worker does; ``None``: everything.
        only: Id of the one job that is wanted.
    """
    moment = now or utcnow()
    while (row := next_row(session, moment, kinds, only)) is not None:
        if row.attempts >= MAX_ATTEMPTS:
            message = f"Its worker stopped {row.attempts} times without a word. Retry it by hand."
            _set_aside(session, row, "worker_died", message, moment)
            session.flush()
            continue
        lease = leases.claim(session, leases.JOB, row.id, holder, ttl_s, moment)
        if lease is None:
            return None
        row.state = JobState.RUNNING.value
        row.attempts += 1
        row.started_at = moment
        row.progress, row.note = 0.0, ""
        _tell(session, row, videos.SCORING)
        session.flush()
        return ClaimedJob(
            row.id, JobKind(row.kind), row.video_id, row.case_id, row.payload, row.attempts, lease
        )
    return None


def waits(session: Session, kinds: Collection[JobKind]) -> bool:
    """Tell whether a job of these kinds could be claimed now."""
    return session.scalars(free(utcnow(), kinds, None).limit(1)).first() is not None


def report(
    session: Session, lease: Lease, progress: float, note: str, now: datetime | None = None
) -> None:
    """Say how far a job is, 0..1.

    Raises:
        LeaseLost: The job is somebody else's now.
    """
    row = _held(session, lease, now)
    row.progress, row.note = min(max(progress, 0.0), 1.0), note


def got_further(session: Session, lease: Lease, reached: dict[str, float]) -> None:
    """Note that a long job is further than any attempt before: those count no more.

    A machine may be switched off in the middle of it as often as it likes. A job that takes its
    worker down at the same place again gets no further, and is set aside.

    Args:
        reached: By part the largest share that was done.

    Raises:
        LeaseLost: The job is somebody else's now.
    """
    row = _held(session, lease, None)
    row.attempts = 1
    row.payload = {**row.payload, REACHED: reached}


def withdraw(session: Session, row: JobRow, now: datetime | None = None) -> bool:
    """Take back a job that nobody works on; ``False`` where somebody does."""
    moment = now or utcnow()
    if row.state == JobState.RUNNING.value and leases.current(session, leases.JOB, row.id, moment):
        return False
    row.state, row.finished_at = JobState.DONE.value, moment
    return True


def finish(session: Session, lease: Lease, now: datetime | None = None) -> JobRow:
    """Mark a job done and give its lease back, in the transaction that stores its result.

    Raises:
        LeaseLost: The job is somebody else's now; nothing of the transaction may stay.
    """
    moment = now or utcnow()
    row = _held(session, lease, moment)
    row.state, row.progress, row.note = JobState.DONE.value, 1.0, ""
    row.error_code = row.error = None
    row.finished_at = moment
    leases.release(session, leases.JOB, lease.subject_id, lease.holder, lease.token)
    return row


def fail(
    session: Session,
    lease: Lease,
    code: str,
    message: str,
    *,
    permanent: bool = False,
    now: datetime | None = None,
) -> JobRow:
    """Queue a job again, or set it aside when it cannot succeed or failed three times.

    Raises:
        LeaseLost: The job is somebody else's now.
    """
    moment = now or utcnow()
    row = _held(session, lease, moment)
    if permanent or row.attempts >= MAX_ATTEMPTS:
        _set_aside(session, row, code, message, moment)
    else:
        row.state = JobState.QUEUED.value
        _tell(session, row, videos.WAITING)
        row.error_code, row.error = code, message
    leases.release(session, leases.JOB, lease.subject_id, lease.holder, lease.token)
    return row


def retry(session: Session, job_id: str) -> JobRow:
    """Queue a job that was set aside, with all its attempts.

    Raises:
        StoreError: There is no such job, or it is not set aside.
    """
    row = get(session, job_id)
    if row.state != JobState.SET_ASIDE.value:
        raise StoreError(f"Job {job_id} is {row.state}; only a job set aside can be retried.")
    row.state, row.attempts = JobState.QUEUED.value, 0
    row.error_code = row.error = row.finished_at = None
    row.progress, row.note = 0.0, ""
    _tell(session, row, videos.WAITING)
    if row.video_id is not None:
        cases.bring_back(session, row.video_id)
    return row


def give_back(session: Session, lease: Lease) -> None:
    """Queue a job again that its worker has no time to finish; the attempt does not count.

    Raises:
        LeaseLost: The job is somebody else's now.
    """
    row = _held(session, lease, None)
    row.state, row.attempts = JobState.QUEUED.value, row.attempts - 1
    _tell(session, row, videos.WAITING)
    leases.release(session, leases.JOB, lease.subject_id, lease.holder, lease.token)


def get(session: Session, job_id: str) -> JobRow:
    """Look one job up.

    Raises:
        StoreError: There is no such job.
    """
    row = session.get(JobRow, job_id)
    if row is None:
        raise StoreError(f"There is no job {job_id}.")
    return row


def newest_by_video(session: Session, video_ids: list[str]) -> dict[str, JobRow]:
    """The newest ingest, fingerprint or score job of each video."""
    rows = session.scalars(
        select(JobRow)
        .where(JobRow.video_id.in_(video_ids), JobRow.kind != JobKind.EXPLAIN.value)
        .order_by(JobRow.id)
    )
    return {str(row.video_id): row for row in rows}


def by_state(session: Session, state: JobState, limit: int = 200) -> list[JobRow]:
    """Jobs in one state, newest first."""
    return list(
        session.scalars(
            select(JobRow)
            .where(JobRow.state == state.value)
            .order_by(JobRow.id.desc())
            .limit(limit)
        )
    )


def counts(session: Session) -> dict[str, int]:
    """Number of jobs by state; every state is there."""
    found = dict(session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all())
    return {state.value: int(found.get(state.value, 0)) for state in JobState}


def _held(session: Session, lease: Lease, now: datetime | None) -> JobRow:
    leases.check(session, lease.kind, lease.subject_id, lease.holder, lease.token, now)
    return get(session, lease.subject_id)


def _set_aside(session: Session, row: JobRow, code: str, message: str, now: datetime) -> None:
    row.state = JobState.SET_ASIDE.value
    row.error_code, row.error = code, message
    row.finished_at = now
    if row.kind == JobKind.FINGERPRINT.value:
        _score_without(session, row)
    else:
        _tell(session, row, videos.FAILED)
        if row.video_id is not None:
            cases.set_aside(session, row.video_id)
            callbacks.tell(session, callbacks.FAILED, row.video_id, now=now, error=code)
    events.append(session, "worker", "job.set_aside", "job", row.id, {"code": code}, now)


def _score_without(session: Session, row: JobRow) -> None:
    """A video that cannot be compared is scored all the same."""
    if row.video_id is not None and not videos.has_answer(session, row.video_id):
        enqueue(session, JobKind.SCORE, video_id=row.video_id)
        _tell(session, row, videos.WAITING)


def _tell(session: Session, row: JobRow, status: str) -> None:
    """Let what the job is about show where its job is."""
    if row.kind == JobKind.TRAIN.value:
        training_runs.follow(session, row)
    else:
        _tell_video(session, row, status)


def _tell_video(session: Session, row: JobRow, status: str) -> None:
    """Let the video show where its job is. Explaining a case changes no video.

    A video that was scored before stays scored when scoring it again fails, and while it is
    compared again.
    """
    if row.video_id is None or row.kind == JobKind.EXPLAIN.value:
        return
    if row.kind == JobKind.FINGERPRINT.value and videos.has_answer(session, row.video_id):
        return
    scored = status == videos.FAILED and videos.has_answer(session, row.video_id)
    videos.get(session, row.video_id).status = videos.SCORED if scored else status
