"""Text from outside, made storable. It stays hostile: whoever shows it escapes it."""

from __future__ import annotations

MAX_LINE = 300
MAX_TEXT = 10_000


def storable(text: str | None, limit: int = MAX_TEXT) -> str | None:
    """Drop what databases refuse (NUL, lone surrogates) and cut to ``limit`` characters.

    Empty text becomes ``None``: nothing was typed.
    """
    if text is None:
        return None
    clean = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
    return clean[:limit] or None
