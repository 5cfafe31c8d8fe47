"""Which job a worker may take next."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, not_, or_, select
from sqlalchemy.orm import Session

from coefvq.store import leases
from coefvq.store.tables import JobKind, JobRow, JobState, LeaseRow

AGAIN = "again"
"""In the payload of a job on a video that was scored before: why. It waits while somebody has a
case of the video open, so that nothing changes under their hands."""


def is_due(now: datetime) -> ColumnElement[bool]:
    """Condition on ``JobRow``: it does not have to wait for its time."""
    return or_(JobRow.due_at.is_(None), JobRow.due_at <= now)


def next_row(
    session: Session, now: datetime, kinds: Collection[JobKind] | None, only: str | None
) -> JobRow | None:
    """The first job that nobody works on, locked.

    Args:
        kinds: Of these kinds only; ``None``: of any.
        only: This job or none.
    """
    query = free(now, kinds, only).order_by(JobRow.priority.desc(), JobRow.id).limit(1)
    query = query.with_for_update(of=JobRow, skip_locked=True)
    return session.scalars(query.execution_options(populate_existing=True)).first()


def free(now: datetime, kinds: Collection[JobKind] | None, only: str | None) -> Select[JobRow]:
    """Jobs that are queued, or running with their lease run out, and due."""
    on = and_(LeaseRow.kind == leases.JOB, LeaseRow.subject_id == JobRow.id)
    unheld = or_(LeaseRow.expires_at.is_(None), LeaseRow.expires_at <= now)
    once_more = JobRow.payload[AGAIN].as_string().is_not(None)
    in_hand = and_(once_more, leases.open_cases(JobRow.video_id, now))
    waiting = JobRow.state.in_((JobState.QUEUED, JobState.RUNNING))
    query = select(JobRow).outerjoin(LeaseRow, on)
    query = query.where(waiting, unheld, is_due(now), not_(in_hand))
    if kinds is not None:
        query = query.where(JobRow.kind.in_([kind.value for kind in kinds]))
    return query if only is None else query.where(JobRow.id == only)
