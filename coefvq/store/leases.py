"""Leases with fencing tokens, for reviewers' cases and workers' jobs alike.

A lease is the right to work on one thing until a time. Each time it changes hands its token
grows, so an answer that arrives after a takeover is known by its old token and refused
(Kleppmann, "How to do distributed locking", 2016). Claim inside ``store.write()``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Exists, exists, select
from sqlalchemy.orm import Session, aliased

from coefvq.errors import LeaseLost
from coefvq.store.tables import CaseRow, LeaseRow, utcnow
from coefvq.store.upsert import insert_missing

CASE = "case"
JOB = "job"


@dataclass(frozen=True)
class Lease:
    """A lease as its holder knows it.

    Attributes:
        fresh: This claim made it; else it was theirs already.
    """

    kind: str
    subject_id: str
    holder: str
    token: int
    expires_at: datetime
    fresh: bool = field(default=False, compare=False)


def claim(
    session: Session,
    kind: str,
    subject_id: str,
    holder: str,
    ttl_s: float,
    now: datetime | None = None,
) -> Lease | None:
    """Take the lease, or return ``None`` while somebody else holds it.

    Whoever holds it already gets it again, longer, with the same token.
    """
    moment = now or utcnow()
    insert_missing(
        session, LeaseRow, kind=kind, subject_id=subject_id, holder=None, token=0, expires_at=None
    )
    row = _locked_row(session, kind, subject_id)
    fresh = not _live(row, moment)
    if fresh:
        row.token += 1
        row.holder = holder
    elif row.holder != holder:
        return None
    row.expires_at = moment + timedelta(seconds=ttl_s)
    session.flush()
    return replace(_lease(row), fresh=fresh)


def check(
    session: Session,
    kind: str,
    subject_id: str,
    holder: str,
    token: int,
    now: datetime | None = None,
) -> LeaseRow:
    """Return the locked row where the lease still holds.

    Raises:
        LeaseLost: It ran out, was given back, or somebody else has it.
    """
    moment = now or utcnow()
    row = _locked_row(session, kind, subject_id)
    if row.token != token or row.holder != holder or not _live(row, moment):
        raise LeaseLost(_why_lost(row, kind, subject_id, holder, moment))
    return row


def heartbeat(
    session: Session,
    kind: str,
    subject_id: str,
    holder: str,
    token: int,
    ttl_s: float,
    now: datetime | None = None,
) -> Lease:
    """Make the lease last ``ttl_s`` from now.

    Raises:
        LeaseLost: See ``check``.
    """
    moment = now or utcnow()
    row = check(session, kind, subject_id, holder, token, moment)
    row.expires_at = moment + timedelta(seconds=ttl_s)
    session.flush()
    return _lease(row)


def release(session: Session, kind: str, subject_id: str, holder: str, token: int) -> bool:
    """Give the lease back; ``False`` where it was not held (any more)."""
    row = _locked_row(session, kind, subject_id)
    if row.token != token or row.holder != holder:
        return False
    end(session, row)
    return True


def end(session: Session, row: LeaseRow) -> None:
    """Give back a lease that was checked in this transaction."""
    row.holder = None
    row.expires_at = None
    session.flush()


def open_cases(video_id: Any, now: datetime) -> Exists:
    """A condition: somebody has a case of the video open.

    Args:
        video_id: An id, or a column with one.
    """
    held, case = aliased(LeaseRow), aliased(CaseRow)  # whoever asks has leases of its own
    return exists().where(
        held.kind == CASE,
        held.subject_id == case.id,
        held.holder.is_not(None),
        held.expires_at > now,
        case.video_id == video_id,
    )


def release_all(session: Session, kind: str, holder: str) -> int:
    """Give back every lease of a holder that is known to be dead; return how many."""
    query = select(LeaseRow).where(LeaseRow.kind == kind, LeaseRow.holder == holder)
    rows = list(session.scalars(query.with_for_update()))
    for row in rows:
        row.holder = None
        row.expires_at = None
    session.flush()
    return len(rows)


def current(
    session: Session, kind: str, subject_id: str, now: datetime | None = None
) -> Lease | None:
    """Tell who holds the lease just now, if anybody."""
    row = session.get(LeaseRow, (kind, subject_id))
    return _lease(row) if row is not None and _live(row, now or utcnow()) else None


def _locked_row(session: Session, kind: str, subject_id: str) -> LeaseRow:
    """The row as it is in the database; one that nobody ever held where there is none."""
    query = select(LeaseRow).where(LeaseRow.kind == kind, LeaseRow.subject_id == subject_id)
    fresh = query.with_for_update().execution_options(populate_existing=True)
    never = LeaseRow(kind=kind, subject_id=subject_id, holder=None, token=0, expires_at=None)
    return session.scalars(fresh).first() or never


def _live(row: LeaseRow, now: datetime) -> bool:
    return row.holder is not None and row.expires_at is not None and row.expires_at > now


def _lease(row: LeaseRow) -> Lease:
    assert row.holder is not None and row.expires_at is not None  # only called on live rows
    return Lease(row.kind, row.subject_id, row.holder, row.token, row.expires_at)


def _why_lost(row: LeaseRow, kind: str, subject_id: str, holder: str, now: datetime) -> str:
    """A reviewer's form is kept as a draft by the page; a worker's answer is gone."""
    kept = ", your draft is kept." if kind == CASE else "; your answer was not stored."
    if _live(row, now) and row.holder != holder:
        return f"The {kind} {subject_id} was taken over by {row.holder}{kept}"
    return f"Your time on the {kind} {subject_id} ran out{kept} Open it again."
