"""Which token ids a rationale of one item may consist of: a small automaton.

It is written as a generator. Each step yields a ``Choice`` of rows of token ids and is sent the
number of the row that was taken; at the end it returns the ``Reason`` that the taken rows spell.
Whoever takes the rows (a model, a test at random), the text parses, every quote is a row of
words that the prompt shows, no line is used twice, and only true notes are made.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from coefvq.mllm.fused.reasons.lines import MAX_CHARS, MAX_WORDS, MIN_WORDS, PromptLine
from coefvq.mllm.fused.reasons.text import (
    MAX_NOTES,
    MAX_POINTS,
    MOST_POINTS,
    NOBODY,
    NOTHING,
    Point,
    Reason,
    escape,
    head_of,
)

MAX_TOKENS = 24
_MOST_STARTS = 8
Row = tuple[tuple[int, ...], ...]
"""One alternative: units of token ids. Rows are compared unit by unit."""


@dataclass(frozen=True)
class Choice:
    """What may come next; one row alone is forced."""

    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Options:
    """What a rationale of one item may say.

    Attributes:
        lines: What the prompt shows.
        policies: One of these is written; ``None``: that no policy is violated.
        senses: Which of ``pictures`` and ``sound`` are there.
        notes: The notes that are true, in the order of ``text.NOTES``.
    """

    lines: tuple[PromptLine, ...]
    policies: tuple[str | None, ...]
    senses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Steps = Generator[Choice, int, Reason]


def reason_steps(encode: Callable[[str], list[int]], options: Options) -> Steps:
    """Walk through the automaton of one item.

    Args:
        encode: Token ids of plain text. Text is encoded in pieces that start with a space,
            which byte-level tokenizers split as they split the whole.
        options: What may be said.
    """
    return _Walk(encode, options, list(options.lines), list(options.senses)).reason()


@dataclass
class _Walk:
    encode: Callable[[str], list[int]]
    options: Options
    lines: list[PromptLine]
    senses: list[str]
    _known: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def reason(self) -> Steps:
        policies = self.options.policies
        policy = policies[(yield self._choice([[f"{name or NOBODY};"] for name in policies]))]
        yield self._choice([["for:"]])
        points_for = yield from self._side(MAX_POINTS)
        # The same words never speak for both sides.
        quotes = [point.quote for point in points_for if point.quote is not None]
        self.lines = [line for line in self.lines if not any(map(line.holds, quotes))]
        yield self._choice([["against:"]])
        room = min(MAX_POINTS, MOST_POINTS - len(points_for))
        points_against = yield from self._side(room)
        yield self._choice([["unsure:"]])
        subsets = list(_subsets(self.options.notes))
        notes = subsets[(yield self._choice([_written(subset) for subset in subsets]))]
        return Reason(policy, points_for, points_against, notes)

    def _side(self, most: int) -> Generator[Choice, int, tuple[Point, ...]]:
        points: list[Point] = []
        more = True
        while more:
            found, more = yield from self._point(len(points), most)
            points += [found] if found else []
        return tuple(points)

    def _point(self, before: int, most: int) -> Generator[Choice, int, tuple[Point | None, bool]]:
        """One point, or none, and whether another one follows."""
        goes_on = before < most - 1
        heads = dict.fromkeys((line.place, line.at_s) for line in self.lines)
        others = len(self.lines) + len(self.senses) > 1
        ends = _ends(goes_on and others)
        senses = [(sense, end) for sense in self.senses for end in ends]
        rows = [[f'{head_of(*head)} "'] for head in heads]
        rows += [[f"{sense}{end}"] for sense, end in senses]
        rows += [[f"{NOTHING};"]] if not before else []
        taken = yield self._choice(rows)
        if taken < len(heads):
            return (yield from self._quote(*list(heads)[taken], goes_on))
        if taken == len(heads) + len(senses):
            return None, False
        sense, end = senses[taken - len(heads)]
        self.senses.remove(sense)
        return Point(sense), end == ","

    def _quote(
        self, place: str, at_s: float | None, goes_on: bool
    ) -> Generator[Choice, int, tuple[Point, bool]]:
        here = [line for line in self.lines if (line.place, line.at_s) == (place, at_s)]
        starts: dict[str, list[tuple[str, ...]]] = {}
        for words in (words for line in here for words in _starts(line)):
            starts.setdefault(words[0], []).append(words)
        taken = yield self._choice([[escape(word)] for word in starts])
        rest: dict[tuple[str, ...], tuple[str, list[PromptLine], str]] = {}
        for words in list(starts.values())[taken][:_MOST_STARTS]:
            for count in self._lengths(words):
                quote = " ".join(words[:count])
                left = self._without(here, quote)
                for end in _ends(goes_on and bool(left or self.senses)):
                    row = (*map(escape, words[1:count]), f'"{end}')
                    rest.setdefault(row, (quote, left, end))
        quote, self.lines, end = list(rest.values())[(yield self._choice(list(rest)))]
        return Point(place, at_s, quote), end == ","

    def _without(self, here: Sequence[PromptLine], quote: str) -> list[PromptLine]:
        """The lines that are left once ``quote`` is taken from the lines of one place."""
        used = [line for line in here if line.holds(quote)]
        return [line for line in self.lines if line not in used]

    def _lengths(self, words: Sequence[str]) -> list[int]:
        """With how many words a quote may end: those that fit, ``MIN_WORDS`` where possible."""
        fit = [
            count
            for count in range(1, min(MAX_WORDS, len(words)) + 1)
            if len(" ".join(words[:count])) <= MAX_CHARS
            and sum(len(self._unit(escape(word))) for word in words[:count]) <= MAX_TOKENS
        ]
        return [count for count in fit if count >= MIN_WORDS] or fit[-1:] or [1]

    def _choice(self, rows: Sequence[Sequence[str]]) -> Choice:
        return Choice(tuple(tuple(map(self._unit, row)) for row in rows))

    def _unit(self, text: str) -> tuple[int, ...]:
        if text not in self._known:
            self._known[text] = tuple(self.encode(f" {text}"))
        return self._known[text]


def _ends(goes_on: bool) -> tuple[str, ...]:
    """What can follow a point: a comma before another one, a semicolon after the last."""
    return (",", ";") if goes_on else (";",)


def _starts(line: PromptLine) -> Iterator[tuple[str, ...]]:
    """All rows of words that a quote may start with: enough words are in them."""
    for run in line.runs:
        for at in range(len(run) - min(MIN_WORDS, len(run)) + 1):
            yield run[at : at + MAX_WORDS]


def _subsets(notes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for count in range(min(MAX_NOTES, len(notes)) + 1):
        yield from combinations(notes, count)


def _written(notes: Sequence[str]) -> list[str]:
    if not notes:
        return [f"{NOTHING}."]
    return [f"{note}," for note in notes[:-1]] + [f"{notes[-1]}."]
