"""A fresh store on every backend for each test here."""

from __future__ import annotations

from tests.store_fixtures import database_url, settings, store

__all__ = ["database_url", "settings", "store"]
