"""What all plots share: tones, the frame with its axes, the legend, the SVG around it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from coefvq.plots.axis import Axis

TONES = (
    "var(--accent,#3553d4)",
    "var(--unsure,#a65300)",
    "var(--against,#1f7a38)",
    "var(--second,#6a35c9)",
    "var(--muted,#5a6375)",
)
"""Colours of the pages' stylesheet; the last one is for what is only to compare with."""
INK, MUTED = "var(--ink,#1a1f29)", "var(--muted,#5a6375)"
RULE, PAPER = "var(--line,#dfe4ec)", "var(--card,#ffffff)"
FONT = "12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
LETTER = 6.6
"""About how wide a letter is, pixels."""
NOTHING = "Nothing to draw in this time."
_ROW = 16
_WELL_FORMED = {code: " " for code in range(32)} | {0xFFFE: " ", 0xFFFF: " ", 127: " "}
_WELL_FORMED |= {code: " " for code in range(0xD800, 0xE000)}


def words(text: object) -> str:
    """Escape a text, and take out what no XML file may hold."""
    return escape(str(text).translate(_WELL_FORMED))


def tone(number: int) -> str:
    """The colour of a tone; numbers beyond the last begin again."""
    return TONES[number % len(TONES)]


@dataclass(frozen=True)
class Frame:
    """Where things stand, in pixels from the upper left corner."""

    x: Axis | None
    y: Axis
    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(
        cls, x: Axis | None, y: Axis, width: float, height: float, head: float, foot: float
    ) -> Frame:
        """Leave room for a legend of ``head``, labels of ``foot``, and the ticks of ``y``."""
        longest = max((len(text) for _, text in y.ticks()), default=1)
        left = 12 + LETTER * max(3, longest)
        return cls(x, y, width, height, left, head + 20, width - 14, height - foot)

    def across(self, value: float) -> float:
        """Pixels from the left."""
        assert self.x is not None
        return self.left + self.x.place(value) * (self.right - self.left)

    def up(self, value: float) -> float:
        """Pixels from the top."""
        return self.bottom - self.y.place(value) * (self.bottom - self.top)

    @property
    def middle(self) -> float:
        """Half way between left and right."""
        return (self.left + self.right) / 2

    def grid(self) -> str:
        """Rules and ticks of ``y``, its label above; ticks of ``x`` and its label below."""
        rules, texts = [], []
        for value, text in self.y.ticks(5):
            at = self.up(value)
            rules.append(f"M{self.left:.1f} {at:.1f}H{self.right:.1f}")
            texts.append(_text(self.left - 6, at + 4, text, "end"))
        texts.append(_text(2, self.top - 8, self.y.label))
        texts += self._below()
        return (
            f'<path d="{"".join(rules)}" style="stroke:{RULE};fill:none"/>'
            f'<g style="fill:{MUTED}">{"".join(texts)}</g>'
        )

    def _below(self) -> list[str]:
        if self.x is None:
            return []
        found = []
        for value, text in self.x.ticks(max(2, int((self.right - self.left) // 62))):
            half = 0.6 * LETTER * len(text)
            at = min(max(self.across(value), half), self.width - half)
            found.append(_text(at, self.bottom + 15, text, "middle"))
        return [*found, _text(self.middle, self.bottom + 31, self.x.label, "middle")]

    def empty(self) -> str:
        """Words in the middle, where there is nothing to draw."""
        at = (self.top + self.bottom) / 2
        return f'<g style="fill:{INK}">{_text(self.middle, at, NOTHING, "middle")}</g>'


def _text(x: float, y: float, text: str, anchor: str = "") -> str:
    end = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{end}>{words(text)}</text>'


def label(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    """A text that stays readable over lines."""
    style = f"fill:{colour};stroke:{PAPER};stroke-width:3px;paint-order:stroke"
    return f'<g style="{style}">{_text(x, y, text, anchor)}</g>'


def wrapped(text: str, width: float, rows: int = 3) -> list[str]:
    """A text in rows of at most ``width`` pixels; the last one ends in "…" where it is cut."""
    letters = max(4, int(width / LETTER))
    flat = text.replace("_", " ").strip() or "–"
    return textwrap.wrap(flat, letters, max_lines=rows, placeholder="…") or [flat[:letters]]


def legend(entries: Sequence[tuple[str, int, bool]], width: float) -> tuple[str, float]:
    """A legend over the plot, of (name, tone, dashed); returns it and how high it is."""
    parts, x, y = [], 4.0, 12.0
    for name, number, dashed in entries:
        wide = 26 + LETTER * len(name) + 14
        if x > 4 and x + wide > width:
            x, y = 4.0, y + _ROW
        dashes = ";stroke-dasharray:4 3" if dashed else ""
        parts.append(
            f'<path d="M{x:.1f} {y - 4:.1f}h18" '
            f'style="stroke:{tone(number)};stroke-width:2.5{dashes}"/>'
            f'<g style="fill:{INK}">{_text(x + 23, y, name)}</g>'
        )
        x += wide
    return "".join(parts), (y + 6 if entries else 0.0)


def document(body: Iterable[str], width: float, height: float, title: str, describe: str) -> str:
    """The SVG, which shrinks with a narrow page."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" '
        f'style="max-width:100%;height:auto;font:{FONT}">'
        f"<title>{words(title)}</title><desc>{words(describe)}</desc>"
        f'<rect width="{width:g}" height="{height:g}" style="fill:{PAPER}"/>'
        f"{''.join(body)}</svg>"
    )
