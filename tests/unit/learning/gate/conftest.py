"""A store on SQLite with a snapshot of made-up texts, and prefilters that learnt from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from tests import gate_factory
from tests.gate_factory import NO_MLLM, Home
from tests.store_factory import settings_at


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """No MLLM is asked: these tests are about the prefilter and the store."""
    return settings_at(tmp_path / "home", mllm=NO_MLLM)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A fresh store."""
    with open_store(settings.url) as opened:
        yield opened


@pytest.fixture
def home(store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A model that learnt from little is in force; better ones can be made."""
    return gate_factory.home(store, settings, tmp_path, monkeypatch)
