"""What was said, shown and posted, with the evidence marked. All of it is hostile text."""

from __future__ import annotations

from collections.abc import Iterable

from coefvq.domain import TimedText
from coefvq.review.views import CaseView
from reviewer_ui.markup import NOTHING, Markup, escape, h, join, time_link


def spans(text: str, quotes: Iterable[str]) -> list[tuple[int, int]]:
    """Where quotes occur in a text (case ignored), merged and in order.

    Lengths that change under ``casefold`` would shift positions; ``lower`` is used where it
    keeps the length, and the text as it stands otherwise.
    """
    low = text.lower() if len(text.lower()) == len(text) else text
    found: list[tuple[int, int]] = []
    for quote in quotes:
        needle = quote.strip().lower()
        at = low.find(needle) if needle else -1
        while at >= 0:
            found.append((at, at + len(needle)))
            at = low.find(needle, at + len(needle))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def marked(text: str, quotes: Iterable[str]) -> Markup:
    """Escape a text and put ``<mark>`` around the quotes in it.

    A line that lies wholly inside a longer quote is marked as a whole.
    """
    wanted = list(quotes)
    bare = text.strip().lower()
    if len(bare) > 3 and any(bare in quote.lower() for quote in wanted):
        return h("<mark>{}</mark>", text)
    parts: list[Markup] = []
    at = 0
    for start, end in spans(text, wanted):
        parts += [escape(text[at:start]), h("<mark>{}</mark>", text[start:end])]
        at = end
    return join([*parts, escape(text[at:])])


def _line(line: TimedText, quotes: list[str], kind: str) -> Markup:
    tag = h('<span class="tag">screen</span> ') if kind == "screen" else NOTHING
    return h(
        '<li class="{}" data-start="{}" data-end="{}">{}<span class="said" dir="auto">{}{}</span>'
        "</li>",
        kind,
        f"{line.start_s:.2f}",
        f"{line.end_s:.2f}",
        time_link(line.start_s),
        tag,
        marked(line.text, quotes),
    )


def _missing(case: CaseView) -> Markup:
    """Say plainly what was not heard or read, and why."""
    if case.blind:
        return h('<p class="muted note">Speech and screen text show after your answer.</p>')
    notes = []
    if case.speech_understood is False:
        notes.append("Speech not understood by the recogniser: policies that need it say so.")
    if case.transcript is None:
        silent = case.video.has_audio is False
        notes.append("No sound track." if silent else "Speech was not listened to yet.")
    elif not case.transcript:
        notes.append("Nobody speaks.")
    if case.screen_text is None:
        notes.append("Screen text was not looked for yet.")
    elif not case.screen_text:
        notes.append("No text on screen.")
    return join(h('<p class="muted note">{}</p>', note) for note in notes)


def _posted(case: CaseView, quotes: list[str]) -> Markup:
    rows = (("title", case.video.title), ("caption", case.video.caption),
            ("file", case.video.original_name))  # fmt: skip
    cells = join(
        h('<div><dt>{}</dt><dd dir="auto">{}</dd></div>', name, marked(text, quotes))
        for name, text in rows
        if text
    )
    return h('<h2>Posted as</h2><dl class="posted">{}</dl>', cells)


def transcript(case: CaseView) -> Markup:
    """Render speech and screen text by time, then title, caption and file name."""
    quotes = [item.quote for item in case.evidence if item.quote]
    lines = [(line.start_s, _line(line, quotes, "speech")) for line in case.transcript or ()]
    lines += [(line.start_s, _line(line, quotes, "screen")) for line in case.screen_text or ()]
    ordered = join(markup for _, markup in sorted(lines, key=lambda pair: pair[0]))
    listing = h('<ol class="lines">{}</ol>', ordered) if lines else NOTHING
    return h(
        '<div class="head"><h2>Transcript and screen text</h2>'
        '<span class="muted follows">follows the time</span></div>{}{}{}',
        listing,
        _missing(case),
        _posted(case, quotes),
    )
