"""Who is to be told of a video, and what is still to be delivered.

A message says that something happened, and to what; whoever gets it asks for the rest with a key,
so that nothing leaves past the rights of that key.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from coefvq.store.tables import CallbackRow, DeliveryRow, JobKind, JobRow, JobState, utcnow

SCORED, FAILED, DECIDED = "video.scored", "video.failed", "case.decided"
SIGNALS = "signals.scored"
PRIORITY = 2
"""Of the job: messages are short, and somebody waits for them."""
_PG_LOCK = 0xC0EF0009


class DeliveryState(StrEnum):
    """Where a message is. ``TAKEN``: the receiver said that it has it."""

    WAITING = "waiting"
    TAKEN = "taken"
    GIVEN_UP = "given_up"


def subscribe(session: Session, video_id: str, key_id: str, url: str) -> None:
    """Tell this address from now on what becomes of a video."""
    session.add(CallbackRow(video_id=video_id, key_id=key_id, url=url))
    session.flush()


def tell(
    session: Session, event: str, video_id: str, *, now: datetime | None = None, **data: str
) -> None:
    """Queue a message to everybody who asked for a video's; to nobody, one small look-up."""
    query = select(CallbackRow).where(CallbackRow.video_id == video_id).order_by(CallbackRow.id)
    rows = list(session.scalars(query))
    for row in rows:
        about = {"video_id": video_id, **data}
        send(session, row.key_id, row.url, event, about, video_id=video_id, now=now)


def send(
    session: Session,
    key_id: str,
    url: str,
    event: str,
    about: dict[str, str],
    *,
    video_id: str | None = None,
    now: datetime | None = None,
) -> DeliveryRow:
    """Queue one message in the transaction that does what it tells."""
    moment = now or utcnow()
    row = DeliveryRow(
        video_id=video_id,
        key_id=key_id,
        url=url,
        body={"event": event, "at": moment.isoformat(), **about},
        made_at=moment,
        next_at=moment,
    )
    session.add(row)
    session.flush()
    wake(session, moment)
    return row


def due(session: Session, now: datetime, limit: int) -> list[DeliveryRow]:
    """Messages whose time has come, oldest first."""
    query = select(DeliveryRow).where(
        DeliveryRow.state == DeliveryState.WAITING.value, DeliveryRow.next_at <= now
    )
    return list(session.scalars(query.order_by(DeliveryRow.next_at, DeliveryRow.id).limit(limit)))


def put_off(session: Session, urls: Collection[str], until: datetime) -> None:
    """Nothing is sent to these addresses before a moment: the first that failed stands for all."""
    waiting = DeliveryRow.state == DeliveryState.WAITING.value
    session.execute(
        update(DeliveryRow)
        .where(waiting, DeliveryRow.url.in_(list(urls)), DeliveryRow.next_at < until)
        .values(next_at=until)
    )


def wake(session: Session, now: datetime) -> None:
    """See that a job delivers what waits, at the time of the first; one over all workers.

    A job that runs looks again in the transaction that ends it, under the same lock.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})
    waiting = DeliveryRow.state == DeliveryState.WAITING.value
    first = session.scalar(select(func.min(DeliveryRow.next_at)).where(waiting))
    if first is None:
        return
    at = max(first, now)
    mine = JobRow.kind == JobKind.CALLBACK.value
    open_ = (JobState.QUEUED.value, JobState.RUNNING.value)
    known = session.scalars(select(JobRow).where(mine, JobRow.state.in_(open_))).first()
    if known is None:
        done = (
            JobRow.state == JobState.DONE.value,
            JobRow.priority == PRIORITY,
        )  # an index's start
        session.execute(delete(JobRow).where(*done, mine))
        # Made "then": a job that had to wait does not look like one that nobody took.
        job = JobRow(kind=JobKind.CALLBACK.value, payload={}, priority=PRIORITY)
        job.due_at = job.created_at = at
        session.add(job)
    elif known.state == JobState.QUEUED.value and known.due_at is not None and known.due_at > at:
        known.due_at = known.created_at = at
    session.flush()
