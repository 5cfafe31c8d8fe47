"""What prompts are made of: a video's texts as lines, and how fields share the room.

A field is first given its share (``SHARES``); what one field leaves over goes to the others in
proportion. A field that is still too long keeps evenly spread lines, from the first to the last;
a single line that is too long keeps two thirds of its room from its head and one third from its
tail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from coefvq.domain import Modality, TimedText
from coefvq.mllm.backend import MllmInput

SHARES = {"title": 0.12, "caption": 0.25, "speech": 0.43, "screen_text": 0.20}
FIELDS = tuple(SHARES)
HEADS = {"title": "title", "caption": "caption", "speech": "speech", "screen_text": "screen text"}
SYSTEM = "You moderate videos. Answer Yes or No for each rule."
PIECE_CHARS = 120

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


@dataclass(frozen=True)
class Line:
    """One piece of text that the model reads, and that a rationale can leave out.

    Attributes:
        field: ``title``, ``caption``, ``speech`` or ``screen_text``.
        raw: Verbatim from its source.
        start_s: Seconds; 0.0 for title and caption.
        end_s: Seconds; 0.0 for title and caption.
    """

    field: str
    raw: str
    start_s: float = 0.0
    end_s: float = 0.0

    @property
    def modality(self) -> Modality:
        """Title and caption both count as ``CAPTION``."""
        return Modality.CAPTION if self.field in ("title", "caption") else Modality(self.field)


def lines_of(item: MllmInput) -> list[Line]:
    """All lines of a video in prompt order."""
    return (
        posted_lines("title", item.posted.title)
        + posted_lines("caption", item.posted.caption)
        + timed_lines("speech", item.expensive.speech)
        + timed_lines("screen_text", item.expensive.screen_text)
    )


def posted_lines(field: str, text: str | None) -> list[Line]:
    """Cut a title or caption into pieces of about ``PIECE_CHARS`` at sentence ends."""
    return [Line(field, piece) for piece in _pieces(text or "")]


def timed_lines(field: str, lines: Sequence[TimedText] | None) -> list[Line]:
    """Merge short neighbouring lines and cut long ones; pieces keep their source's times.

    Screen text that stands still is recognised again and again: repeats are left out.
    """
    result: list[Line] = []
    seen: set[str] = set()
    for line in lines or ():
        if field == "screen_text" and line.text.strip().lower() in seen:
            continue
        seen.add(line.text.strip().lower())
        for piece in _pieces(line.text):
            _append(result, Line(field, piece, line.start_s, line.end_s))
    return result


def _append(result: list[Line], new: Line) -> None:
    last = result[-1] if result else None
    if last is None or len(last.raw) + len(new.raw) > PIECE_CHARS or new.start_s < last.start_s:
        result.append(new)
    else:
        end = max(last.end_s, new.end_s)
        result[-1] = Line(last.field, f"{last.raw} {new.raw}", last.start_s, end)


def _pieces(text: str) -> list[str]:
    """Sentences, short neighbours joined; a quote must be verbatim, so only by the one space
    that parts them in the text."""
    text = text.strip()
    breaks = [*_SENTENCE.finditer(text)]
    starts = [0, *(gap.end() for gap in breaks)]
    ends = [*(gap.start() for gap in breaks), len(text)]
    gaps = ["", *(gap.group() for gap in breaks)]
    pieces: list[str] = []
    for start, end, gap in zip(starts, ends, gaps, strict=True):
        sentence = text[start:end]
        if not sentence.strip():
            continue
        if pieces and gap == " " and len(pieces[-1]) + len(sentence) < PIECE_CHARS:
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces.append(sentence)
    return pieces


def share_out(wanted: dict[str, int], budget: int) -> dict[str, int]:
    """Share tokens between fields: each its share, and what is left over to the others.

    Returns:
        Tokens by field; the sum is at most ``budget``, and no field gets more than it wants.
    """
    given = dict.fromkeys(wanted, 0)
    left, open_fields = budget, {field for field, want in wanted.items() if want}
    while left > 0 and open_fields:
        total = sum(SHARES[field] for field in open_fields)
        rounds = {f: max(1, int(left * SHARES[f] / total)) for f in sorted(open_fields)}
        for field, more in rounds.items():
            more = min(more, wanted[field] - given[field], left)
            given[field] += more
            left -= more
        open_fields = {field for field in open_fields if given[field] < wanted[field]}
    return given


def fit(pieces: list[list[int]], budget: int) -> tuple[list[list[int]], bool]:
    """Keep what fits: evenly spread pieces, or head and tail of a single long one.

    Returns:
        The kept pieces in their order, and whether anything was left out.
    """
    if sum(map(len, pieces)) <= budget:
        return pieces, False
    if budget <= 0:
        return [], True
    longest = max(24, budget // 2)
    pieces = [_head_and_tail(piece, longest) for piece in pieces]
    for count in range(len(pieces), 0, -1):
        kept = [pieces[index] for index in _spread(len(pieces), count)]
        if sum(map(len, kept)) <= budget:
            return kept, True
    return [_head_and_tail(pieces[0], budget)], True


def _spread(total: int, count: int) -> list[int]:
    if count == 1:
        return [0]
    return sorted({round(step * (total - 1) / (count - 1)) for step in range(count)})


def _head_and_tail(piece: list[int], budget: int) -> list[int]:
    if len(piece) <= budget:
        return piece
    head = max(1, budget * 2 // 3)
    tail = budget - head
    return piece[:head] + (piece[-tail:] if tail else [])
