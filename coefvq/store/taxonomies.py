"""Published taxonomies: append-only rows; the highest number is in force.

Row 0 is what came with the program when the first version was published, so that everything that
was ever in force can be looked up. A process follows by one small query (``follow``).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Protocol

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.store import events
from coefvq.store.tables import TaxonomyRow
from coefvq.taxonomy import Task, Taxonomy
from coefvq.taxonomy.read import Document, digest, from_document, packaged_document

PUBLISHED = "taxonomy.published"
PROGRAM = "coefvq"
FIRST_NOTE = "What came with the program."
_PG_LOCK = 0xC0EF0006

_read: dict[str, Taxonomy] = {}
"""Versions that this process has read. A version names its content, so none ever changes."""
_reading = Lock()


class Readable(Protocol):
    """The part of a store that is needed here; the store itself opens after this module."""

    def read(self) -> AbstractContextManager[Session]:
        """Yield a session."""


def newest_version(session: Session) -> str | None:
    """The version in force; ``None``: what comes with the program. One row of an index."""
    newest = select(TaxonomyRow.version).order_by(TaxonomyRow.number.desc()).limit(1)
    return session.scalar(newest)


def newest(session: Session) -> TaxonomyRow | None:
    """The row in force; ``None``: what comes with the program."""
    query = select(TaxonomyRow).order_by(TaxonomyRow.number.desc()).limit(1)
    return session.scalars(query).first()


def history(session: Session) -> list[TaxonomyRow]:
    """All versions, newest first."""
    return list(session.scalars(select(TaxonomyRow).order_by(TaxonomyRow.number.desc())))


def by_number(session: Session, number: int) -> TaxonomyRow | None:
    """A version by its number."""
    return session.get(TaxonomyRow, number)


def lock(session: Session) -> None:
    """Let nobody else publish until this transaction ends (on SQLite each writer is alone)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})


def add(
    session: Session, document: Document, note: str, actor: str, data: dict[str, Any] | None = None
) -> TaxonomyRow:
    """Put a checked document in force as the next version. Call ``lock`` before reading ``newest``.

    Args:
        data: More for the event.
    """
    last = newest(session)
    if last is None:
        last = _row(0, packaged_document(), FIRST_NOTE, PROGRAM)
        last.version = taxonomy.packaged().version
        session.add(last)
        session.flush()
    row = _row(last.number + 1, document, note, actor)
    session.add(row)
    session.flush()
    more = {"number": row.number, "note": note, "before": last.version} | (data or {})
    events.append(session, actor, PUBLISHED, "taxonomy", row.version, more)
    return row


def at(session: Session, version: str | None) -> Taxonomy | None:
    """The taxonomy of a version, for what was decided under it; ``None`` where it is not known.

    Nothing is known of a version that came with an earlier release and was never followed by a
    published one.
    """
    if version is None:
        return None
    if version == taxonomy.packaged().version:
        return taxonomy.packaged()
    if (known := _read.get(version)) is not None:
        return known
    row = session.scalars(select(TaxonomyRow).where(TaxonomyRow.version == version)).first()
    return None if row is None else _kept(row)


def task_of(session: Session, task_id: str) -> Task:
    """A task in force, else as the newest version had it that did, else one without policies."""
    if (known := taxonomy.tasks().get(task_id)) is not None:
        return known
    for row in history(session):
        if any(task["id"] == task_id for task in row.document["tasks"]):
            return (_read.get(row.version) or _kept(row)).task(task_id)
    return Task(task_id, task_id, ())


def follow(store: Readable) -> bool:
    """Put in force in this process what is in force in a store; return whether it changed.

    One small query where it did not.

    Raises:
        SettingsError: The version cannot be read by this release of the program.
    """
    with store.read() as session:
        version = newest_version(session) or taxonomy.packaged().version
        if version == taxonomy.version():
            return False
        found = at(session, version)
    taxonomy.install(found)
    return True


def _kept(row: TaxonomyRow) -> Taxonomy:
    made = from_document(row.version, row.document)
    with _reading:
        _read[row.version] = made
    return made


def _row(number: int, document: Document, note: str, actor: str) -> TaxonomyRow:
    return TaxonomyRow(
        number=number,
        version=f"{number}-{digest(document)}",
        document=document,
        note=note,
        published_by=actor,
    )
