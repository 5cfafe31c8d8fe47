"""Fixtures for all tests."""

from __future__ import annotations

from tests.browser import browser, page

__all__ = ["browser", "page"]
