"""Saved filters: named sets of what a page shows. Each person's own, and a lead's for all."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from coefvq.errors import NotAllowed, StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import SavedFilterRow, utcnow
from coefvq.store.text import storable

NAME_LIMIT, QUERY_LIMIT, MOST = 80, 2000, 50
_PAGE_LIMIT = 32


@dataclass(frozen=True)
class SavedFilter:
    """A named filter.

    Attributes:
        query: The page's own words for it: an address's query.
        shared: Everyone sees it.
        mine: The actor saved it.
    """

    id: str
    name: str
    query: str
    shared: bool
    mine: bool


def save(
    store: Store, actor: Actor, page: str, name: str, query: str, shared: bool = False
) -> SavedFilter:
    """Keep a filter under a name; the actor's one of this name on this page is replaced.

    Raises:
        StoreError: It has no name, is too long, or there are too many.
        NotAllowed: Only a lead shares with everyone.
    """
    require(actor, Permission.LEAD if shared else Permission.VIEW)
    title, words = storable(name, NAME_LIMIT), storable(query, QUERY_LIMIT + 1) or ""
    if title is None or not 0 < len(page) <= _PAGE_LIMIT:
        raise StoreError("The filter has no name: give it one, then save it.")
    if len(words) > QUERY_LIMIT:
        raise StoreError(f"Filter '{title}' is too long: at most {QUERY_LIMIT} characters.")
    with store.write() as session:
        row = _own(session, actor, page, title)
        if row is None:
            _check_number(session, actor, page)
            row = SavedFilterRow(owner=actor.name, page=page, name=title, created_at=utcnow())
            session.add(row)
        if row.shared and not shared:
            require(actor, Permission.LEAD)
        row.query, row.shared = words, shared
        session.flush()
        if shared:
            data = {"page": page, "name": title}
            events.append(session, actor.name, "filter.shared", "filter", row.id, data)
        return _view(row, actor)


def list_filters(store: Store, actor: Actor, page: str) -> tuple[SavedFilter, ...]:
    """The actor's own filters of a page and the shared ones, by name."""
    require(actor, Permission.VIEW)
    mine = or_(SavedFilterRow.owner == actor.name, SavedFilterRow.shared)
    query = select(SavedFilterRow).where(SavedFilterRow.page == page, mine)
    with store.read() as session:
        rows = session.scalars(query.order_by(SavedFilterRow.name, SavedFilterRow.id))
        return tuple(_view(row, actor) for row in rows)


def delete(store: Store, actor: Actor, filter_id: str) -> None:
    """Forget a filter; nothing happens where it is gone already.

    Raises:
        NotAllowed: It is somebody else's, and the actor is no lead; or it is shared.
    """
    require(actor, Permission.VIEW)
    with store.write() as session:
        row = session.get(SavedFilterRow, filter_id)
        if row is None:
            return
        if row.shared:
            require(actor, Permission.LEAD)
            data = {"page": row.page, "name": row.name}
            events.append(session, actor.name, "filter.deleted", "filter", row.id, data)
        elif row.owner != actor.name:
            raise NotAllowed("This filter is somebody else's; only they can delete it.")
        session.delete(row)


def _own(session: Session, actor: Actor, page: str, name: str) -> SavedFilterRow | None:
    query = select(SavedFilterRow).where(
        SavedFilterRow.owner == actor.name,
        SavedFilterRow.page == page,
        SavedFilterRow.name == name,
    )
    return session.scalars(query).first()


def _check_number(session: Session, actor: Actor, page: str) -> None:
    query = select(func.count()).where(
        SavedFilterRow.owner == actor.name, SavedFilterRow.page == page
    )
    if (session.scalar(query) or 0) >= MOST:
        raise StoreError(f"You have {MOST} filters on this page: delete one first.")


def _view(row: SavedFilterRow, actor: Actor) -> SavedFilter:
    return SavedFilter(row.id, row.name, row.query, row.shared, row.owner == actor.name)
