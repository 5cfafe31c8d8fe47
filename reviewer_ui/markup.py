"""Escaped HTML from Python, and how times and numbers are written.

Every fragment is made with :func:`h`, which escapes each argument. Gradio's own templates see
none of it: there ``{{value}}`` is compiled into a JavaScript template literal, so that a title
``${…}`` would run, and ``${value}`` inserts raw markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from markupsafe import Markup, escape

NOTHING = Markup("")


def h(template: str, /, *args: object, **values: object) -> Markup:
    """Fill a constant ``str.format`` template with escaped values (``Markup`` stays as it is)."""
    return Markup(template).format(*args, **values)


def join(parts: Iterable[object], separator: str = "") -> Markup:
    """Escape and join."""
    return Markup(separator).join(escape(part) for part in parts)


def attribute(name: str, on: object) -> Markup:
    """A boolean attribute with a leading space, or nothing."""
    return Markup(" " + name) if on else NOTHING


def clock(seconds: float | None) -> str:
    """Seconds as ``m:ss`` (``h:mm:ss`` from an hour); an em dash where unknown."""
    if seconds is None:
        return "–"
    whole = int(max(0.0, seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def ago(seconds: float | None) -> str:
    """A waiting time in its largest unit: ``18 min``, ``3 h``, ``2 d``."""
    if seconds is None:
        return "–"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(0.0, seconds))} s"


def took(milliseconds: float) -> str:
    """A running time: ``84 ms`` or, from a second, ``2.4 s``."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def probability(value: float | None) -> str:
    """Two decimals, never rounded up to certainty."""
    if value is None:
        return "–"
    return f"{min(max(value, 0.0), 0.99 if value < 1 else 1.0):.2f}"


def stamp(moment: datetime) -> Markup:
    """A UTC time as an element that says which zone it means."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    text = moment.astimezone(UTC)
    return h('<time datetime="{}">{} UTC</time>', text.isoformat(), text.strftime("%Y-%m-%d %H:%M"))


def kbd(key: str, *, silent: bool = True) -> Markup:
    """A key cap; ``silent`` ones are for eyes only, beside ``aria-keyshortcuts``."""
    return h("<kbd{}>{}</kbd>", Markup(' aria-hidden="true"') if silent else NOTHING, key)


def time_link(start_s: float, end_s: float | None = None) -> Markup:
    """A button that takes the player to a time."""
    shown = clock(start_s)
    if end_s is not None and int(end_s) > int(start_s):
        shown += "–" + clock(end_s)
    return h(
        '<button type="button" class="time" data-start="{}" data-end="{}">{}</button>',
        f"{start_s:.2f}",
        f"{(start_s if end_s is None else end_s):.2f}",
        shown,
    )


__all__ = [
    "NOTHING", "Markup", "ago", "attribute", "clock", "escape", "h", "join", "kbd",
    "probability", "stamp", "time_link", "took",
]  # fmt: skip
