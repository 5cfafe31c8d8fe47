"""The matched seconds as two bars on one scale, joined by bands. A click goes there."""

from __future__ import annotations

from coefvq.review.copy_views import CopyPair, SpanView
from reviewer_ui.components.copy_words import both
from reviewer_ui.markup import Markup, h, join

WIDE, HIGH = 1000, 22
"""The drawing's own units; the page stretches it."""

LEAST_SHARE = 0.008
"""A span is at least this share of its bar wide, so that it can be hit."""


def bars(pair: CopyPair, duration_s: float | None) -> Markup:
    """Draw the spans of a pair.

    Args:
        duration_s: Of the video looked at; where unknown, up to the last matched second.
    """
    spans = pair.spans
    here = duration_s or max(span.query_end_s for span in spans)
    there = pair.original.duration_s or max(span.reference_end_s for span in spans)
    scale = max(here, there, 1e-3)
    return h(
        '<div class="pair-lanes">{}<div class="pair-bands"><svg viewBox="0 0 {} {}"'
        ' preserveAspectRatio="none" aria-hidden="true">{}</svg></div>{}</div>',
        _lane("query", "here", here, scale,
              [(span.query_start_s, span.query_end_s, both(span)) for span in spans]),
        WIDE,
        HIGH,
        join(_band(number, span, scale) for number, span in enumerate(spans)),
        _lane("reference", "original", there, scale,
              [(span.reference_start_s, span.reference_end_s, both(span)) for span in spans]),
    )  # fmt: skip


def _lane(
    side: str, words: str, length: float, scale: float, marks: list[tuple[float, float, str]]
) -> Markup:
    buttons = join(
        h('<button type="button" class="pair-span" data-do="pair-span" data-span="{}" style="{}"'
          ' title="{}" aria-label="{}"{}></button>', number, _place(start, end, length), said,
          f"Go to: {said}", "" if side == "query" else Markup(' tabindex="-1"'))
        for number, (start, end, said) in enumerate(marks)
    )  # fmt: skip
    return h(
        '<div class="pair-lane"><span class="pair-lane-name">{}</span><div class="pair-whole">'
        '<div class="pair-rail" data-rail="{}" data-length="{}" style="width:{}%">{}'
        '<i class="pair-cursor" aria-hidden="true"></i></div></div></div>',
        words,
        side,
        f"{length:.3f}",
        f"{100 * length / scale:.3f}",
        buttons,
    )


def _place(start_s: float, end_s: float, length: float) -> str:
    length = max(length, 1e-6)
    left = min(max(start_s / length, 0.0), 1.0 - LEAST_SHARE)
    width = min(max((end_s - start_s) / length, LEAST_SHARE), 1.0 - left)
    return f"left:{left * 100:.2f}%;width:{width * 100:.2f}%"


def _band(number: int, span: SpanView, scale: float) -> Markup:
    top = (span.query_start_s, span.query_end_s)
    bottom = (span.reference_end_s, span.reference_start_s)
    points = [f"{WIDE * t / scale:.1f},0" for t in top]
    points += [f"{WIDE * t / scale:.1f},{HIGH}" for t in bottom]
    return h('<polygon data-do="pair-span" data-span="{}" points="{}"/>', number, " ".join(points))
