"""Evidence in time: one row a modality, each mark a button that takes the player there."""

from __future__ import annotations

from collections.abc import Iterable

from coefvq.domain import Evidence, Modality, TimedText
from coefvq.review.views import CaseView
from reviewer_ui.markup import Markup, clock, h, join, time_link

ROW_NAMES = {
    Modality.SPEECH: "speech",
    Modality.SCREEN_TEXT: "on screen",
    Modality.VISUAL: "picture",
    Modality.AUDIO: "sound",
    Modality.COPY: "copy",
}
"""Rows in the order in which they are drawn; the caption has no place in time."""

SOURCE_NAMES = {**ROW_NAMES, Modality.CAPTION: "title, caption"}
LEAST_SHARE = 0.012
"""A mark is at least this share of the row wide, so that it can be hit."""


def leaning(weight: float | None) -> str:
    """Whether evidence speaks for a violation, against it, or is merely there."""
    if weight is None or abs(weight) < 1e-3:
        return "neutral"
    return "for" if weight > 0 else "against"


LEANING_WORDS = {"for": "speaks for a violation", "against": "speaks against", "neutral": "noted"}


def place(start_s: float, end_s: float, duration_s: float) -> str:
    """CSS position of an interval, as shares of the row; never beyond its ends."""
    length = max(duration_s, 1e-6)
    left = min(max(start_s / length, 0.0), 1.0 - LEAST_SHARE)
    width = min(max((end_s - start_s) / length, LEAST_SHARE), 1.0 - left)
    return f"left:{left * 100:.2f}%;width:{width * 100:.2f}%"


def _span(line: TimedText, duration_s: float) -> Markup:
    return h('<span class="there" style="{}"></span>', place(line.start_s, line.end_s, duration_s))


def _mark(item: Evidence, duration_s: float) -> Markup:
    lean = leaning(item.weight)
    said = f"{clock(item.start_s)} {LEANING_WORDS[lean]}: {item.quote or item.detail}"
    return h(
        '<button type="button" class="mark {}" style="{}" data-start="{}" data-end="{}"'
        ' title="{}" aria-label="{}"></button>',
        lean,
        place(item.start_s, item.end_s, duration_s),
        f"{item.start_s:.2f}",
        f"{item.end_s:.2f}",
        said,
        said,
    )


def _row(name: str, there: Iterable[TimedText], marks: list[Evidence], length: float) -> Markup:
    inner = join(_span(line, length) for line in there) + join(_mark(m, length) for m in marks)
    return h('<div class="lane"><span class="lane-name">{}</span><div class="rail">{}</div></div>',
             name, inner)  # fmt: skip


def timeline(case: CaseView) -> Markup:
    """Render the rows. Speech and screen text show where there is any, under the evidence."""
    length = case.video.duration_s or 0.0
    there = {Modality.SPEECH: case.transcript or (), Modality.SCREEN_TEXT: case.screen_text or ()}
    rows = []
    for modality, name in ROW_NAMES.items():
        marks = [item for item in case.evidence if item.modality == modality]
        if modality is Modality.COPY and not marks:
            continue
        rows.append(_row(name, there.get(modality, ()), marks, length))
    return h('<div class="lanes">{}<div class="cursor" aria-hidden="true"></div></div>', join(rows))


def evidence_list(case: CaseView) -> Markup:
    """Render both stages' evidence as rows: when, where from, what, and how much it weighs."""
    if not case.evidence:
        return h('<h2>Evidence</h2><p class="muted">Neither stage named any.</p>')
    rows = join(_evidence_row(item) for item in case.evidence)
    return h('<h2>Evidence <span class="muted count">{}</span></h2><ol class="evidence">{}</ol>',
             len(case.evidence), rows)  # fmt: skip


def _evidence_row(item: Evidence) -> Markup:
    lean = leaning(item.weight)
    timed = item.modality != Modality.CAPTION
    when = time_link(item.start_s, item.end_s) if timed else h('<span class="muted">–</span>')
    quote = h("<q>{}</q> ", item.quote) if item.quote else ""
    weight = "" if item.weight is None else f"{item.weight:+.2f}"
    return h(
        '<li class="{}"><span class="when">{}</span><span class="source">{}</span>'
        '<span class="what" title="{}">{}<span class="muted">{}</span></span>'
        '<span class="weight">{}<span class="hidden"> {}</span></span></li>',
        lean,
        when,
        SOURCE_NAMES[item.modality],
        f"{item.quote or ''} {item.detail}".strip(),
        quote,
        item.detail,
        weight,
        LEANING_WORDS[lean],
    )
