"""Bars with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coefvq.plots.axis import Axis, drawable
from coefvq.plots.frame import INK, LETTER, MUTED, Frame, document, tone, words, wrapped

_ROW = 13


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: Under it.
        value: Its height; ``None``: unknown, which is written in its place.
        low, high: Ends of its interval, drawn as a whisker where both are there.
        tone: 0..4; 4 is grey.
        note: Said to whoever points at it, such as ``n = 40``.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    tone: int = 0
    note: str = ""


def bar_chart(
    bars: Sequence[Bar],
    y: Axis,
    *,
    title: str,
    describe: str,
    width: float = 460,
    height: float = 260,
) -> str:
    """Draw bars from the axis's low end up.

    Args:
        title: What the plot shows, a few words.
        describe: What a person who does not see it should know: values, n, intervals, time.
        width: Pixels; it shrinks with its surroundings.

    Returns:
        An ``<svg>`` element as text, escaped throughout.
    """
    # As in ``Frame.around``: the room for a bar is known before the rows of its name are.
    room = (width - 14 - 12 - 4 * LETTER) / max(1, len(bars))
    names = [wrapped(bar.name, room - 4) for bar in bars]
    foot = 10 + _ROW * max((len(rows) for rows in names), default=1)
    frame = Frame.around(None, y, width, height, 0, foot)
    body = [frame.grid()]
    step = (frame.right - frame.left) / max(1, len(bars))
    for number, (bar, rows) in enumerate(zip(bars, names, strict=True)):
        middle = frame.left + (number + 0.5) * step
        body += [_bar(frame, bar, middle, min(46.0, step * 0.62)), _name(frame, rows, middle)]
    if not any(drawable(bar.value) for bar in bars):
        body.append(frame.empty())
    return document(body, width, height, title, describe)


def _bar(frame: Frame, bar: Bar, middle: float, wide: float) -> str:
    if bar.value is None or not drawable(bar.value):
        words_at = f'x="{middle:.1f}" y="{frame.bottom - 6:.1f}" text-anchor="middle"'
        return f'<text {words_at} style="fill:{MUTED}">–<title>{_says(frame, bar)}</title></text>'
    top = frame.up(bar.value)
    box = f'x="{middle - wide / 2:.1f}" y="{top:.1f}" width="{wide:.1f}" '
    box += f'height="{max(1.0, frame.bottom - top):.1f}" rx="2"'
    style = f"fill:{tone(bar.tone)};fill-opacity:.85"
    says = f"<title>{_says(frame, bar)}</title>"
    return f'<rect {box} style="{style}">{says}</rect>{_whisker(frame, bar, middle)}'


def _whisker(frame: Frame, bar: Bar, middle: float) -> str:
    if bar.low is None or bar.high is None or not (drawable(bar.low) and drawable(bar.high)):
        return ""
    low, high = frame.up(bar.low), frame.up(bar.high)
    path = f"M{middle:.1f} {low:.1f}V{high:.1f}M{middle - 4:.1f} {low:.1f}h8"
    path += f"M{middle - 4:.1f} {high:.1f}h8"
    return f'<path d="{path}" style="fill:none;stroke:{INK};stroke-width:1.4"/>'


def _says(frame: Frame, bar: Bar) -> str:
    value = "unknown" if bar.value is None or not drawable(bar.value) else frame.y.write(bar.value)
    span = ""
    if bar.low is not None and bar.high is not None:
        span = f" ({frame.y.write(bar.low)} to {frame.y.write(bar.high)})"
    return words(f"{bar.name}: {value}{span}{', ' + bar.note if bar.note else ''}")


def _name(frame: Frame, rows: Sequence[str], middle: float) -> str:
    texts = "".join(
        f'<tspan x="{middle:.1f}" y="{frame.bottom + 14 + _ROW * number:.1f}">{words(row)}</tspan>'
        for number, row in enumerate(rows)
    )
    return f'<text text-anchor="middle" style="fill:{MUTED}">{texts}</text>'
