"""Independent looks as rows: who is due one, what was answered, and what waits.

A look stands for a case under its own id, so its id is made like that of the case: the time in it
is the case's, and nobody can tell the two apart.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from coefvq.store import leases
from coefvq.store.queues import Waiting
from coefvq.store.tables import (
    CaseRow,
    DecisionRow,
    LeaseRow,
    LookKind,
    LookRow,
    LookState,
    SkipRow,
    new_id,
    utcnow,
)
from coefvq.store.turns import Wish, some_queues

_TIME_DIGITS = 9  # of an id; the others are random
_WAITING_SECOND = and_(
    LookRow.kind == LookKind.SECOND.value, LookRow.state == LookState.WAITING.value
)


def id_for(case_id: str) -> str:
    """A new id that looks as old as the case's."""
    return case_id[:_TIME_DIGITS] + new_id()[_TIME_DIGITS:]


def find(session: Session, look_id: str, *, lock: bool = False) -> LookRow | None:
    """Look one up; ``lock``: it will be changed."""
    query = select(LookRow).where(LookRow.id == look_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).first()


def ask_second(session: Session, decision: DecisionRow) -> LookRow:
    """Ask for a second answer on a decision's case, from anybody but its reviewer."""
    row = LookRow(
        id=id_for(decision.case_id),
        kind=LookKind.SECOND.value,
        case_id=decision.case_id,
        task=decision.task,
        decision_id=decision.id,
        decided_by=decision.reviewer,
        asked_at=decision.decided_at,
    )
    session.add(row)
    session.flush()
    return row


def mine(session: Session, wish: Wish, now: datetime) -> LookRow | None:
    """What the reviewer has to answer already: a golden look of theirs, or a second one they hold.

    Only the cases' task and the ids left out count here, not the queue that is wished for.
    """
    golden = and_(LookRow.reviewer == wish.reviewer, LookRow.answered_at.is_(None))
    query = _of_wish(select(LookRow).where(golden, _is(LookState.WAITING)), wish)
    return session.scalars(query.limit(1)).first() or _held(session, wish, now)


def next_second(
    session: Session, wish: Wish, tasks: Collection[str], now: datetime, *, passed: bool = False
) -> LookRow | None:
    """The oldest second look that the reviewer can be given.

    Never one of a case that they decided or answered, and never one that somebody has open.

    Args:
        tasks: Those that can be decided.
        passed: One that they passed over before; else one that they did not.
    """
    skipped = exists().where(SkipRow.case_id == LookRow.case_id, SkipRow.reviewer == wish.reviewer)
    query = _open_to(_of_wish(select(LookRow), wish), wish.reviewer).where(
        LookRow.task.in_(tasks), some_queues(wish), ~_taken(now), skipped if passed else ~skipped
    )
    ordered = query.order_by(LookRow.asked_at, LookRow.id).limit(1)
    return session.scalars(ordered.with_for_update(of=LookRow, skip_locked=True)).first()


def any_for(session: Session, reviewer: str) -> bool:
    """Whether a second look waits that somebody else decided: quick, for most often none does."""
    query = select(LookRow.decided_by).where(_WAITING_SECOND, LookRow.decided_by != reviewer)
    return session.scalars(query.limit(1)).first() is not None


def waiting_for(session: Session, reviewer: str, now: datetime) -> list[Waiting]:
    """The second looks that a reviewer could be given or holds, by the queues of their cases."""
    others = exists().where(
        LeaseRow.kind == leases.CASE,
        LeaseRow.subject_id == LookRow.id,
        LeaseRow.expires_at > now,
        LeaseRow.holder != reviewer,
    )
    columns = (CaseRow.queue, LookRow.task, func.count(), func.min(LookRow.asked_at))
    query = _open_to(select(*columns).select_from(LookRow), reviewer).where(~others)
    found = session.execute(query.group_by(CaseRow.queue, LookRow.task))
    return [Waiting(queue, task, int(number), oldest, 0) for queue, task, number, oldest in found]


def number_waiting(session: Session) -> int:
    """Second looks that nobody has answered."""
    return session.scalar(select(func.count()).select_from(LookRow).where(_WAITING_SECOND)) or 0


def waiting_on(session: Session, case_ids: Collection[str], *, lock: bool = False) -> list[LookRow]:
    """All looks at some cases that wait for an answer."""
    query = select(LookRow).where(LookRow.case_id.in_(case_ids), _is(LookState.WAITING))
    return list(session.scalars(query.with_for_update() if lock else query))


