"""How figures are written: shares with their intervals, numbers, times covered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from reviewer_ui.markup import Markup, ago, h

Rate = Sequence[float] | None
UNKNOWN = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """``71.3 %``; an en dash where unknown."""
    if value is None:
        return UNKNOWN
    shown = f"{value * 100:.{digits}f}"
    exact = value in (0.0, 1.0)
    if not exact and float(shown) in (0.0, 100.0):  # never rounded to nothing, or to everything
        return f"< {10**-digits:g} %" if value < 0.5 else f"> {100 - 10**-digits:g} %"
    return f"{shown} %"


def middle(rate: Rate) -> str:
    """The value of a rate with its interval."""
    return UNKNOWN if rate is None or rate[0] is None else percent(rate[0])


def span(rate: Rate) -> str:
    """The interval of a rate: ``68.1 to 74.2 %``."""
    if rate is None or rate[1] is None or rate[2] is None:
        return ""
    return f"{rate[1] * 100:.1f} to {rate[2] * 100:.1f} %"


def number(value: float | None, digits: int = 0) -> str:
    """``12,345``; an en dash where unknown."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def lasting(seconds: float | None) -> str:
    """A sum of time in a fitting unit: ``84 ms``, ``2.4 s``, ``3.1 h``."""
    if seconds is None:
        return UNKNOWN
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def day(moment: float | None) -> str:
    """The UTC day of a time."""
    if moment is None:
        return UNKNOWN
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def covered(document: dict[str, Any]) -> str:
    """The time that a figure is about."""
    since, until = document.get("since"), document.get("until")
    if until is None:
        return ""
    return f"{day(since)} to {day(until)} (UTC)" if since is not None else f"to {day(until)} (UTC)"


def age(seconds: float | None) -> str:
    """How old figures are."""
    if seconds is None:
        return "never computed"
    return "computed just now" if seconds < 60 else f"computed {ago(seconds)} ago"


def left_out(document: dict[str, Any]) -> Markup:
    """What a figure is not about, with the reasons."""
    found = document.get("left_out") or {}
    if not found:
        return Markup("")
    words = "; ".join(f"{count:,} {reason}" for reason, count in found.items())
    return h('<p class="muted">Left out: {}.</p>', words)


def why(text: str | None) -> Markup:
    """What stands where a figure cannot be given."""
    return h('<p class="none">{}</p>', text or "Nothing is known of this time.")
