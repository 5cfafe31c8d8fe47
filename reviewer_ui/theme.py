"""Looks: Gradio's theme without outside fonts, and our own stylesheets and scripts."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import gradio as gr

from reviewer_ui.markup import Markup, h, join

STATIC = Path(__file__).parent / "static"
STATIC_PATH = "/ui"
EVERYWHERE = ("alarms.css", "alarms.js")
"""What the header of every page needs besides ``shared.js``."""
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
PAPER, PAPER_DARK = "#f4f6f9", "#12151b"
INK, INK_DARK = "#1a1f29", "#e7eaf0"


def gradio_theme() -> gr.themes.Base:
    """The plainest theme, in system fonts: the default one fetches its fonts from the web."""
    theme = gr.themes.Base(font=FONT, font_mono=MONO)
    return theme.set(
        body_background_fill=PAPER,
        body_background_fill_dark=PAPER_DARK,
        body_text_color=INK,
        body_text_color_dark=INK_DARK,
    )


@cache
def version(name: str) -> str:
    """Start of a static file's hash: a changed file gets a new address."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _address(name: str) -> str:
    return f"{STATIC_PATH}/{name}?v={version(name)}"


def head(*names: str) -> str:
    """Tags for the static files of a page, in their order; scripts run in that order."""
    tags = (
        h('<link rel="stylesheet" href="{}">', _address(name))
        if name.endswith(".css")
        else h('<script src="{}"></script>', _address(name))
        for name in (*names, *(EVERYWHERE if "shared.js" in names else ()))
    )
    return str(join([_app_tags(), *tags]))


def _app_tags() -> Markup:
    """What a browser needs to install the pages as an app. Nothing is kept for offline use:
    what a reviewer sees must not stay on the disk."""
    return h(
        '<link rel="manifest" href="{}" crossorigin="use-credentials"><link rel="icon" href="{}">'
        '<link rel="apple-touch-icon" href="{}">'
        '<meta name="theme-color" content="#ffffff" media="(prefers-color-scheme: light)">'
        '<meta name="theme-color" content="#1b1f28" media="(prefers-color-scheme: dark)">',
        _address("manifest.webmanifest"),
        _address("icon.svg"),
        _address("icon-192.png"),
    )
