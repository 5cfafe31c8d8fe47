"""Take the documentation's pictures of a running app: ``python tools/screenshots.py ADDRESS``.

The pictures go to ``docs/images``. Review and the library show the demo library (``coefvq demo``,
then ``coefvq serve``). Insights and Routing show simulated traffic, which their captions say:
``python -m benchmarks.insights_load --videos 4000 --home DIR``, then ``COEFVQ_HOME=DIR coefvq
serve``, and ``--only insights routing`` here. Nothing is decided.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

DESK, TALL, PHONE = (1280, 720), (1280, 1160), (390, 844)
SHOTS = (
    ("review.png", "/", ".form", DESK, "light"),
    ("review-dark.png", "/", ".form", DESK, "dark"),
    ("review-phone.png", "/", ".form", PHONE, "light"),
    ("library.png", "/library", ".cv.ready", DESK, "light"),
    ("insights.png", "/insights", "#operating-curve", TALL, "light"),
    ("insights-dark.png", "/insights", "#operating-curve", TALL, "dark"),
    ("admin.png", "/admin", "#users-table", DESK, "light"),
)
"""File, path, what is there once the page is, size, theme."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def take(
    address: str, folder: Path, case: str | None = None, only: Sequence[str] = ()
) -> list[Path]:
    """Take the pictures.

    Args:
        address: Where the app runs.
        case: Id of the case to show; ``None``: the next one.
        only: Starts of file names; empty: all.
    """
    from playwright.sync_api import sync_playwright

    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    made = []
    with sync_playwright() as engine:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has no sandbox
        browser = engine.chromium.launch(executable_path=program, args=flags)
        wanted = [shot for shot in SHOTS if not only or shot[0].startswith(tuple(only))]
        for name, path, ready, (width, height), scheme in wanted:
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(address + path + (f"?case={case}" if case and path == "/" else ""))
            page.wait_for_selector(ready, state="attached")
            page.wait_for_function("[...document.images].every(image => image.complete)")
            page.wait_for_timeout(1500)  # fonts, the poster, what pages ask for later
            made.append(folder / name)
            page.screenshot(path=made[-1])
            page.close()
        browser.close()
    return made


def main() -> int:
    """Read the command line, take the pictures, name the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:7860")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--case", help="id of the case to show")
    parser.add_argument("--only", nargs="*", default=[], help="starts of file names")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for path in take(args.address.rstrip("/"), args.out, args.case, args.only):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
