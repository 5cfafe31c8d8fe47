"""What routing remembers: budgets, uploaders' limits, learnt thresholds, the audits' secret.

The content is the routing's own JSON. A transaction reads a state under a lock, and writes it
back; another worker waits meanwhile. SQLite locks as a whole at ``store.write()``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.store.session import Store
from coefvq.store.tables import RoutingStateRow, utcnow
from coefvq.store.upsert import insert_missing

BUDGET, UPLOADER, SECRET, ONLINE = "budget", "uploader", "secret", "online"
_SALT = "audit_salt"


def of_version(task: str, version: str) -> str:
    """The subject of what a routing policy remembers of one task."""
    return f"{task}/{version}"


def locked(session: Session, kind: str, subject: str) -> RoutingStateRow:
    """The state's row, locked until the transaction ends; empty the first time.

    Lock several in the same order everywhere: budgets by task, then the uploader. Learnt
    thresholds are locked by decisions, which lock no other state.
    """
    insert_missing(
        session, RoutingStateRow, kind=kind, subject=subject, state={}, updated_at=utcnow()
    )
    query = select(RoutingStateRow).filter_by(kind=kind, subject=subject)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()


def peek(session: Session, kind: str, subject: str) -> dict[str, Any]:
    """The state as it is, without a lock; empty where there is none."""
    row = session.get(RoutingStateRow, (kind, subject))
    return {} if row is None else dict(row.state)


def peek_all(session: Session, kind: str, subjects: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The states of these subjects that are there, without a lock; one query."""
    query = select(RoutingStateRow.subject, RoutingStateRow.state)
    found = query.where(RoutingStateRow.kind == kind, RoutingStateRow.subject.in_(list(subjects)))
    return {subject: dict(state) for subject, state in session.execute(found)}


def save(row: RoutingStateRow, state: dict[str, Any]) -> None:
    """Replace a locked state."""
    row.state = state
    row.updated_at = utcnow()


def audit_salt(store: Store) -> str:
    """The store's secret that decides who is drawn for an audit; made once.

    Whoever knows it can tell which videos nobody will look at.
    """
    with store.read() as session:
        known = peek(session, SECRET, _SALT)
    if known:
        return str(known["value"])
    with store.write() as session:
        row = locked(session, SECRET, _SALT)
        if not row.state:
            save(row, {"value": secrets.token_hex(16)})
        return str(row.state["value"])


def known_salt(session: Session) -> str | None:
    """The secret of ``audit_salt`` inside a transaction; ``None`` where it is not made yet."""
    value = peek(session, SECRET, _SALT).get("value")
    return None if value is None else str(value)
