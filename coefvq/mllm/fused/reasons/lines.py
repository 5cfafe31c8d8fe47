"""The lines of text that a prompt shows, and what of them may be quoted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coefvq import taxonomy
from coefvq.domain import TimedText
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.layout import _ROLES
from coefvq.mllm.prompt import HEADS, Line, posted_lines, timed_lines
from coefvq.mllm.sanitise import sanitise

MAX_WORDS = 10
MIN_WORDS = 3
MAX_CHARS = 100
_LONGEST_WORD = 40


@dataclass(frozen=True)
class PromptLine:
    """One piece of text as a prompt shows it.

    Attributes:
        place: ``title``, ``caption``, ``speech`` or ``screen text``.
        start_s: Seconds; 0.0 for title and caption.
        end_s: Seconds; 0.0 for title and caption.
        raw: The piece before it was sanitised.
        words: Sanitised, all of them.
        runs: Words that may be quoted: they stand in a row both in the source and in the prompt.
            A line that was shown whole and holds no overlong word has one run.
    """

    place: str
    start_s: float
    end_s: float
    raw: str
    words: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]

    @property
    def at_s(self) -> float | None:
        """The whole second that the prompt shows; ``None`` for title and caption."""
        return float(int(self.start_s)) if self.place in ("speech", "screen text") else None

    def holds(self, quote: str) -> bool:
        """Whether a quote is a row of its quotable words."""
        return any(f" {quote} " in f" {' '.join(run)} " for run in self.runs)


def reserved_words(policies: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names whose colon is taken away in a prompt for these policies; ``None``: all policies."""
    names = tuple(taxonomy.policies()) if policies is None else tuple(policies)
    return (*names, *HEADS.values(), *HEADS, *_ROLES)


def item_lines(item: FusedItem, policies: Sequence[str] | None = None) -> tuple[PromptLine, ...]:
    """All lines of an item in the order of the prompt's fields, as if everything fitted.

    Args:
        policies: Of the prompt's layout; ``None``: all of the taxonomy.
    """
    reserved = reserved_words(policies)
    pieces = [
        *posted_lines("title", item.posted.title),
        *posted_lines("caption", item.posted.caption),
        *timed_lines("speech", in_time(item.speech)),
        *timed_lines("screen_text", in_time(item.screen_text)),
    ]
    lines = [_prompt_line(piece, sanitise(piece.raw, reserved).split()) for piece in pieces]
    return tuple(line for line in lines if line.runs)


def _prompt_line(piece: Line, words: Sequence[str]) -> PromptLine:
    runs = runs_of(words, _short)
    start_s = second(piece.start_s)
    return PromptLine(HEADS[piece.field], start_s, piece.end_s, piece.raw, tuple(words), runs)


def in_time(lines: Sequence[TimedText] | None) -> list[TimedText]:
    """As the processor orders them before it merges short neighbours."""
    return sorted(lines or (), key=lambda line: second(line.start_s))


def second(value: float) -> float:
    """A time as the processor reads it: what is no time of a video counts as 0."""
    return float(value) if np.isfinite(value) and value > 0 else 0.0


def _short(word: str) -> bool:
    return len(word) <= _LONGEST_WORD


def runs_of(
    words: Sequence[str | None], quotable: Callable[[str], bool]
) -> tuple[tuple[str, ...], ...]:
    """Rows of quotable words; ``None`` stands for a word that is not shown."""
    runs: list[list[str]] = [[]]
    for word in words:
        if word is None or not quotable(word):
            runs.append([])
        else:
            runs[-1].append(word)
    return tuple(tuple(run) for run in runs if run)


def cut_quote(words: Sequence[str], most: int = MAX_WORDS) -> str:
    """The first words, at most ``most`` and ``MAX_CHARS`` characters, with single spaces."""
    kept: list[str] = []
    for word in words[:most]:
        if len(" ".join([*kept, word])) > MAX_CHARS:
            break
        kept.append(word)
    return " ".join(kept)


def was_cut(
    item: FusedItem, lines: Sequence[PromptLine], policies: Sequence[str] | None = None
) -> bool:
    """Whether a prompt that shows these lines of an item left some words out."""
    return tuple(lines) != item_lines(item, policies)
