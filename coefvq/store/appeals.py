"""Appeals as rows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store.tables import AppealRow, CaseRow, DecisionRow

OPEN, UPHELD, OVERTURNED = "open", "upheld", "overturned"


def get(session: Session, appeal_id: str, *, lock: bool = False) -> AppealRow:
    """Look one up.

    Raises:
        StoreError: There is no such appeal.
    """
    query = select(AppealRow).where(AppealRow.id == appeal_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).first()
    if row is None:
        raise StoreError(f"There is no appeal {appeal_id}. Reload the list.")
    return row


def open_against(session: Session, decision_id: str) -> AppealRow | None:
    """The appeal against a decision that nobody has resolved."""
    query = select(AppealRow).where(AppealRow.decision_id == decision_id, AppealRow.state == OPEN)
    return session.scalars(query.limit(1)).first()


def page(
    session: Session, state: str | None, task: str | None, limit: int, offset: int
) -> tuple[int, list[AppealRow]]:
    """How many there are, and some of them, the oldest first."""
    query = select(AppealRow)
    if state is not None:
        query = query.where(AppealRow.state == state)
    if task is not None:
        query = query.join(CaseRow, CaseRow.id == AppealRow.case_id).where(CaseRow.task == task)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    ordered = query.order_by(AppealRow.filed_at, AppealRow.id)
    return total, list(session.scalars(ordered.limit(limit).offset(offset)))


def with_decisions(
    session: Session, task: str | None, since: datetime | None
) -> list[tuple[AppealRow, DecisionRow]]:
    """Appeals filed since then, each with what it disputes."""
    query = select(AppealRow, DecisionRow).join(
        DecisionRow, DecisionRow.id == AppealRow.decision_id
    )
    if task is not None:
        query = query.where(DecisionRow.task == task)
    if since is not None:
        query = query.where(AppealRow.filed_at >= since)
    return list(session.execute(query.order_by(AppealRow.filed_at)))
