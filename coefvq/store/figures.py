"""Figures that were computed ahead, and the job that computes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from coefvq.store import jobs
from coefvq.store.tables import FigureRow, JobKind, JobRow, JobState, utcnow

OVERALL = ""
"""Task of a figure that is over all tasks."""
RUN = "run"
"""Name of the figure that says how long the last run took."""
AT_MOST = 0.1
"""Share of a worker's time that regular runs may take."""
_PG_LOCK = 0xC0EF0004


def put(
    session: Session, name: str, task: str, document: dict[str, Any], now: datetime | None = None
) -> None:
    """Keep a figure in place of the one of this name and task."""
    row = session.get(FigureRow, (name, task))
    if row is None:
        row = FigureRow(name=name, task=task)
        session.add(row)
    row.document, row.computed_at = document, now or utcnow()
    session.flush()


def get(session: Session, name: str, task: str = OVERALL) -> tuple[dict[str, Any], datetime] | None:
    """A figure and when it was computed; ``None``: never yet."""
    row = session.get(FigureRow, (name, task))
    return None if row is None else (row.document, row.computed_at)


def several(
    session: Session, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[dict[str, Any], datetime]]:
    """Figures by (name, task); those that were never computed are absent."""
    found = ((key, get(session, *key)) for key in keys)
    return {key: figure for key, figure in found if figure is not None}


def queue(session: Session) -> JobRow:
    """Queue the job that computes all figures, or return the one that waits or runs.

    There is one at a time over all workers; rows of earlier runs go, what failed with them.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})
    known = jobs.open_job(session, JobKind.FIGURES)
    if known is not None:
        return known
    session.execute(delete(JobRow).where(JobRow.kind == JobKind.FIGURES.value))
    return jobs.enqueue(session, JobKind.FIGURES)


def due(session: Session, every_s: float, now: datetime | None = None) -> bool:
    """Whether it is time for a regular run: none is under way and the last is old enough.

    The longer a run takes, the rarer it is: at most ``AT_MOST`` of one worker's time.
    """
    moment = now or utcnow()
    last = last_job(session)
    if last is not None and last.state in (JobState.QUEUED.value, JobState.RUNNING.value):
        return False
    begun = [last.finished_at or last.created_at] if last is not None else []
    kept = get(session, RUN)
    took = float(kept[0].get("seconds", 0.0)) if kept is not None else 0.0
    begun += [kept[1]] if kept is not None else []
    pause = timedelta(seconds=max(every_s, took / AT_MOST))
    return not begun or moment - max(begun) >= pause


def last_job(session: Session) -> JobRow | None:
    """The newest job of this kind, whatever became of it."""
    query = select(JobRow).where(JobRow.kind == JobKind.FIGURES.value)
    return session.scalars(query.order_by(JobRow.id.desc()).limit(1)).first()
