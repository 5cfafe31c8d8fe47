"""Signals that a platform already has: one JSON object an item, checked field by field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from coefvq.domain import ExpensiveSignals, PostedText, TimedText
from coefvq.errors import CoefVQError, did_you_mean

FIELDS = ("id", "title", "caption", "speech", "screen_text")
EXTRACTOR = "given"


class SignalsError(CoefVQError):
    """A line that does not follow the format."""

    code = "bad_signals"


@dataclass(frozen=True)
class SignalsItem:
    """One line: its id, what was posted, what was said and shown."""

    id: str
    posted: PostedText
    expensive: ExpensiveSignals


def item_of(name: str, row: dict[str, Any]) -> SignalsItem:
    """Read one item.

    Args:
        name: What messages call it.

    Raises:
        SignalsError: A field is unknown or does not fit.
    """
    for key in row:
        if key not in FIELDS:
            raise SignalsError(f"item {name}: unknown field '{key}'.{did_you_mean(key, FIELDS)}")
    posted = PostedText(_text(name, row, "title"), _text(name, row, "caption"))
    speech = _lines(name, row, "speech")
    return SignalsItem(
        name,
        posted,
        ExpensiveSignals(EXTRACTOR, speech=speech, screen_text=_lines(name, row, "screen_text")),
    )


def _text(name: str, row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise SignalsError(f"item {name}: '{key}' must be text or null")
    return value or None


def _lines(name: str, row: dict[str, Any], key: str) -> tuple[TimedText, ...] | None:
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, list):
        raise SignalsError(f"item {name}: '{key}' must be a list of lines with times")
    return tuple(_line(name, key, entry) for entry in value)


def _line(name: str, key: str, entry: Any) -> TimedText:
    try:
        start, end = float(entry["start_s"]), float(entry["end_s"])
        text = entry["text"]
    except (TypeError, KeyError, ValueError):
        raise SignalsError(f"item {name}: a line of '{key}' needs start_s, end_s, text") from None
    if not isinstance(text, str) or not (math.isfinite(start) and 0 <= start <= end < math.inf):
        raise SignalsError(f"item {name}: a line of '{key}' needs text and 0 <= start_s <= end_s")
    return TimedText(start, end, text)
