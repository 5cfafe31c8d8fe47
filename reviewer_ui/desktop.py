"""A window of its own: pywebview where it is installed, else a browser without tabs.

pywebview must own its process's main thread, which is the server's here. So the window runs in a
process of its own: ``python -m reviewer_ui.desktop ADDRESS``.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import webbrowser
from urllib.parse import urlsplit

TITLE, SIZE = "COEF-VQ Review", (1360, 860)
WINDOWED = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge", "brave-browser")
"""Browsers that open a window without tabs and address bar when called with ``--app=``."""


def window_command(url: str) -> list[str] | None:
    """The command that shows the page in a window of its own; ``None`` where there is none."""
    if importlib.util.find_spec("webview") is not None:
        return [sys.executable, "-m", "reviewer_ui.desktop", url]
    for name in WINDOWED:
        if program := shutil.which(name):
            return [program, f"--app={url}"]
    return None


def open_window(url: str) -> None:
    """Show the page in a window of its own where that can be had, in a browser's tab elsewhere."""
    command = window_command(url)
    if command is None:
        webbrowser.open(url)
        return
    shown = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if command[0] == sys.executable and shown.wait() != 0:
        webbrowser.open(url)  # installed, but without anything to draw with


def main(argv: list[str]) -> int:
    """Show the address of a running server until the window is closed."""
    import webview  # type: ignore[import-not-found,unused-ignore]

    url = argv[0] if argv else ""
    if urlsplit(url).scheme not in {"http", "https"}:
        print("Usage: python -m reviewer_ui.desktop http://127.0.0.1:7860", file=sys.stderr)
        return 2
    webview.settings["OPEN_EXTERNAL_LINKS_IN_BROWSER"] = True
    webview.create_window(TITLE, url, width=SIZE[0], height=SIZE[1], min_size=(390, 600))
    webview.start()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
