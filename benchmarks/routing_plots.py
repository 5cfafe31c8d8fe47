"""Line plots as SVG by hand: small files, sharp at any size, light and dark by the reader's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 300, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 24, 38, 42
HEAD = 34
STYLE = """
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:var(--ink)}
.soft{fill:var(--soft)}.title{font-weight:600}
svg{--paper:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--rule:#dddcd8;
--c0:#2a78d6;--c1:#eb6834;--c2:#1baf7a;--c3:#4a3aa7;--c4:#898781}
@media(prefers-color-scheme:dark){svg{--paper:#1a1a19;--ink:#ffffff;--soft:#c3c2b7;--rule:#3a3937;
--c0:#3987e5;--c1:#d95926;--c2:#199e70;--c3:#9085e9;--c4:#8f8d86}}
"""


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        points: (x, y), x rising.
        colour: 0..4, the last one grey.
        dashes: SVG dash pattern; empty for a solid line.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    dashes: str = ""


@dataclass(frozen=True)
class Panel:
    """One plot; axes in percent.

    Attributes:
        marks: (name, x, y) of single points.
    """

    title: str
    x_title: str
    y_title: str
    lines: Sequence[Line]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    marks: Sequence[tuple[str, float, float]] = field(default=())

    def x(self, value: float) -> float:
        """Pixels from the left of the panel."""
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top of the panel."""
        low, high = self.y_range
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def figure(panels: Sequence[Panel], description: str) -> str:
    """Panels side by side under one legend of the lines of the first."""
    width, height = WIDTH * len(panels), HEIGHT + HEAD
    body = "".join(
        f'<g transform="translate({number * WIDTH},{HEAD})">{_panel(panel)}</g>'
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'width="{width}" height="{height}"><title>{escape(description)}</title>'
        f"<style>{STYLE}</style>"
        f'<rect width="{width}" height="{height}" rx="8" style="fill:var(--paper)"/>'
        f"{_legend(panels[0].lines)}{body}</svg>\n"
    )


def _legend(lines: Sequence[Line]) -> str:
    parts, x = [], 16.0
    for line in lines:
        parts.append(
            f'<line x1="{x:.0f}" x2="{x + 22:.0f}" y1="20" y2="20" {_stroke(line)}/>'
            f'<text x="{x + 28:.0f}" y="24">{escape(line.name)}</text>'
        )
        x += 28 + 7.2 * len(line.name) + 18
    return "".join(parts)


def _stroke(line: Line) -> str:
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    return f'style="stroke:var(--c{line.colour})" stroke-width="2"{dashes}'


def _panel(panel: Panel) -> str:
    middle, foot = (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8
    words = (
        f'<text class="title" x="{LEFT}" y="14">{escape(panel.title)}</text>'
        f'<text class="soft" x="{LEFT}" y="28">{escape(panel.y_title)}</text>'
        f'<text class="soft" x="{middle:.0f}" y="{foot}" text-anchor="middle">'
        f"{escape(panel.x_title)}</text>"
    )
    lines = "".join(_line(panel, line) for line in reversed(panel.lines))
    marks = "".join(_mark(panel, *mark) for mark in panel.marks)
    return f"{words}{_grid(panel)}{lines}{marks}"


def _grid(panel: Panel) -> str:
    rows = (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{panel.y(t):.1f}" y2="{panel.y(t):.1f}" '
        f'style="stroke:var(--rule)"/>'
        f'<text class="soft" x="{LEFT - 6}" y="{panel.y(t) + 4:.1f}" '
        f'text-anchor="end">{t:g} %</text>'
        for t in panel.y_ticks
    )
    columns = (
        f'<text class="soft" x="{panel.x(t):.1f}" y="{HEIGHT - BOTTOM + 16}" '
        f'text-anchor="middle">{t:g} %</text>'
        for t in panel.x_ticks
    )
    return "".join([*rows, *columns])


def _line(panel: Panel, line: Line) -> str:
    inside = [p for p in line.points if panel.x_range[0] <= p[0] <= panel.x_range[1]]
    points = " ".join(f"{panel.x(x):.1f},{panel.y(y):.1f}" for x, y in inside)
    return f'<polyline points="{points}" fill="none" stroke-linejoin="round" {_stroke(line)}/>'


def _mark(panel: Panel, name: str, x: float, y: float) -> str:
    left, top = panel.x(x), panel.y(y)
    near_edge = left > WIDTH - 110
    place, anchor = (left, "middle") if near_edge else (left + 8, "start")
    height = top - 9 if near_edge else top + 16
    return (
        f'<circle cx="{left:.1f}" cy="{top:.1f}" r="4" '
        f'style="fill:var(--ink);stroke:var(--paper);stroke-width:2"/>'
        f'<text x="{place:.1f}" y="{height:.1f}" text-anchor="{anchor}">{escape(name)}</text>'
    )
