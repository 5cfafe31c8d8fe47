"""Golden cases as rows: added, drawn for a reviewer, retired, never removed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import ageing, looks
from coefvq.store.tables import (
    CaseRow,
    CaseState,
    GoldenRow,
    LookKind,
    LookRow,
    LookState,
)
from coefvq.store.turns import Wish

_USABLE = (CaseState.DECIDED.value, CaseState.AUTO.value)


def get(session: Session, golden_id: str, *, lock: bool = False) -> GoldenRow:
    """Look one up.

    Raises:
        StoreError: There is no such golden case.
    """
    row = session.get(GoldenRow, golden_id, with_for_update=True if lock else None)
    if row is None:
        raise StoreError(f"There is no golden case {golden_id}. `coefvq golden list` shows them.")
    return row


def of_case(session: Session, case_id: str) -> GoldenRow | None:
    """The golden case that is made of this case and not retired."""
    query = select(GoldenRow).where(GoldenRow.case_id == case_id, GoldenRow.retired_at.is_(None))
    return session.scalars(query.limit(1)).first()


def listed(
    session: Session, task: str | None = None, *, retired: bool = False
) -> list[tuple[GoldenRow, CaseRow]]:
    """Golden cases with their cases, newest first."""
    query = select(GoldenRow, CaseRow).join(CaseRow, CaseRow.id == GoldenRow.case_id)
    if task is not None:
        query = query.where(CaseRow.task == task)
    if not retired:
        query = query.where(GoldenRow.retired_at.is_(None))
    return list(session.execute(query.order_by(GoldenRow.id.desc())))


def drawn(
    session: Session, wish: Wish, task: str, closed: Collection[str], since: datetime
) -> GoldenRow | None:
    """Draw one at random that a reviewer can be given.

    Never of a case that waits for people itself, that they decided, or that they were asked about
    since then.

    Args:
        wish: Who asks, and the queues that they want cases of.
        task: Of the case that it stands in for.
        closed: Restricted queues; a case of one is drawn only where it is wished for.
    """
    shut = [name for name in closed if name not in (wish.queues or ())]
    asked = exists().where(
        LookRow.case_id == GoldenRow.case_id,
        LookRow.kind == LookKind.GOLDEN.value,
        LookRow.reviewer == wish.reviewer,
        or_(
            LookRow.state == LookState.WAITING.value,
            LookRow.answered_at >= since,
            LookRow.settled_at >= since,
        ),
    )
    decided = looks.decided_by(GoldenRow.case_id, wish.reviewer)
    query = (
        select(GoldenRow)
        .join(CaseRow, CaseRow.id == GoldenRow.case_id)
        .where(GoldenRow.retired_at.is_(None), CaseRow.task == task, CaseRow.state.in_(_USABLE))
        .where(or_(CaseRow.queue.is_(None), CaseRow.queue.not_in(shut)), ~decided, ~asked)
    )
    return session.scalars(query.order_by(func.random()).limit(1)).first()


def ask(session: Session, row: GoldenRow, stands_for: CaseRow, reviewer: str) -> LookRow:
    """Give a golden case to a reviewer in the place of the case that is due.

    It seems to wait as long, as urgently and in the same queue as that case does.
    """
    made = LookRow(
        id=looks.id_for(row.case_id),
        kind=LookKind.GOLDEN.value,
        case_id=row.case_id,
        task=stands_for.task,
        golden_id=row.id,
        reviewer=reviewer,
        asked_at=stands_for.queued_at or stands_for.updated_at,
    )
    due = stands_for.due_at.isoformat() if stands_for.due_at else None
    urgency = ageing.urgency_of(stands_for)
    place = {"queue": stands_for.queue, "urgency": urgency, "due_at": due}
    looks.keep(made, place=place)
    session.add(made)
    session.flush()
    return made
