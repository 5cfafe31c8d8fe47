"""Take the documentation's pictures of a running app: ``python tools/screenshots.py ADDRESS``.

The pictures go to ``docs/images``: Review in both themes and on a phone, and the library. The app
should serve the demo library (``coefvq demo``, then ``coefvq serve``); nothing is decided.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

DESK, PHONE = (1280, 720), (390, 844)
SHOTS = (
    ("review.png", "/", ".form", DESK, "light"),
    ("review-dark.png", "/", ".form", DESK, "dark"),
    ("review-phone.png", "/", ".form", PHONE, "light"),
    ("library.png", "/library", ".cv.ready", DESK, "light"),
)
"""File, path, what is there once the page is, size, theme."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def take(address: str, folder: Path, case: str | None) -> list[Path]:
    """Take all pictures.

    Args:
        address: Where the app runs.
        case: Id of the case to show; ``None``: the next one.
    """
    from playwright.sync_api import sync_playwright

    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    made = []
    with sync_playwright() as engine:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has no sandbox
        browser = engine.chromium.launch(executable_path=program, args=flags)
        for name, path, ready, (width, height), scheme in SHOTS:
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(address + path + (f"?case={case}" if case and path == "/" else ""))
            page.wait_for_selector(ready)
            page.wait_for_function("[...document.images].every(image => image.complete)")
            page.wait_for_timeout(500)  # fonts, and the poster of the video
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
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for path in take(args.address.rstrip("/"), args.out, args.case):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
