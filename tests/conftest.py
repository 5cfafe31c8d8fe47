"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from coefvq import taxonomy
from tests.browser import browser, page

# What reviewers are given by chance is tested by itself; elsewhere nothing happens by chance.
for _share in ("GOLDEN_SHARE", "SECOND_LOOK_SHARE", "BLIND_FIRST_SHARE"):
    os.environ.setdefault(f"COEFVQ_{_share}", "0")

__all__ = ["browser", "page"]


@pytest.fixture(autouse=True)
def built_in_taxonomy() -> Iterator[None]:
    """What a test publishes holds in its own store; the process forgets it afterwards."""
    taxonomy.install(None)
    yield
    taxonomy.install(None)
