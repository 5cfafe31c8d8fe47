"""The chain of events: append, read, verify. Nothing here changes or removes a row."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from coefvq.store.tables import EventRow, utcnow

GENESIS = "0" * 64
_PG_LOCK = 0xC0EF0002


@dataclass(frozen=True)
class BrokenChain:
    """The first event that does not fit, and why."""

    seq: int
    why: str


def append(
    session: Session,
    actor: str,
    kind: str,
    subject_kind: str,
    subject_id: str,
    data: dict[str, Any] | None = None,
    now: datetime | None = None,
) -> EventRow:
    """Add one event to the transaction at hand.

    Writers wait for one another from here to their commit (SQLite's write lock, PostgreSQL's
    advisory lock), because each event needs the hash of the one before it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})
    session.flush()
    last = session.execute(
        select(EventRow.seq, EventRow.hash).order_by(EventRow.seq.desc()).limit(1)
    ).first()
    row = EventRow(
        seq=last.seq + 1 if last else 1,
        at=now or utcnow(),
        actor=actor,
        kind=kind,
        subject_kind=subject_kind,
        subject_id=subject_id,
        data=data or {},
        prev_hash=last.hash if last else GENESIS,
    )
    row.hash = digest(row)
    session.add(row)
    session.flush()
    return row


def digest(row: EventRow) -> str:
    """SHA-256 over the canonical JSON of everything in an event but its hash."""
    body = [
        row.seq,
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.actor,
        row.kind,
        row.subject_kind,
        row.subject_id,
        row.data,
        row.prev_hash,
    ]
    text_form = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text_form.encode("utf-8")).hexdigest()


def verify(session: Session) -> BrokenChain | None:
    """Walk the whole chain; return the first event that was changed, lost or put in."""
    previous, expected = GENESIS, 1
    for row in session.scalars(
        select(EventRow).order_by(EventRow.seq).execution_options(yield_per=1000)
    ):
        if row.seq != expected:
            return BrokenChain(expected, f"event {expected} is missing")
        if row.prev_hash != previous:
            return BrokenChain(row.seq, "it does not follow the event before it")
        if row.hash != digest(row):
            return BrokenChain(row.seq, "its content was changed")
        previous, expected = row.hash, row.seq + 1
    return None


def of_subject(session: Session, subject_kind: str, subject_id: str) -> list[EventRow]:
    """Everything that happened to one thing, oldest first."""
    return list(
        session.scalars(
            select(EventRow)
            .where(EventRow.subject_id == subject_id, EventRow.subject_kind == subject_kind)
            .order_by(EventRow.seq)
        )
    )
