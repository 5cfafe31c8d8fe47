"""Insert a row that another process may be inserting just now."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from coefvq.store.tables import Base


def insert_missing(session: Session, table: type[Base], **values: Any) -> None:
    """Insert unless a row with the same key is there; that row stays as it is."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql_insert(table).values(**values).on_conflict_do_nothing())
    else:
        session.execute(sqlite_insert(table).values(**values).on_conflict_do_nothing())
