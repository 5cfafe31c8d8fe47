"""Lines over numbers, shares or time, with bands of uncertainty and named points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coefvq.plots.axis import Axis, drawable
from coefvq.plots.frame import LETTER, PAPER, Frame, document, label, legend, tone, words

FOOT = 38
DOTS_UP_TO = 40
"""Points up to which each is drawn; beyond it they can only be pointed at."""


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        name: In the legend; an empty one is not listed.
        points: (x, y), x rising. A ``None`` or not finite y leaves a gap.
        tone: 0..4; 4 is grey.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    tone: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class Band:
    """An area between (x, low, high), x rising, such as a line's 95 % interval."""

    points: Sequence[tuple[float, float | None, float | None]]
    tone: int = 0


@dataclass(frozen=True)
class Mark:
    """A named point; without ``y`` a named moment, drawn over the whole height."""

    x: float
    y: float | None
    text: str
    tone: int = 1


def line_chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    bands: Sequence[Band] = (),
    marks: Sequence[Mark] = (),
    title: str,
    describe: str,
    width: float = 460,
    height: float = 260,
) -> str:
    """Draw lines.

    Points can be pointed at: each says its line's name and both its values. Without any point that
    can be drawn, the plot says so in words.

    Args:
        title: What the plot shows, a few words.
        describe: What a person who does not see it should know: ranges, n, intervals, time.
        width: Pixels; it shrinks with its surroundings.
        height: Pixels without the legend.

    Returns:
        An ``<svg>`` element as text, escaped throughout.
    """
    named = [(line.name, line.tone, line.dashed) for line in lines if line.name]
    head, high = legend(named if len(named) > 1 else [], width)
    tall = height + high
    frame = Frame.around(x, y, width, tall, high, FOOT)
    drawn = [_line(frame, line) for line in reversed(lines)]
    body = [head, frame.grid(), *(_band(frame, band) for band in bands), *drawn]
    body += [_mark(frame, mark) for mark in marks]
    if not any(drawn):
        body.append(frame.empty())
    return document(body, width, tall, title, describe)


def _runs(points: Iterable[tuple[float | None, ...]]) -> Iterator[list[tuple[float, ...]]]:
    """Stretches without a gap."""
    run: list[tuple[float, ...]] = []
    for point in points:
        if all(drawable(value) for value in point):
            run.append(tuple(float(value) for value in point if value is not None))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _line(frame: Frame, line: Line) -> str:
    colour, dashes = tone(line.tone), ";stroke-dasharray:4 3" if line.dashed else ""
    runs = list(_runs(line.points))
    path = "".join(
        "M" + "L".join(f"{frame.across(px):.1f} {frame.up(py):.1f}" for px, py in run)
        for run in runs
        if len(run) > 1
    )
    points = [point for run in runs for point in run]
    if not points:
        return ""
    style = f"fill:none;stroke:{colour};stroke-width:2;stroke-linejoin:round{dashes}"
    strokes = f'<path d="{path}" style="{style}"/>' if path else ""
    return strokes + _dots(frame, line, points, colour)


def _dots(frame: Frame, line: Line, points: list[tuple[float, ...]], colour: str) -> str:
    assert frame.x is not None
    seen = len(points) <= DOTS_UP_TO
    found = []
    for px, py in points:
        at = f'cx="{frame.across(px):.1f}" cy="{frame.up(py):.1f}"'
        says = words(f"{line.name + ': ' if line.name else ''}{_pair(frame, px, py)}")
        dot = f'<circle {at} r="2.5" style="fill:{colour}"/>' if seen else ""
        found.append(f'{dot}<circle {at} r="7" data-x="{px:g}"><title>{says}</title></circle>')
    return f'<g style="fill:transparent" data-line="{words(line.name)}">{"".join(found)}</g>'


def _pair(frame: Frame, px: float, py: float) -> str:
    assert frame.x is not None
    across, up = frame.x, frame.y
    first = across.write(px) if across.kind == "time" else f"{across.label} {across.write(px)}"
    return f"{first}, {up.label} {up.write(py)}"


def _band(frame: Frame, band: Band) -> str:
    found = []
    for run in _runs(band.points):
        top = [f"{frame.across(px):.1f} {frame.up(high):.1f}" for px, _, high in run]
        below = [f"{frame.across(px):.1f} {frame.up(low):.1f}" for px, low, _ in reversed(run)]
        found.append(f"M{'L'.join([*top, *below])}Z")
    style = f"fill:{tone(band.tone)};fill-opacity:.16;stroke:none"
    return f'<path d="{"".join(found)}" style="{style}"/>' if found else ""


def _mark(frame: Frame, mark: Mark) -> str:
    if not drawable(mark.x):
        return ""
    at, colour = frame.across(mark.x), tone(mark.tone)
    fits = at + 10 + LETTER * len(mark.text) < frame.width
    place, anchor = (at + 8, "start") if fits else (at - 8, "end")
    if mark.y is None or not drawable(mark.y):
        rule = f'<path d="M{at:.1f} {frame.top:.1f}V{frame.bottom:.1f}" '
        rule += f'style="stroke:{colour};stroke-width:1.5;stroke-dasharray:2 3"/>'
        return rule + label(place, frame.top + 11, mark.text, anchor)
    up = frame.up(mark.y)
    dot = f'<circle cx="{at:.1f}" cy="{up:.1f}" r="4.5" '
    dot += f'style="fill:{colour};stroke:{PAPER};stroke-width:2"><title>{words(mark.text)}'
    low = up + 18 if up < (frame.top + frame.bottom) / 2 else up - 10
    return f"{dot}</title></circle>{label(place, low, mark.text, anchor)}"
