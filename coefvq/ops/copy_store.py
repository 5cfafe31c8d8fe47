"""Copy a whole store into an empty one: SQLite to PostgreSQL, back, or into a backup's file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from coefvq.errors import StoreError
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import Base

Progress = Callable[[str, int, int], None]
"""Called with a table's name, the rows of it that are copied, and all of them."""
_AT_ONCE = 1000
_FILLED_BY_MIGRATION = ("queues",)
"""A new store has rows there already; the copied ones take their place."""


def copy_store(source: Store, target: Store, progress: Progress | None = None) -> dict[str, int]:
    """Copy every row; both stores are of the newest schema.

    One transaction on each side: the source is read as it was at one moment, and the target gets
    everything or nothing, also when the process is killed.

    Returns:
        Rows by table.

    Raises:
        StoreError: The target is not empty, or the chain of events does not hold at either end.
    """
    tables = Base.metadata.sorted_tables
    with source.read() as reading, target.write() as writing:
        into = writing.connection()
        _refuse_filled(into)
        out = reading.connection()
        copied = {table.name: _copy(out, into, table, progress) for table in tables}
        _restart_numbers(into, tables)
        broken = events.verify(writing, events.head(reading))
        if broken is not None:
            raise StoreError(
                f"The chain of events is broken at event {broken.seq}: {broken.why}. Nothing was "
                "copied. `coefvq audit verify` shows what is wrong."
            )
    return copied


def _copy(out: Connection, into: Connection, table: Table, progress: Progress | None) -> int:
    total = out.scalar(select(func.count()).select_from(table)) or 0
    if table.name in _FILLED_BY_MIGRATION:
        into.execute(table.delete())
    done = 0
    for rows in _chunks(out, table):
        into.execute(insert(table), rows)
        done += len(rows)
        if progress is not None:
            progress(table.name, done, total)
    return done


def _chunks(out: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    rows = out.execution_options(yield_per=_AT_ONCE).execute(query)
    for part in rows.mappings().partitions(_AT_ONCE):
        yield [dict(row) for row in part]


def _refuse_filled(into: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        if table.name in _FILLED_BY_MIGRATION:
            continue
        if into.execute(select(table).limit(1)).first() is not None:
            raise StoreError(
                f"{into.engine.url.render_as_string()} is not empty: table {table.name} has rows. "
                "Give the address of an empty database."
            )


def _restart_numbers(into: Connection, tables: list[Table]) -> None:
    """PostgreSQL's sequences know nothing of rows that came with their number."""
    if into.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key.columns:
            name = into.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": table.name, "column": column.name},
            )
            if name:
                most = into.scalar(select(func.max(column)))
                into.execute(
                    text("SELECT setval(:name, :most, :used)"),
                    {"name": name, "most": most or 1, "used": most is not None},
                )
