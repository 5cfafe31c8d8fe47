"""Signals that programs sent to be scored; and forgetting what nobody asks for any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import api_keys
from coefvq.store.callbacks import DeliveryState
from coefvq.store.jobs import PRIORITY
from coefvq.store.tables import (
    DeliveryRow,
    JobKind,
    JobRow,
    LeaseRow,
    SignalRequestRow,
    new_id,
    utcnow,
)

KEPT = timedelta(days=1)
"""For so long an answer can be fetched, and a repeated request gets the first one's."""
DELIVERIES_KEPT = timedelta(days=30)


def ask(
    session: Session, key_id: str, item: dict[str, Any], callback: str | None
) -> SignalRequestRow:
    """Queue signals to be scored. The job names the request; what was sent is here alone."""
    kind, request_id = JobKind.SIGNALS, new_id()
    job = JobRow(kind=kind.value, payload={"request": request_id}, priority=PRIORITY[kind])
    session.add(job)
    session.flush()
    row = SignalRequestRow(
        id=request_id, key_id=key_id, job_id=job.id, item=item, callback=callback
    )
    session.add(row)
    session.flush()
    return row


def get(
    session: Session, request_id: str, key_id: str, now: datetime | None = None
) -> SignalRequestRow:
    """Look a request up for the key that made it.

    Raises:
        StoreError: There is none of this key, or its day is over.
    """
    row = session.get(SignalRequestRow, request_id)
    old = row is not None and row.made_at < (now or utcnow()) - KEPT
    if row is None or old or row.key_id != key_id:
        raise StoreError(f"There is no request {request_id}. Answers are kept for a day.")
    return row


def forget(session: Session, now: datetime) -> None:
    """Drop requests, answers and jobs that are over, and deliveries that are long over."""
    old = now - KEPT
    api_keys.forget_before(session, old)
    gone = SignalRequestRow.made_at < old
    ids = list(session.scalars(select(SignalRequestRow.job_id).where(gone)))
    session.execute(delete(SignalRequestRow).where(gone))
    session.execute(delete(LeaseRow).where(LeaseRow.subject_id.in_(ids)))
    session.execute(delete(JobRow).where(JobRow.id.in_(ids)))
    ended = DeliveryRow.state != DeliveryState.WAITING.value
    before = DeliveryRow.made_at < now - DELIVERIES_KEPT
    session.execute(delete(DeliveryRow).where(ended, before))
