"""A real Chromium for all tests that drive one: there can be only one driver in a process."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--autoplay-policy=no-user-gesture-required"]  # fmt: skip
PATIENCE_MS = 15_000


def chromium() -> str:
    """Path of the browser; without one these tests cannot say anything."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.fail("no Chromium on this machine; `make test` as root installs it")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """One Chromium a module; every test gets a context of its own.

    Not one a session: while a driver runs, its event loop is in the way of tests that run one.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser) -> Iterator[object]:
    """A 1280x720 page; ``page.outside`` lists requests that left this machine, ``page.faults``
    what the page complained about."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    opened.outside, opened.faults = [], []
    opened.on("request", lambda r: _note_outside(r.url, opened.outside))
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on("console", lambda m: opened.faults.append(m.text) if m.type == "error" else None)
    yield opened
    context.close()


def _note_outside(url: str, found: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        found.append(url)
