"""Bring a database to the newest schema with Alembic, configured in code."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from coefvq.errors import StoreError

_PG_LOCK = 0xC0EF0001  # any number that nobody else uses in this database


def scripts_dir() -> Path:
    """Find the migrations: inside the installed package, or beside it in a checkout.

    Raises:
        StoreError: They are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StoreError(f"No migrations beside {package}. Install the project again.")


def config(connection: Connection | None = None) -> Config:
    """Make Alembic's configuration; ``connection`` is what the migrations run on."""
    made = Config()
    made.set_main_option("script_location", str(scripts_dir()).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def revision(connection: Connection) -> str | None:
    """The schema revision that a database has; ``None`` when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, target: str = "head") -> None:
    """Migrate under a lock, all steps in one transaction.

    Raises:
        StoreError: The database has a revision that this program does not know.
    """
    with engine.execution_options(coefvq_begin="IMMEDIATE").begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})
        made = config(connection)
        _refuse_newer(connection, ScriptDirectory.from_config(made))
        command.upgrade(made, target)


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    has = revision(connection)
    known = {script.revision for script in scripts.walk_revisions()}
    if has is not None and has not in known:
        raise StoreError(
            f"The database {connection.engine.url.render_as_string()} was written by a newer "
            f"version (schema {has}). Install that version, or choose another COEFVQ_HOME."
        )
