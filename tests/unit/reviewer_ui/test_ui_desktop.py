"""Which window ``serve --desktop`` opens, and what makes the pages installable."""

from __future__ import annotations

import json
import struct
import sys
from types import SimpleNamespace

import pytest

from reviewer_ui import desktop
from reviewer_ui.theme import STATIC, head

URL = "http://127.0.0.1:7860"


@pytest.fixture
def machine(monkeypatch):
    """A machine with chosen programs; what was started and opened is noted."""
    noted = SimpleNamespace(started=[], opened=[], programs=set(), webview=False, status=0)

    def popen(command, **_):
        noted.started.append(command)
        return SimpleNamespace(wait=lambda: noted.status)

    def which(name):
        return f"/usr/bin/{name}" if name in noted.programs else None

    monkeypatch.setattr(desktop.importlib.util, "find_spec",
                        lambda name: object() if noted.webview else None)  # fmt: skip
    monkeypatch.setattr(desktop.shutil, "which", which)
    monkeypatch.setattr(desktop.subprocess, "Popen", popen)
    monkeypatch.setattr(desktop.webbrowser, "open", noted.opened.append)
    return noted


OWN = [sys.executable, "-m", "reviewer_ui.desktop", URL]


@pytest.mark.parametrize(
    ("webview", "status", "programs", "started", "opened"),
    [
        (True, 0, {"chromium"}, [OWN], []),
        (True, 1, {"chromium"}, [OWN], [URL]),
        (False, 0, {"chromium", "microsoft-edge"}, [["/usr/bin/chromium", f"--app={URL}"]], []),
        (False, 0, {"microsoft-edge"}, [["/usr/bin/microsoft-edge", f"--app={URL}"]], []),
        (False, 0, set(), [], [URL]),
    ],
    ids=["pywebview", "pywebview cannot draw", "chromium", "edge", "any browser"],
)
def test_the_window(machine, webview, status, programs, started, opened):
    machine.webview, machine.programs, machine.status = webview, programs, status
    desktop.open_window(URL)
    assert (machine.started, machine.opened) == (started, opened)


@pytest.mark.parametrize("argv", [[], ["file:///etc/passwd"], ["javascript:alert(1)"]])
def test_only_a_servers_address_is_shown(monkeypatch, argv):
    monkeypatch.setitem(sys.modules, "webview", SimpleNamespace())
    assert desktop.main(argv) == 2


def test_the_window_shows_the_address(monkeypatch):
    shown = []
    monkeypatch.setitem(sys.modules, "webview", SimpleNamespace(
        settings={}, start=lambda: shown.append("started"),
        create_window=lambda title, url, **_: shown.append((title, url))))  # fmt: skip
    assert desktop.main([URL]) == 0
    assert shown == [("COEF-VQ Review", URL), "started"]


def test_the_manifest_makes_the_pages_installable():
    manifest = json.loads((STATIC / "manifest.webmanifest").read_text())
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == (
        "/", "/", "standalone")  # fmt: skip
    sizes = {icon["sizes"] for icon in manifest["icons"]}
    assert {"192x192", "512x512"} <= sizes
    for icon in manifest["icons"]:
        data = (STATIC / icon["src"]).read_bytes()
        if icon["type"] == "image/png":
            assert f"{struct.unpack('>I', data[16:20])[0]}x" in icon["sizes"]


def test_every_page_names_the_manifest_and_keeps_nothing_offline():
    tags = head("base.css")
    assert 'rel="manifest"' in tags and 'name="theme-color"' in tags
    scripts = "".join(path.read_text() for path in STATIC.glob("*.js"))
    assert "serviceWorker" not in scripts
