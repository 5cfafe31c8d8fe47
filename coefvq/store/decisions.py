"""What reviewers answered. A row is final; an undo is an event after it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from coefvq.store import cases, events
from coefvq.store.tables import CaseRow, CaseState, DecisionRow, DraftRow, EventRow, utcnow

DECIDED, UNDONE = "case.decided", "decision.undone"
VIOLATION, OK = "violation", "ok"


def add(session: Session, case: CaseRow, row: DecisionRow) -> DecisionRow:
    """Store a decision, close its case and log it."""
    session.add(row)
    session.flush()
    case.state, case.decision_id = CaseState.DECIDED.value, row.id
    case.second_look, case.second_look_by = False, None
    case.updated_at = row.decided_at
    data = {"case": case.id, "action": row.action, "labels": row.labels}
    if row.batch_id:
        data["batch"] = row.batch_id
    events.append(session, row.reviewer, DECIDED, "decision", row.id, data)
    return row


def undo(session: Session, row: DecisionRow, actor: str, now: datetime | None = None) -> CaseRow:
    """Take a decision back by an event; its case is where it was before, with its old age."""
    moment = now or utcnow()
    data = {"case": row.case_id} | ({"batch": row.batch_id} if row.batch_id else {})
    events.append(session, actor, UNDONE, "decision", row.id, data, moment)
    case = session.get_one(CaseRow, row.case_id)
    before = standing(session, case.id)
    case.decision_id = before.id if before else None
    case.second_look = bool(row.snapshot.get("second_look"))
    case.second_look_by = row.snapshot.get("second_look_by")
    _put_back(session, case, row.snapshot.get("state", CaseState.QUEUED.value), moment)
    return case


def _put_back(session: Session, case: CaseRow, state: str, moment: datetime) -> None:
    case.updated_at = moment
    if state == CaseState.QUEUED.value:
        cases.queue(session, case, case.queued_at or moment)
    else:
        case.state = state


def stands() -> ColumnElement[bool]:
    """Condition on ``DecisionRow``: not undone."""
    return ~exists().where(EventRow.kind == UNDONE, EventRow.subject_id == DecisionRow.id)


def standing(session: Session, case_id: str) -> DecisionRow | None:
    """The last decision on a case that was not undone."""
    query = select(DecisionRow).where(DecisionRow.case_id == case_id, stands())
    return session.scalars(query.order_by(DecisionRow.id.desc()).limit(1)).first()


def of_case(session: Session, case_id: str) -> list[DecisionRow]:
    """All decisions on a case, newest first, undone ones too."""
    query = select(DecisionRow).where(DecisionRow.case_id == case_id)
    return list(session.scalars(query.order_by(DecisionRow.id.desc())))


def undone_at(session: Session, decision_ids: list[str]) -> dict[str, datetime]:
    """When each undone decision was taken back."""
    if not decision_ids:
        return {}
    query = select(EventRow.subject_id, EventRow.at).where(
        EventRow.kind == UNDONE, EventRow.subject_id.in_(decision_ids)
    )
    return {subject: at for subject, at in session.execute(query)}


def last_by(session: Session, reviewer: str) -> DecisionRow | None:
    """A reviewer's last decision that stands; adjudications and appeals are none."""
    query = select(DecisionRow).where(
        DecisionRow.reviewer == reviewer, DecisionRow.kind == "review", stands()
    )
    newest = query.order_by(DecisionRow.decided_at.desc(), DecisionRow.id.desc())
    return session.scalars(newest.limit(1)).first()


def times_of(session: Session, reviewer: str, limit: int = 20) -> list[datetime]:
    """When a reviewer decided, newest first."""
    query = select(DecisionRow.decided_at).where(DecisionRow.reviewer == reviewer)
    return list(session.scalars(query.order_by(DecisionRow.decided_at.desc()).limit(limit)))


def of_batch(session: Session, batch_id: str) -> list[DecisionRow]:
    """The decisions of a batch that stand, in their order."""
    query = select(DecisionRow).where(DecisionRow.batch_id == batch_id, stands())
    return list(session.scalars(query.order_by(DecisionRow.id)))


def count(session: Session, *, since: datetime | None = None, reviewer: str | None = None) -> int:
    """Number of decisions that stand."""
    query = select(func.count()).select_from(DecisionRow).where(stands())
    if since is not None:
        query = query.where(DecisionRow.decided_at >= since)
    if reviewer is not None:
        query = query.where(DecisionRow.reviewer == reviewer)
    return session.scalar(query) or 0


def save_draft(
    session: Session, case_id: str, reviewer: str, form: dict[str, Any], now: datetime | None = None
) -> DraftRow:
    """Keep a form that was not sent; one a case and reviewer."""
    row = DraftRow(case_id=case_id, reviewer=reviewer, form=form, saved_at=now or utcnow())
    return session.merge(row)


def draft(session: Session, case_id: str, reviewer: str) -> DraftRow | None:
    """The form a reviewer left on a case."""
    return session.get(DraftRow, (case_id, reviewer))


def drop_draft(session: Session, case_id: str, reviewer: str) -> None:
    """Forget a form; nothing happens where there is none."""
    row = draft(session, case_id, reviewer)
    if row is not None:
        session.delete(row)
