"""Queues as rows: which one a case enters, and what waits in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case as when
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from coefvq.domain import RouteName
from coefvq.store.tables import CaseRow, CaseState, QueueRow, VerdictRow

AUDIT, SECOND_LOOK, NOT_COVERED, MLLM_FAILED = "audit", "second_look", "not_covered", "mllm_failed"
"""Ways to a person that are no routing rule."""

LABEL_NEXT = "label_next"
"""Another one: chosen because its label would teach most. A case keeps it, whatever its verdict."""


@dataclass(frozen=True)
class Waiting:
    """What waits in one queue for one task; ``queue`` is ``None`` for cases in none."""

    queue: str | None
    task: str
    number: int
    oldest: datetime
    late: int


def listed(session: Session) -> list[QueueRow]:
    """All queues, in the order in which they take cases."""
    return list(session.scalars(select(QueueRow).order_by(QueueRow.position, QueueRow.id)))


def way(case: CaseRow, verdict: VerdictRow | None) -> str | None:
    """By which rule a case comes to a person: the routing rule, or a way that is none."""
    if case.second_look:
        return SECOND_LOOK
    if case.rule == LABEL_NEXT:
        return LABEL_NEXT
    if verdict is None:
        return None
    if verdict.route["audit"]:
        return AUDIT
    if verdict.route["name"] == RouteName.MLLM.value:
        return MLLM_FAILED
    return NOT_COVERED if verdict.probability is None else str(verdict.route["rule"])


def top_policy(verdict: VerdictRow) -> str | None:
    """The likeliest covered policy."""
    known = {
        policy: score["final"]
        for policy, score in verdict.policies.items()
        if score["final"] is not None
    }
    return max(known, key=lambda policy: known[policy]) if known else None


def stamp(session: Session, case: CaseRow) -> None:
    """Write by which way a case came, the queue that it enters, and until when it is promised."""
    verdict = session.get(VerdictRow, case.verdict_id) if case.verdict_id else None
    case.rule = way(case, verdict)
    case.top_policy = top_policy(verdict) if verdict else None
    row = _first(listed(session), case.task, case.top_policy, case.rule)
    case.queue, case.due_at = _place(row, case.queued_at)


def restamp(session: Session) -> int:
    """Move waiting cases to the queues as they are now; return how many moved."""
    _stamp_old(session)
    rows = listed(session)
    columns = (CaseRow.id, CaseRow.task, CaseRow.top_policy, CaseRow.rule, CaseRow.queued_at)
    waiting = select(*columns, CaseRow.queue, CaseRow.due_at)
    moved: list[dict[str, Any]] = []
    for found in session.execute(waiting.where(CaseRow.state == CaseState.QUEUED.value)):
        row = _first(rows, found.task, found.top_policy, found.rule)
        queue, due_at = _place(row, found.queued_at)
        if (queue, due_at) != (found.queue, found.due_at):
            moved.append({"id": found.id, "queue": queue, "due_at": due_at})
    if moved:
        session.execute(update(CaseRow), moved)
        session.expire_all()
    return len(moved)


def _stamp_old(session: Session) -> None:
    """Cases that waited before there were queues do not say yet by which way they came."""
    old = select(CaseRow).where(
        CaseRow.state == CaseState.QUEUED.value,
        CaseRow.rule.is_(None),
        CaseRow.verdict_id.is_not(None),
    )
    for case in session.scalars(old).all():
        stamp(session, case)
    session.flush()


def waiting(session: Session, now: datetime) -> list[Waiting]:
    """What waits by queue and task: one pass over one index, however long the queue is."""
    late = func.sum(when((CaseRow.due_at < now, 1), else_=0))
    query = (
        select(CaseRow.queue, CaseRow.task, func.count(), func.min(CaseRow.queued_at), late)
        .where(CaseRow.state == CaseState.QUEUED.value)
        .group_by(CaseRow.queue, CaseRow.task)
    )
    return [
        Waiting(queue, task, int(number), oldest, int(overdue or 0))
        for queue, task, number, oldest, overdue in session.execute(query)
    ]


def _first(
    rows: Sequence[QueueRow], task: str, policy: str | None, rule: str | None
) -> QueueRow | None:
    return next((row for row in rows if _holds(row, task, policy, rule)), None)


def _holds(row: QueueRow, task: str, policy: str | None, rule: str | None) -> bool:
    return row.task in (None, task) and _among(policy, row.policies) and _among(rule, row.rules)


def _among(value: str | None, wanted: Iterable[str]) -> bool:
    names = list(wanted)
    return not names or value in names


def _place(row: QueueRow | None, queued_at: datetime | None) -> tuple[str | None, datetime | None]:
    if row is None:
        return None, None
    if row.promised_age_s is None or queued_at is None:
        return row.id, None
    return row.id, queued_at + timedelta(seconds=row.promised_age_s)
