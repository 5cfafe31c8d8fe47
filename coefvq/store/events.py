"""The chain of events: append, read, verify. Nothing here changes or removes a row."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from coefvq.store.tables import EventHeadRow, EventRow, utcnow

GENESIS = "0" * 64
_PG_LOCK = 0xC0EF0002
_HEAD = 1


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
    _move_head(session, row)
    return row


def _move_head(session: Session, row: EventRow) -> None:
    values = {"seq": row.seq, "hash": row.hash}
    connection = session.connection()
    if not connection.execute(update(EventHeadRow).values(values)).rowcount:
        connection.execute(insert(EventHeadRow).values(id=_HEAD, **values))


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


@dataclass(frozen=True)
class Head:
    """The newest event: what to write down elsewhere, to compare with later."""

    seq: int
    hash: str


def head(session: Session) -> Head:
    """The newest event as the store notes it; number 0 where nothing has happened."""
    row = session.get(EventHeadRow, _HEAD)
    return Head(0, GENESIS) if row is None else Head(row.seq, row.hash)


def verify(session: Session, known: Head | None = None) -> BrokenChain | None:
    """Walk the whole chain; return the first event that was changed, lost, moved or put in.

    Args:
        known: An event that was noted outside of the store. Whoever can write to the database can
            make a new chain that holds together; one that was noted before it will not have.
    """
    previous, expected = GENESIS, 1
    if known is not None and known.seq == 0:
        known = None
    for row in session.scalars(
        select(EventRow).order_by(EventRow.seq).execution_options(yield_per=1000)
    ):
        if (why := _why_broken(row, expected, previous)) is not None:
            return BrokenChain(min(row.seq, expected), why)
        if known is not None and row.seq == known.seq and row.hash != known.hash:
            return BrokenChain(row.seq, "it is not the event that was noted")
        previous, expected = row.hash, row.seq + 1
    return _broken_end(expected - 1, previous, head(session), known)


def _why_broken(row: EventRow, expected: int, previous: str) -> str | None:
    if row.seq != expected:
        return f"event {expected} is missing"
    if row.prev_hash != previous:
        return "it does not follow the event before it"
    return "its content was changed" if row.hash != digest(row) else None


def _broken_end(last: int, digest_: str, noted: Head, known: Head | None) -> BrokenChain | None:
    """Whether events are missing, or were put in, behind the last one that holds."""
    if known is not None and known.seq > last:
        return BrokenChain(
            last + 1, f"event {last + 1} is missing: one up to {known.seq} was noted"
        )
    if noted == Head(last, digest_):
        return None
    if noted.seq > last:
        return BrokenChain(last + 1, f"event {last + 1} is missing: the last one is {noted.seq}")
    return BrokenChain(noted.seq + 1, "it was put in: the store notes an earlier one as its last")


def of_subject(session: Session, subject_kind: str, subject_id: str) -> list[EventRow]:
    """Everything that happened to one thing, oldest first."""
    return list(
        session.scalars(
            select(EventRow)
            .where(EventRow.subject_id == subject_id, EventRow.subject_kind == subject_kind)
            .order_by(EventRow.seq)
        )
    )
