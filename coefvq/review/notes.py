"""Internal notes on a case: what colleagues write to one another. Append-only."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.review import looks, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.case_views import NoteView
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import NoteRow
from coefvq.store.text import storable

LIMIT = 2000


def add(store: Store, actor: Actor, case_id: str, text: str) -> NoteView:
    """Write a note on a case.

    The event says that there is a note, not what it says: events are kept for good.

    Raises:
        StoreError: There is no such case, or the note is empty or too long.
        NotAllowed: The actor may not decide, or has no access to the case.
    """
    require(actor, Permission.DECIDE)
    words = storable(text)
    if words is None or len(words) > LIMIT:
        raise StoreError(f"A note has 1 to {LIMIT} characters. Write it again, then save it.")
    with store.write() as session:
        look = looks.at(session, actor, case_id)
        case = queues.reach(session, actor, look.case_id if look else case_id)
        row = NoteRow(case_id=case.id, author=actor.name, text=words)
        session.add(row)
        session.flush()
        events.append(session, actor.name, "case.noted", "case", case.id, {"note": row.id})
        return _view(row)


def of_case(session: Session, case_id: str) -> tuple[NoteView, ...]:
    """The notes on a case, oldest first."""
    query = select(NoteRow).where(NoteRow.case_id == case_id).order_by(NoteRow.id)
    return tuple(_view(row) for row in session.scalars(query))


def _view(row: NoteRow) -> NoteView:
    return NoteView(row.author, row.text, row.at)
