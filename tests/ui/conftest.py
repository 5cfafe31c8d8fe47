"""A filled store, the real app on a free port of this machine, and a real Chromium."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from coefvq.settings import Settings
from coefvq.store.session import open_store
from tests.browser import free_port
from tests.ui.world import World, fill


@pytest.fixture
def empty_world(tmp_path: Path) -> Iterator[World]:
    """A new store without videos."""
    settings = Settings(home=tmp_path / "empty")
    with open_store(settings.url) as store:
        yield World(settings, store, {})


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The library of ``tests/ui/world.py``, made once: its folder, and video ids by name."""
    home = tmp_path_factory.mktemp("filled") / "home"
    settings = Settings(home=home)
    with open_store(settings.url) as store:
        return home, fill(World(settings, store, {})).ids


@pytest.fixture
def world(filled: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[World]:
    """A copy of the filled library that the test may change."""
    home = tmp_path / "home"
    shutil.copytree(filled[0], home)
    settings = Settings(home=home, max_bytes=5 * 2**20)
    with open_store(settings.url) as store:
        yield World(settings, store, dict(filled[1]))


class Running:
    """The app in a thread."""

    def __init__(self, world: World) -> None:
        from reviewer_ui.build import build_app

        self.port = free_port()
        config = uvicorn.Config(build_app(world.settings, world.store), host="127.0.0.1",
                                port=self.port, log_level="warning",
                                timeout_graceful_shutdown=1)  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Running:
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive(), "the app did not start"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture
def app(world: World) -> Iterator[str]:
    """Address of the app on the filled store."""
    with Running(world) as running:
        yield running.url


@pytest.fixture
def empty_app(empty_world: World) -> Iterator[str]:
    """Address of the app on the empty store."""
    with Running(empty_world) as running:
        yield running.url
