"""Alarms as a lead sees them: the list, and the word that somebody looks after one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from coefvq.review.access import Actor, Permission, require
from coefvq.store import alarms as rows_of
from coefvq.store.alarms import Severity
from coefvq.store.session import Store
from coefvq.store.tables import AlarmRow, utcnow

SHOWN_AFTER = timedelta(days=7)
"""How long an alarm that is over stays in the list."""


@dataclass(frozen=True)
class Alarm:
    """Something a lead should know.

    Attributes:
        kind: One of ``store.alarms.AlarmKind``.
        subject: What it is about: a task, a queue's id, a policy, a reviewer.
        severity: One of ``store.alarms.Severity``.
        message: What is wrong and what to do; may hold names that people chose.
        data: Measured ``value``, ``limit`` and ``n``.
        seen_at: When a check last found it.
        cleared_at: When it was over; ``None``: it stands.
        sent_at: When the webhook had taken it.
    """

    id: str
    kind: str
    subject: str
    severity: str
    message: str
    raised_at: datetime
    seen_at: datetime
    cleared_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    sent_at: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def loud(self) -> bool:
        """Whether nobody has said yet that they look after it."""
        return self.cleared_at is None and self.acknowledged_at is None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        times = ("raised_at", "seen_at", "cleared_at", "acknowledged_at", "sent_at")
        found: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in times:
            found[name] = found[name].isoformat() if found[name] else None
        return found


@dataclass(frozen=True)
class AlarmList:
    """Alarms that stand, the loudest first, and those that ended lately."""

    standing: tuple[Alarm, ...]
    over: tuple[Alarm, ...]

    @property
    def loud(self) -> int:
        """How many wait for somebody."""
        return sum(each.loud for each in self.standing)


def listed(store: Store, actor: Actor, now: datetime | None = None) -> AlarmList:
    """What stands and what ended lately.

    Raises:
        NotAllowed: The actor is no lead.
    """
    require(actor, Permission.LEAD)
    since = (now or utcnow()) - SHOWN_AFTER
    with store.read() as session:
        standing = [alarm_of(row) for row in rows_of.standing(session)]
        over = tuple(alarm_of(row) for row in rows_of.recent(session, since))
    return AlarmList(tuple(sorted(standing, key=_rank)), over)


def acknowledge(store: Store, actor: Actor, alarm_id: str) -> Alarm:
    """Say that one looks after an alarm: it stays in the list, and is quieter.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such alarm, or it is over.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        return alarm_of(rows_of.acknowledge(session, alarm_id, actor.name, utcnow()))


def alarm_of(row: AlarmRow) -> Alarm:
    """A row as a view; what the webhook noted for itself is left out."""
    return Alarm(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        severity=row.severity,
        message=row.message,
        raised_at=row.raised_at,
        seen_at=row.seen_at,
        cleared_at=row.cleared_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        sent_at=row.sent_at,
        data={name: value for name, value in row.data.items() if name != "webhook"},
    )


def _rank(alarm: Alarm) -> tuple[bool, bool, datetime]:
    return not alarm.loud, alarm.severity != Severity.CRITICAL.value, alarm.raised_at
