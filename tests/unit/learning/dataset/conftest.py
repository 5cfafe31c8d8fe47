"""A fresh store for each test here; ``anywhere`` is one on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from tests.store_fixtures import database_url, settings

__all__ = ["database_url", "settings"]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An empty store on SQLite."""
    with open_store(settings.url) as opened:
        yield opened


@pytest.fixture
def anywhere(database_url: str) -> Iterator[Store]:
    """An empty store on SQLite, and on PostgreSQL."""
    with open_store(database_url) as opened:
        yield opened
