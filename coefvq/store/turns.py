"""Whose turn it is: the case that a reviewer is due, found by an index however long the queue is.

Four short searches, one after the other: what they hold already, what is assigned to them, what
is free, and last what they passed over. Each walks ``priority`` downwards and stops at the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session

from coefvq.store import leases
from coefvq.store.tables import CaseRow, CaseState, LeaseRow, SkipRow

WAITING = CaseRow.state == CaseState.QUEUED.value


@dataclass(frozen=True)
class Wish:
    """What a reviewer can be given.

    Attributes:
        task: Only of this task; ``None``: of any.
        queues: Only out of these; a ``None`` among them stands for cases in no queue. ``None``
            instead of the tuple: out of all.
        exclude: Not these cases.
    """

    reviewer: str
    task: str | None = None
    queues: tuple[str | None, ...] | None = None
    exclude: frozenset[str] = frozenset()


def next_for(session: Session, wish: Wish, now: datetime) -> CaseRow | None:
    """Find and lock the case that is due; on PostgreSQL those that others lock are passed by."""
    me, passed = wish.reviewer, _passed_over(wish.reviewer)
    free = and_(~_taken(now), _offered(me))
    return (
        _first(session, wish, waiting_among(_held(me, now)))
        or _first(session, wish, WAITING, CaseRow.assigned_to == me, free, ~passed)
        or _best(session, wish, WAITING, _nobodys(), free, ~passed)
        or _first(session, wish, waiting_among(_skipped(me)), free, _for_me(me))
    )


def is_held(session: Session, wish: Wish, case_id: str, now: datetime) -> bool:
    """Whether the reviewer has this case open."""
    held = leases.current(session, leases.CASE, case_id, now)
    return held is not None and held.holder == wish.reviewer


def waiting_among(ids: Select[str]) -> ColumnElement[bool]:
    """Condition on ``CaseRow``: one of a few cases, and it waits.

    The state is hidden in an expression: without statistics SQLite takes it for the rarer
    condition, and reads the whole queue instead of a few rows.
    """
    return and_(CaseRow.id.in_(ids), func.coalesce(CaseRow.state, "") == CaseState.QUEUED.value)


def _best(session: Session, wish: Wish, *conditions: ColumnElement[bool]) -> CaseRow | None:
    """One search a queue: an index on (queue, priority) gives the first of each at once."""
    if wish.queues is None:
        return _first(session, wish, *conditions)
    plain = replace(wish, queues=None)
    found = [_first(session, plain, CaseRow.queue == name, *conditions) for name in wish.queues]
    rows = [row for row in found if row is not None]
    return max(rows, key=lambda row: row.priority, default=None)


def _first(session: Session, wish: Wish, *conditions: ColumnElement[bool]) -> CaseRow | None:
    query = select(CaseRow).where(*conditions, some_queues(wish))
    if wish.task is not None:
        query = query.where(CaseRow.task == wish.task)
    if wish.exclude:
        query = query.where(CaseRow.id.not_in(wish.exclude))
    ordered = query.order_by(CaseRow.priority.desc(), CaseRow.id).limit(1)
    return session.scalars(ordered.with_for_update(of=CaseRow, skip_locked=True)).first()


def some_queues(wish: Wish) -> ColumnElement[bool]:
    """Condition on ``CaseRow``: it is in a queue that is wished for."""
    if wish.queues is None:
        return true()
    named = CaseRow.queue.in_([name for name in wish.queues if name is not None])
    return or_(named, CaseRow.queue.is_(None)) if None in wish.queues else named


def _held(reviewer: str, now: datetime) -> Select[str]:
    return select(LeaseRow.subject_id).where(
        LeaseRow.kind == leases.CASE, LeaseRow.holder == reviewer, LeaseRow.expires_at > now
    )


def _skipped(reviewer: str) -> Select[str]:
    return select(SkipRow.case_id).where(SkipRow.reviewer == reviewer)


def _taken(now: datetime) -> ColumnElement[bool]:
    return exists().where(
        LeaseRow.kind == leases.CASE, LeaseRow.subject_id == CaseRow.id, LeaseRow.expires_at > now
    )


def _passed_over(reviewer: str) -> ColumnElement[bool]:
    return exists().where(SkipRow.case_id == CaseRow.id, SkipRow.reviewer == reviewer)


def _offered(reviewer: str) -> ColumnElement[bool]:
    return or_(CaseRow.second_look_by.is_(None), CaseRow.second_look_by != reviewer)


def _nobodys() -> ColumnElement[bool]:
    """Hidden in an expression, so that an index with ``priority`` is walked, not this column's."""
    return func.coalesce(CaseRow.assigned_to, "") == ""


def _for_me(reviewer: str) -> ColumnElement[bool]:
    return or_(CaseRow.assigned_to.is_(None), CaseRow.assigned_to == reviewer)
