"""The real media inside the installed gradio package."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from coefvq.errors import MediaError

_KINDS = ("videos", "images", "audio", "models3d")


@cache
def media_assets() -> Path:
    """The package's folder of media, found without importing gradio.

    Raises:
        MediaError: If gradio is not installed.
    """
    spec = find_spec("gradio")
    if spec is None or spec.origin is None:
        raise MediaError(
            "The demo library is made from media of the gradio package, which is not installed. "
            "Run `make setup`.",
            code="demo_source_missing",
        )
    return Path(spec.origin).parent / "media_assets"


def source(name: str) -> Path:
    """Find one file of the package by its name.

    Raises:
        MediaError: If this version of gradio does not have it.
    """
    for kind in _KINDS:
        path = media_assets() / kind / name
        if path.is_file():
            return path
    raise MediaError(
        f"The installed gradio package has no media file '{name}', which the demo library is made "
        "from. Run `make setup` to install the pinned version.",
        code="demo_source_missing",
    )
