"""Alarms as rows: one from the moment something holds until it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import events
from coefvq.store.tables import AlarmRow

RAISED, CLEARED, ACKNOWLEDGED = "alarm.raised", "alarm.cleared", "alarm.acknowledged"
ACTOR = "alarms"
"""Who raises and clears in the chain of events."""
_PG_LOCK = 0xC0EF0006


class AlarmKind(StrEnum):
    """What is watched."""

    DRIFT = "drift"
    CALIBRATION = "calibration"
    QUEUE_AGE = "queue_age"
    BUDGET = "budget"
    FLAG_JUMP = "flag_jump"
    REVIEWER_AGREEMENT = "reviewer_agreement"
    SET_ASIDE = "set_aside"
    WORKER_SILENT = "worker_silent"


class Severity(StrEnum):
    """How soon somebody should look."""

    WARNING = "warning"
    CRITICAL = "critical"


def take_turn(session: Session) -> None:
    """Let no other check change alarms before this transaction ends: each is raised once.

    SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})


def standing(session: Session) -> list[AlarmRow]:
    """Alarms that are not over, oldest first."""
    query = select(AlarmRow).where(AlarmRow.cleared_at.is_(None))
    return list(session.scalars(query.order_by(AlarmRow.raised_at, AlarmRow.id)))


def recent(session: Session, since: datetime, limit: int = 50) -> list[AlarmRow]:
    """Alarms that ended since then, the last first."""
    query = select(AlarmRow).where(AlarmRow.cleared_at >= since)
    return list(session.scalars(query.order_by(AlarmRow.cleared_at.desc()).limit(limit)))


def raised_in(session: Session, since: datetime, until: datetime) -> list[AlarmRow]:
    """Alarms raised in a period, oldest first."""
    query = select(AlarmRow).where(AlarmRow.raised_at >= since, AlarmRow.raised_at < until)
    return list(session.scalars(query.order_by(AlarmRow.raised_at, AlarmRow.id)))


def to_send(session: Session, since: datetime) -> list[AlarmRow]:
    """Alarms that were not sent, or ended after they were; oldest first.

    Args:
        since: What was over before then is not sent any more.
    """
    unsent = AlarmRow.sent_at.is_(None)
    ended = AlarmRow.cleared_at >= since
    query = select(AlarmRow).where(or_(AlarmRow.cleared_at.is_(None) & unsent, ended))
    return list(session.scalars(query.order_by(AlarmRow.raised_at, AlarmRow.id)))


def add(
    session: Session,
    kind: AlarmKind,
    subject: str,
    severity: Severity,
    message: str,
    data: Mapping[str, Any],
    now: datetime,
) -> AlarmRow:
    """Raise an alarm."""
    row = AlarmRow(
        kind=kind.value,
        subject=subject,
        severity=severity.value,
        message=message,
        data=dict(data),
        raised_at=now,
        seen_at=now,
    )
    session.add(row)
    session.flush()
    told = {"kind": row.kind, "subject": subject, "severity": row.severity}
    events.append(session, ACTOR, RAISED, "alarm", row.id, told, now)
    return row


def clear(session: Session, row: AlarmRow, why: str, now: datetime) -> None:
    """End an alarm."""
    row.cleared_at = now
    row.data = {**row.data, "over": why}
    told = {"kind": row.kind, "subject": row.subject, "why": why}
    events.append(session, ACTOR, CLEARED, "alarm", row.id, told, now)


def acknowledge(session: Session, alarm_id: str, actor: str, now: datetime) -> AlarmRow:
    """Note that somebody looks after it; a second time changes nothing.

    Raises:
        StoreError: There is no such alarm, or it is over.
    """
    row = session.get(AlarmRow, alarm_id, with_for_update=True)
    if row is None:
        raise StoreError(f"There is no alarm {alarm_id}. Reload the list.")
    if row.cleared_at is not None:
        raise StoreError(f"Alarm {alarm_id} is over since {row.cleared_at:%Y-%m-%d %H:%M} UTC.")
    if row.acknowledged_at is None:
        row.acknowledged_by, row.acknowledged_at = actor, now
        told = {"kind": row.kind, "subject": row.subject}
        events.append(session, actor, ACKNOWLEDGED, "alarm", row.id, told, now)
    return row
