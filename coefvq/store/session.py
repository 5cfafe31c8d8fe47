"""Open the store: create its folder, bring its schema up to date, hand out sessions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import taxonomies
from coefvq.store.migrate import upgrade

BUSY_TIMEOUT_MS = 30_000
_BEGIN = "coefvq_begin"


class Store:
    """A database that is up to date. Safe to share between threads, not between processes."""

    def __init__(self, engine: Engine):
        self.engine = engine
        # A SQLite transaction that first reads and then writes fails when another wrote in
        # between; taking the write lock at once makes it wait instead.
        self._writer = engine.execution_options(**{_BEGIN: "IMMEDIATE"})
        # SQLite lets waiting writers poll, each a little slower than before, and so passes some
        # by for seconds. The threads of this process wait in line instead.
        sqlite = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[Any] = threading.Lock() if sqlite else nullcontext()
        # SQLite keeps one view for a whole transaction by itself.
        postgresql = engine.dialect.name == "postgresql"
        steady = {"isolation_level": "REPEATABLE READ"} if postgresql else {}
        self._reader = engine.execution_options(**steady)

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session on one consistent view; what it changes is not kept."""
        with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session that commits at the end, or changes nothing when an error leaves it."""
        with (
            self._turn,
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(url: str) -> Store:
    """Open the database at a SQLAlchemy address and migrate it to the newest schema.

    Two processes may start together: one migrates, the other waits. The taxonomy that is in force
    in the database is put in force in this process.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/NAME``.

    Raises:
        StoreError: The address cannot be used or the database is newer than this program.
    """
    address = _address(url)
    engine = create_engine(address)
    if address.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, address)
    try:
        upgrade(engine)
    except OperationalError as error:
        engine.dispose()
        raise StoreError(
            f"Cannot open the database {address.render_as_string()}: {error.orig}. "
            "Check COEFVQ_DATABASE_URL and COEFVQ_HOME."
        ) from error
    store = Store(engine)
    taxonomies.follow(store)
    return store


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"COEFVQ_DATABASE_URL={url!r} is no database address.") from error
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"COEFVQ_DATABASE_URL={url!r}: only sqlite and postgresql are known.")
    if address.drivername == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    return address


def _prepare_sqlite(engine: Engine, address: URL) -> None:
    if address.database in (None, "", ":memory:"):
        raise StoreError("The store needs a SQLite file; one in memory is lost with its process.")
    path = Path(str(address.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _use_wal(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise StoreError(f"Cannot create {path}: {error}. Set COEFVQ_HOME to a folder.") from error
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)


def _use_wal(path: Path, patience_s: float = BUSY_TIMEOUT_MS / 1000) -> None:
    """Switch the file to WAL once. SQLite does not wait by itself for this switch."""
    deadline = time.monotonic() + patience_s
    while True:
        connection = sqlite3.connect(path, timeout=1.0)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            connection.close()


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see _on_begin
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_BEGIN, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
