"""Shares with their number and interval, in words."""

from __future__ import annotations

from coefvq.review.rates import Rate
from reviewer_ui.markup import Markup, h


def percent(value: float | None) -> str:
    """Whole percent; one decimal below ten, never rounded to none or all."""
    if value is None:
        return "–"
    shown = value * 100
    if 0 < shown < 10 or 99 < shown < 100:
        return f"{min(max(shown, 0.1), 99.9):.1f} %"
    return f"{shown:.0f} %"


def rate(found: Rate, nothing: str = "no answers yet") -> Markup:
    """``92 % (46 of 50, interval 81 %–97 %)``; words where there is nothing to count."""
    if found.value is None:
        return h('<span class="muted">{}</span>', nothing)
    return h(
        '<span class="rate"><b>{}</b> <span class="muted">{} of {}, 95 %: {}–{}</span></span>',
        percent(found.value),
        found.hits,
        found.n,
        percent(found.low),
        percent(found.high),
    )


def number(value: float | None, low: float | None, high: float | None, why_not: str) -> Markup:
    """A coefficient with its interval, or why there is none."""
    if value is None:
        return h('<span class="muted">{}</span>', why_not or "not known")
    if low is None or high is None:
        return h('<span class="rate"><b>{}</b></span>', f"{value:.2f}")
    return h(
        '<span class="rate"><b>{}</b> <span class="muted">95 %: {} to {}</span></span>',
        f"{value:.2f}",
        f"{low:.2f}",
        f"{high:.2f}",
    )


def points(found: tuple[float, float, float] | None) -> Markup:
    """A difference of two shares with its interval, in percentage points."""
    if found is None:
        return h('<span class="muted">one of the two has no answers yet</span>')
    value, low, high = (f"{each * 100:+.1f}" for each in found)
    return h(
        '<span class="rate"><b>{} points</b> <span class="muted">95 %: {} to {}</span></span>',
        value,
        low,
        high,
    )
