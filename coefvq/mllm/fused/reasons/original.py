"""From a quote of sanitised text back to the words that its uploader wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from coefvq.mllm.backend import MllmInput
from coefvq.mllm.fused.reasons.lines import PromptLine, in_time, second
from coefvq.mllm.rationale import MAX_QUOTE
from coefvq.mllm.sanitise import sanitise

_PIECE = re.compile("\u202e[^\u202a-\u202e\u2066-\u2069\n\r]*\u202c?|\\S+")


@dataclass(frozen=True)
class Original:
    """A text as it was before sanitising, with its seconds; posted text stands at 0."""

    text: str
    start_s: float
    end_s: float


def original_quote(
    quote: str, line: PromptLine, item: MllmInput, reserved: Sequence[str]
) -> Original | None:
    """The span of a line's source whose sanitised form is the quote.

    Returns:
        Verbatim from title, caption, one recognised line or neighbouring ones joined by a space;
        ``None`` where there is none of at most ``MAX_QUOTE`` characters.
    """
    for source in sources_of(line, item):
        found = find_original(quote, source.text, reserved)
        if found is not None:
            return replace(source, text=found)
    return None


def sources_of(line: PromptLine, item: MllmInput) -> list[Original]:
    """The texts that a line of a prompt can stem from, single ones before joined ones."""
    if line.place in ("title", "caption"):
        return [Original(getattr(item.posted, line.place) or "", 0.0, 0.0)]
    signals = item.expensive
    timed = in_time(signals.speech if line.place == "speech" else signals.screen_text)
    end_s = max(line.start_s, line.end_s)  # the start where the end is not a number
    near = [
        Original(one.text.strip(), second(one.start_s), one.end_s)
        for one in timed
        if line.start_s <= second(one.start_s) <= end_s
    ]
    if line.place == "screen text":  # what stands still is read again and again, but shown once
        near = list({one.text.lower(): one for one in reversed(near)}.values())[::-1]
    joined = " ".join(one.text for one in near)
    return [*near, Original(joined, line.start_s, line.end_s)]


def find_original(quote: str, source: str, reserved: Sequence[str]) -> str | None:
    """The first span of ``source`` whose sanitised form is ``quote``."""
    plain = re.search(rf"(?<!\S){re.escape(quote)}(?!\S)", source)
    if plain and sanitise(plain[0], reserved) == quote:
        return quote
    wanted = quote.split()
    clean = list(_clean_words(source, reserved))
    for at in range(len(clean) - len(wanted) + 1):
        span = clean[at : at + len(wanted)]
        if [word for word, _, _ in span] == wanted:
            text = source[span[0][1] : span[-1][2]]
            if len(text) <= MAX_QUOTE and sanitise(text, reserved) == quote:
                return text
    return None


def _clean_words(source: str, reserved: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Sanitised words, each with the span of the piece of the source that it stands in."""
    for piece in _PIECE.finditer(source):
        text = piece[0]
        plain = text.isascii() and text.isalnum() and len(text) <= 6
        for word in [text] if plain else sanitise(text, reserved).split():
            yield word, piece.start(), piece.end()
