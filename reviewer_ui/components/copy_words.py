"""How a copy was edited, and which seconds match, in words."""

from __future__ import annotations

from collections.abc import Iterable

from coefvq.originality.edits import in_order
from coefvq.originality.words import EDIT_WORDS
from coefvq.review.copy_views import SpanView
from reviewer_ui.markup import clock

WAYS = {"picture": "picture", "sound": "sound"}


def edits(transform: Iterable[str], speed: float = 1.0) -> str:
    """Name the kinds of edit; ``unchanged`` where none was noticed.

    Args:
        speed: Seconds of the original that pass in a second of the copy.
    """
    words = [
        f"at {speed:.2f}× the speed" if kind == "speed" and speed > 0 else EDIT_WORDS[kind]
        for kind in in_order(transform)
    ]
    return ", ".join(words) or "unchanged"


def stretch(start_s: float, end_s: float) -> str:
    """Seconds as ``0:03–0:12``; one moment only where both are within the same second."""
    return clock(start_s) + (f"–{clock(end_s)}" if int(end_s) > int(start_s) else "")


def both(span: SpanView) -> str:
    """One span in both videos, in words."""
    here = stretch(span.query_start_s, span.query_end_s)
    there = stretch(span.reference_start_s, span.reference_end_s)
    return f"{here} here is {there} of the original"
