"""``coefvq serve``."""

from __future__ import annotations

import subprocess
import sys

import click

from coefvq.settings import load_settings


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address; other than loopback only with users.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=7860, show_default=True)
@click.option("--desktop", is_flag=True, help="Open a window on it.")
@click.option("--demo", "with_demo", is_flag=True, help="Make the demo library at first start.")
def serve(host: str, port: int, desktop: bool, with_demo: bool) -> None:
    """Serve the review app until stopped."""
    settings = load_settings()
    from reviewer_ui.serve import serve as serve_pages

    builder = _build_demo() if with_demo else None
    try:
        serve_pages(settings, host, port, desktop=desktop)
    finally:
        if builder is not None:
            builder.terminate()


def _build_demo() -> subprocess.Popen[bytes]:
    """Make the clips in a process of their own: the page is up while they come in.

    It adds nothing where the demo library was made before.
    """
    return subprocess.Popen([sys.executable, "-m", "coefvq", "demo", "--build-only"])
