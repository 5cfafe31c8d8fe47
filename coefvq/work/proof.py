"""Which of the spans found prove something, and each file once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from coefvq.domain import CopyMatch

LEAST_S = 2.0
"""What is left of a span must last so long, or be all of it."""
_SAME = 0.5
"""Two spans of one file are the same footage from this share of the shorter on."""

Spans = Sequence[tuple[float, float]]


def admissible(matches: Iterable[CopyMatch], void: Spans) -> list[CopyMatch]:
    """Cut out seconds that prove nothing, and drop what was found twice.

    Args:
        matches: Best first.
        void: Seconds of the video looked at, start and end.

    Returns:
        Best first. The same file under two names is there once, under the older name of equals.
    """
    kept: list[CopyMatch] = []
    for match in matches:
        left = _without(match, void)
        if left is not None and not any(_same(left, other) for other in kept):
            kept.append(left)
    return kept


def _without(match: CopyMatch, void: Spans) -> CopyMatch | None:
    """The longest part outside of the void, or nothing."""
    start, end = _longest_part(match.query_start_s, match.query_end_s, void)
    if (start, end) == (match.query_start_s, match.query_end_s):
        return match
    if end - start < LEAST_S:
        return None
    return replace(
        match,
        query_start_s=start,
        query_end_s=end,
        reference_start_s=match.reference_start_s + (start - match.query_start_s) * match.speed,
        reference_end_s=match.reference_end_s - (match.query_end_s - end) * match.speed,
    )


def _longest_part(start: float, end: float, void: Spans) -> tuple[float, float]:
    best, at = (start, start), start
    for first, last in sorted(void):
        if last <= at or first >= end:
            continue
        best = max(best, (at, max(first, at)), key=_length)
        at = last
    return max(best, (at, max(end, at)), key=_length)


def _length(span: tuple[float, float]) -> float:
    return span[1] - span[0]


def _same(one: CopyMatch, other: CopyMatch) -> bool:
    if one.sha256 != other.sha256 or (one.bank, one.reference) == (other.bank, other.reference):
        return False
    common = min(one.query_end_s, other.query_end_s) - max(one.query_start_s, other.query_start_s)
    shorter = min(one.query_end_s - one.query_start_s, other.query_end_s - other.query_start_s)
    return common >= _SAME * shorter