def of_decision(session: Session, decision: DecisionRow) -> list[LookRow]:
    """The looks that a decision asked for."""
    query = select(LookRow).where(
        LookRow.case_id == decision.case_id, LookRow.decision_id == decision.id
    )
    return list(session.scalars(query))


def settle(row: LookRow, by: str, now: datetime | None = None) -> None:
    """Close a look: it was adjudicated, or nobody wants its answer any more."""
    row.state = LookState.SETTLED.value
    row.settled_at, row.settled_by = now or utcnow(), by


def last_answered(session: Session, reviewer: str) -> LookRow | None:
    """The look that somebody answered last."""
    query = select(LookRow).where(LookRow.reviewer == reviewer, LookRow.answered_at.is_not(None))
    return session.scalars(query.order_by(LookRow.answered_at.desc()).limit(1)).first()


def times_of(session: Session, reviewer: str, limit: int = 20) -> list[datetime]:
    """When somebody answered looks, newest first."""
    query = select(LookRow.answered_at).where(
        LookRow.reviewer == reviewer, LookRow.answered_at.is_not(None)
    )
    found = session.scalars(query.order_by(LookRow.answered_at.desc()).limit(limit))
    return [at for at in found if at is not None]


def count_answered(session: Session, reviewer: str, since: datetime) -> int:
    """How many looks somebody has answered since then."""
    query = select(func.count()).select_from(LookRow)
    found = query.where(LookRow.reviewer == reviewer, LookRow.answered_at >= since)
    return session.scalar(found) or 0


def by_state(session: Session, kind: LookKind) -> dict[str, int]:
    """Number of looks of a kind by state; every state is there."""
    query = select(LookRow.state, func.count()).where(LookRow.kind == kind.value)
    found = dict(session.execute(query.group_by(LookRow.state)).all())
    return {state.value: found.get(state.value, 0) for state in LookState}


def place(row: LookRow) -> dict[str, Any]:
    """Where a golden look seems to wait: the queue and urgency of the case it stands in for."""
    return dict((row.draft or {}).get("place", {}))


def form(row: LookRow, reviewer: str) -> dict[str, Any] | None:
    """The form that somebody has not sent, with ``saved_at``."""
    kept = (row.draft or {}).get("form")
    return dict(kept) if kept and kept.get("by") == reviewer else None


def keep(row: LookRow, **parts: Any) -> None:
    """Replace parts of what is kept beside a look: ``place``, ``form``, ``token``."""
    row.draft = {**(row.draft or {}), **parts}


def seen_by(case_id: ColumnElement[str] | Any, reviewer: str) -> ColumnElement[bool]:
    """Condition: the reviewer has decided this case, or answered a look at it."""
    other = aliased(LookRow)
    answered = exists().where(
        other.case_id == case_id, other.reviewer == reviewer, other.answered_at.is_not(None)
    )
    return or_(decided_by(case_id, reviewer), answered)


def decided_by(case_id: ColumnElement[str] | Any, reviewer: str) -> ColumnElement[bool]:
    """Condition: the reviewer has decided this case, also where they took it back."""
    return exists().where(DecisionRow.case_id == case_id, DecisionRow.reviewer == reviewer)


def _open_to(query: Any, reviewer: str) -> Any:
    return query.join(CaseRow, CaseRow.id == LookRow.case_id).where(
        _WAITING_SECOND, LookRow.decided_by != reviewer, ~seen_by(LookRow.case_id, reviewer)
    )


def _of_wish(query: Select[Any], wish: Wish) -> Select[Any]:
    if wish.task is not None:
        query = query.where(LookRow.task == wish.task)
    return query.where(LookRow.id.not_in(wish.exclude)) if wish.exclude else query


def _held(session: Session, wish: Wish, now: datetime) -> LookRow | None:
    held = select(LeaseRow.subject_id).where(
        LeaseRow.kind == leases.CASE, LeaseRow.holder == wish.reviewer, LeaseRow.expires_at > now
    )
    # The state is hidden in an expression, so that the few held ids are searched for.
    waits = case((LookRow.state == LookState.WAITING.value, 1), else_=0) == 1
    query = _of_wish(select(LookRow).where(LookRow.id.in_(held), waits), wish)
    return session.scalars(query.limit(1)).first()


def _taken(now: datetime) -> ColumnElement[bool]:
    return exists().where(
        LeaseRow.kind == leases.CASE, LeaseRow.subject_id == LookRow.id, LeaseRow.expires_at > now
    )


def _is(state: LookState) -> ColumnElement[bool]:
    return LookRow.state == state.value
