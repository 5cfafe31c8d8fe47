"""Checks of what waits: queues with a promise, jobs set aside, a worker that says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.settings import Settings
from coefvq.store import jobs as jobs_of
from coefvq.store import leases, queues
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.tables import JobRow, JobState, LeaseRow, QueueRow
from coefvq.work.alarms.finding import Finding, Level

CALM_SHARE = 0.9
"""A queue's alarm is over when its oldest case is younger than this share of the promise."""
_HOUR_S = 3600.0


def queue_age(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    """One finding for each queue that promises an age."""
    waiting = queues.waiting(session, now)
    for row in queues.listed(session):
        if row.promised_age_s is None:
            continue
        inside = [each for each in waiting if each.queue == row.id]
        late = sum(each.late for each in inside)
        number = sum(each.number for each in inside)
        oldest = min((each.oldest for each in inside), default=None)
        age_s = (now - oldest).total_seconds() if oldest else 0.0
        yield _queue(row, row.promised_age_s, number, late, age_s)


def _queue(row: QueueRow, promised_s: float, number: int, late: int, age_s: float) -> Finding:
    level = Level.OVER if late else Level.FINE
    if not late and age_s > CALM_SHARE * promised_s:
        level = Level.NEAR
    words = (
        f"Queue {row.name}: {late} of {number} waiting cases are older than the promised "
        f"{promised_s / _HOUR_S:g} h, the oldest {age_s / _HOUR_S:.1f} h. Give the queue more "
        "people, or promise another age."
    )
    data = {"value": age_s, "limit": promised_s, "unit": "s", "n": number, "late": late}
    severity = Severity.CRITICAL if age_s > 2 * promised_s else Severity.WARNING
    return Finding(AlarmKind.QUEUE_AGE, row.id, level, words, data, severity)


def set_aside(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Jobs that failed for good."""
    state = JobRow.state == JobState.SET_ASIDE.value
    number = session.scalar(select(func.count()).select_from(JobRow).where(state)) or 0
    limit = settings.alarm_set_aside
    code = select(JobRow.error_code).where(state).group_by(JobRow.error_code)
    common = session.scalar(code.order_by(func.count().desc(), JobRow.error_code).limit(1))
    jobs = "1 job is" if number == 1 else f"{number} jobs are"
    words = (
        f"{jobs} set aside, most often for {(common or 'unknown').replace('_', ' ')}: "
        "their videos wait without an answer. Open the library's failed videos, mend the cause, "
        "and retry."
    )
    data = {"value": number, "limit": limit, "n": number, "common": common}
    level = Level.OVER if number >= limit else Level.FINE
    yield Finding(AlarmKind.SET_ASIDE, "jobs", level, words, data)


def worker_silent(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Jobs wait, and nobody has taken or ended one for too long."""
    limit = settings.alarm_worker_silent_s
    queued = JobRow.state == JobState.QUEUED.value
    number, oldest = session.execute(
        select(func.count(), func.min(JobRow.created_at)).where(queued, jobs_of.is_due(now))
    ).one()
    silent_s = (now - oldest).total_seconds() if oldest else 0.0
    if silent_s >= limit:
        silent_s = min(silent_s, _since_last_sign(session, now))
    jobs = "1 job waits" if number == 1 else f"{number} jobs wait"
    words = (
        f"{jobs}, and no worker has taken one for {silent_s / 60:.0f} minutes. See "
        "that the app or `coefvq worker` runs, and look into the worker's log."
    )
    data = {"value": silent_s, "limit": limit, "unit": "s", "n": number}
    level = Level.OVER if number and silent_s >= limit else Level.FINE
    yield Finding(AlarmKind.WORKER_SILENT, "worker", level, words, data, Severity.CRITICAL)


def _since_last_sign(session: Session, now: datetime) -> float:
    """Seconds since a job was taken or ended; 0 while a worker keeps a lease on one."""
    held = select(LeaseRow.subject_id).where(
        LeaseRow.kind == leases.JOB, LeaseRow.expires_at > now, LeaseRow.holder.is_not(None)
    )
    if session.scalar(held.limit(1)) is not None:
        return 0.0
    signs = session.execute(select(func.max(JobRow.started_at), func.max(JobRow.finished_at))).one()
    last = max((each for each in signs if each is not None), default=None)
    return (now - last) / timedelta(seconds=1) if last is not None else float("inf")
