"""In which language a video speaks, as far as its words tell."""

from __future__ import annotations

import re

from coefvq.signals.language import is_foreign

ENGLISH, OTHER = "en", "other"
_FEWEST_WORDS = 5
_WORD = re.compile(r"[^\W\d_]{2,}")


def language_of(*texts: str | None) -> str | None:
    """``en``, ``other`` for what is confidently not English, ``None`` where the words are too few.

    Args:
        texts: Title, caption, speech; hostile.
    """
    text = "\n".join(part for part in texts if part)
    if not text:
        return None
    if is_foreign(text):
        return OTHER
    return ENGLISH if len(_WORD.findall(text)) >= _FEWEST_WORDS else None
