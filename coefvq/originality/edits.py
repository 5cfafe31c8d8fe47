"""The kinds of edit that a match may name, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterable

EDITS = (
    "mirror",
    "rotate",
    "crop",
    "letterbox",
    "border",
    "speed",
    "recolour",
    "brightness",
    "overlay",
    "picture_in_picture",
    "re_encode",
    "excerpt",
    "sound_replaced",
    "picture_replaced",
)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the known names among ``names``, each once, in the order of ``EDITS``."""
    found = set(names)
    return tuple(name for name in EDITS if name in found)
