"""From a video's texts to token ids, with one answer slot a policy.

The prompt is built from token ids, piece by piece::

    <|im_start|>system
    You moderate videos. ...<|im_end|>
    <|im_start|>user
    title: ...
    caption: ...
    speech:
    0:03 ...
    screen text: none<|im_end|>
    <|im_start|>assistant
    hate_harassment:
    scam_spam:

The answer of a policy is the next-token distribution at its colon. No answer is written into
the prompt, so a slot never depends on the answer of an earlier one.

Budget: the texts get ``MAX_TOKENS`` less what the frame of the prompt needs. A field is first
given its share (``SHARES``); what one field leaves over goes to the others in proportion. A
field that is still too long keeps evenly spread lines, from the first to the last; a single
line that is too long keeps two thirds of its room from its head and one third from its tail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coefvq.domain import Modality, TimedText
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.sanitise import sanitise

PROMPT_VERSION = 1
MAX_TOKENS = 512
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


@dataclass(frozen=True)
class Prompt:
    """Token ids with the places where answers are read.

    Attributes:
        ids: Token ids, at most ``MAX_TOKENS``.
        slots: Index into ``ids`` by policy; the answer is the next-token distribution there.
        truncated: Whether some text did not fit.
        text_span: First and one-past-last index of the user's texts.
    """

    ids: tuple[int, ...]
    slots: dict[str, int]
    truncated: bool
    text_span: tuple[int, int]


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
    pieces: list[str] = []
    for sentence in _SENTENCE.split(text.strip()):
        if not sentence.strip():
            continue
        if (
            pieces
            and len(pieces[-1]) + len(sentence) < PIECE_CHARS
            and _adjacent(text, pieces[-1], sentence)
        ):
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces.append(sentence)
    return pieces


def _adjacent(text: str, first: str, second: str) -> bool:
    # A quote must be verbatim: sentences parted by a line break are not joined with a space.
    return f"{first} {second}" in text


class PromptBuilder:
    """Builds prompts for one tokenizer and one list of policies.

    Args:
        tokenizer: A transformers tokenizer.
        policies: Policy ids in slot order.
        max_tokens: Longest prompt.
    """

    def __init__(self, tokenizer: Any, policies: Sequence[str], max_tokens: int = MAX_TOKENS):
        self._tokenizer = tokenizer
        self.policies = tuple(policies)
        self._special = frozenset(tokenizer.added_tokens_decoder) | frozenset(
            tokenizer.all_special_ids
        )
        self._reserved = (*self.policies, *HEADS.values(), *FIELDS, "system", "assistant", "user")
        self._open = self._chat(
            "<|im_start|>", f"system\n{SYSTEM}", "<|im_end|>", "\n", "<|im_start|>", "user\n"
        )
        self._close = self._chat("<|im_end|>", "\n", "<|im_start|>", "assistant\n")
        self._slot_ids = [self._encode(f"{policy}:") for policy in self.policies]
        self._newline = self._encode("\n")
        frame = len(self._open) + len(self._close) + sum(map(len, self._slot_ids))
        heads = sum(len(self._encode(f"{head}: none\n")) for head in HEADS.values())
        self.text_budget = max_tokens - frame - heads - len(self.policies)

    def build(self, lines: Sequence[Line]) -> Prompt:
        """Turn lines into a prompt. An absent field is written as ``none``."""
        pieces = {field: self._field_ids(field, lines) for field in FIELDS}
        budgets = share_out({f: sum(map(len, p)) for f, p in pieces.items()}, self.text_budget)
        ids = list(self._open)
        start, truncated = len(ids), False
        for field in FIELDS:
            kept, cut = fit(pieces[field], budgets[field])
            truncated |= cut
            ids += self._written(field, kept)
        end = len(ids)
        ids += self._close
        slots = {}
        for policy, slot in zip(self.policies, self._slot_ids, strict=True):
            ids += slot
            slots[policy] = len(ids) - 1
            ids += self._newline
        return Prompt(tuple(ids[: -len(self._newline)]), slots, truncated, (start, end))

    def readable(self, lines: Sequence[Line]) -> list[Line]:
        """The lines of which something is left once they are sanitised."""
        return [line for line in lines if sanitise(line.raw, self._reserved)]

    def _written(self, field: str, kept: list[list[int]]) -> list[int]:
        last = field == FIELDS[-1]
        end = [] if last else self._newline
        if not kept:
            return [*self._encode(f"{HEADS[field]}: none"), *end]
        joined = [token for piece in kept for token in piece]
        return [*self._encode(f"{HEADS[field]}:"), *joined, *end]

    def _field_ids(self, field: str, lines: Sequence[Line]) -> list[list[int]]:
        pieces, time = [], None
        for line in lines:
            text = sanitise(line.raw, self._reserved) if line.field == field else ""
            if not text:
                continue
            mark = "" if line.modality is Modality.CAPTION or line.start_s == time else _clock(line)
            time = line.start_s
            pieces.append(self._encode(f"\n{mark} {text}" if mark else f" {text}"))
        return pieces

    def _encode(self, text: str) -> list[int]:
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return [token for token in ids if token not in self._special]

    def _chat(self, *parts: str) -> list[int]:
        ids: list[int] = []
        for part in parts:
            known = self._tokenizer.convert_tokens_to_ids(part) if part.startswith("<|") else None
            ids += [known] if known is not None else self._encode(part)
        return ids


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


def _clock(line: Line) -> str:
    minutes, seconds = divmod(int(max(0.0, line.start_s)), 60)
    return f"{minutes}:{seconds:02d}"
