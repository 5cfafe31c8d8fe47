"""What happened, out of the chain of events: filtered, newest first, and verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.store import events as chain
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, EventRow

PAGE = 100
_CHUNK = 1000
_SKEW = timedelta(hours=1)
"""Clocks of several machines: events this close in time may stand in the other order."""


@dataclass(frozen=True)
class EventView:
    """One event.

    Attributes:
        seq: Its place in the chain, from 1.
        at: UTC.
        data: What is known about it, by kind; texts in it are hostile.
        hash: SHA-256 over the other fields and ``prev_hash``, hexadecimal.
    """

    seq: int
    at: datetime
    actor: str
    kind: str
    subject_kind: str
    subject_id: str
    data: dict[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True)
class EventWish:
    """Which events; an empty field asks for all.

    Attributes:
        kind: ``case.decided``; or ``case.`` for all that begin so.
        actor: Exact name of a person or worker.
        subject: Exact id of a case, video, queue, user, ...; with a video also its cases, with a
            case also its decisions.
        since: From this moment on.
        until: Before this moment.
    """

    kind: str = ""
    actor: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class EventPage:
    """Some events, newest first; ``older`` is where the next page begins, ``None`` at the end."""

    events: tuple[EventView, ...]
    older: int | None


@dataclass(frozen=True)
class ChainCheck:
    """What verifying found.

    Attributes:
        events: How many events the chain has.
        newest: Hash of the newest; kept elsewhere, it proves later that none was cut off.
        broken: The first that does not fit; ``None``: all fit.
    """

    events: int
    newest: str
    broken: chain.BrokenChain | None


def page(
    store: Store, actor: Actor, wish: EventWish, before: int | None = None, limit: int = PAGE
) -> EventPage:
    """Return a page of events, newest first.

    Args:
        before: Only events with a smaller ``seq``: the last page's ``older``.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        found = _found(session, wish, before, limit + 1)
    older = found[limit - 1].seq if len(found) > limit else None
    return EventPage(found[:limit], older)


def each(store: Store, actor: Actor, wish: EventWish) -> Iterator[tuple[EventView, ...]]:
    """Return all wished events in chunks, newest first; none is held longer than its chunk."""
    require(actor, Permission.LEAD)
    return _chunks(store, wish)


def one(store: Store, actor: Actor, seq: int) -> EventView:
    """Return one event.

    Raises:
        StoreError: There is no such event.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        row = session.get(EventRow, seq)
        if row is None:
            raise StoreError(f"There is no event {seq}. Reload the page.")
        return _view(row)


def kinds(store: Store, actor: Actor) -> tuple[str, ...]:
    """Return the kinds that occur, in alphabetical order."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        return tuple(_kinds(session))


def verify(store: Store, actor: Actor) -> ChainCheck:
    """Walk the whole chain. Takes seconds where there are hundreds of thousands of events."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        last = session.execute(
            select(EventRow.seq, EventRow.hash).order_by(EventRow.seq.desc()).limit(1)
        ).first()
        number = session.scalar(select(func.count()).select_from(EventRow)) or 0
        return ChainCheck(number, last.hash if last else chain.GENESIS, chain.verify(session))


def _chunks(store: Store, wish: EventWish) -> Iterator[tuple[EventView, ...]]:
    before: int | None = None
    while True:
        with store.read() as session:
            found = _found(session, wish, before, _CHUNK)
        if found:
            yield found
        if len(found) < _CHUNK:
            return
        before = found[-1].seq


def _found(
    session: Session, wish: EventWish, before: int | None, limit: int
) -> tuple[EventView, ...]:
    """The places come from an index alone, then only so many rows are read."""
    places = select(EventRow.seq).where(*_conditions(session, wish, before))
    chosen = places.order_by(EventRow.seq.desc()).limit(limit).subquery()
    rows = select(EventRow).where(EventRow.seq.in_(select(chosen.c.seq)))
    return tuple(_view(row) for row in session.scalars(rows.order_by(EventRow.seq.desc())))


def _conditions(session: Session, wish: EventWish, before: int | None) -> list[ColumnElement[bool]]:
    made: list[ColumnElement[bool]] = []
    if before is not None:
        made.append(EventRow.seq < before)
    if wish.actor:
        made.append(EventRow.actor == wish.actor)
    if wish.kind or wish.subject:
        # Named one by one: the index is by kind first, then by subject.
        known = _kinds(session)
        made.append(EventRow.kind.in_([kind for kind in known if _meant(kind, wish.kind)]))
    if wish.subject:
        made.append(EventRow.subject_id.in_(_subjects(session, wish.subject)))
    return made + _times(session, wish)


def _subjects(session: Session, wished: str) -> set[str]:
    """An id, and what belongs to it: a video's cases, a case's decisions."""
    cases = set(session.scalars(select(CaseRow.id).where(CaseRow.video_id == wished)))
    of_cases = DecisionRow.case_id.in_(cases | {wished})
    return {wished} | cases | set(session.scalars(select(DecisionRow.id).where(of_cases)))


def _meant(kind: str, wished: str) -> bool:
    return kind.startswith(wished) if wished.endswith(".") else wished in ("", kind)


def _times(session: Session, wish: EventWish) -> list[ColumnElement[bool]]:
    """The exact moments, and around them the part of the chain that is looked at."""
    made: list[ColumnElement[bool]] = []
    if wish.since is not None:
        made += [EventRow.at >= wish.since, EventRow.seq >= _place(session, wish.since - _SKEW)]
    if wish.until is not None:
        made += [EventRow.at < wish.until, EventRow.seq < _place(session, wish.until + _SKEW)]
    return made


def _place(session: Session, moment: datetime) -> int:
    """Where in the chain a moment lies: events before this ``seq`` are older.

    The chain grows in the order of time, so halving finds it without an index over times.
    """
    low, high = 1, (session.scalar(select(func.max(EventRow.seq))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at = session.scalar(select(EventRow.at).where(EventRow.seq == middle))
        if at is not None and at < moment:
            low = middle + 1
        else:
            high = middle
    return low


def _kinds(session: Session) -> list[str]:
    """Hop from kind to kind through the index: as many steps as there are kinds."""
    found: list[str] = []
    following = session.scalar(select(func.min(EventRow.kind)))
    while following is not None:
        found.append(following)
        following = session.scalar(select(func.min(EventRow.kind)).where(EventRow.kind > following))
    return found


def _view(row: EventRow) -> EventView:
    return EventView(
        seq=row.seq,
        at=row.at.astimezone(UTC),
        actor=row.actor,
        kind=row.kind,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        data=dict(row.data),
        prev_hash=row.prev_hash,
        hash=row.hash,
    )
