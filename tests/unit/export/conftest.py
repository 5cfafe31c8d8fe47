"""A fresh store on every backend for each test, and one filled library for all that only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from tests.store_factory import settings_at
from tests.store_fixtures import database_url, settings, store
from tests.unit.export.library import fill

__all__ = ["database_url", "library", "settings", "store"]


@pytest.fixture(scope="package")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Settings]]:
    """The library of ``library.py``; nothing may change it."""
    settings = settings_at(tmp_path_factory.mktemp("library") / "home")
    with open_store(settings.url) as store:
        fill(store, settings)
        yield store, settings
