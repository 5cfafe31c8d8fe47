"""A rationale as compact text: what the model learns to write after ``reason:``.

    hate_harassment; for: speech 0:03 " you people are "; against: caption " at the zoo ";
    unsure: no pictures, close call.

(all on one line). Words are parted by single spaces, and a quote stands between marks that are
words of their own: its words are then the very tokens that the prompt shows, and any piece of the
text can be tokenised alone. A quoted word that looks like the closing mark gets one more ``"``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from coefvq.errors import ModelError
from coefvq.mllm.fused.reasons.lines import MAX_CHARS, MAX_WORDS

PLACES = ("title", "caption", "speech", "screen text", "pictures", "sound")
TEXT_PLACES = PLACES[:4]
NOTES = (
    "close call",
    "little text",
    "cut text",
    "no speech",
    "no pictures",
    "no sound",
    "no screen text",
    "no caption",
)
"""What may be uncertain, in the order of writing. ``no caption`` means no title either."""
MAX_POINTS = 2
MOST_POINTS = 3
"""On both sides together, in what is learnt and decoded: as many as are measured."""
MAX_NOTES = 3
NOBODY, NOTHING = "none", "nothing"

_CLOCK = re.compile(r"([0-9]{1,9}):([0-5][0-9])")
_LATEST = 60.0 * 10**9
_ESCAPED = re.compile(r'"+[,;]')


@dataclass(frozen=True)
class Point:
    """One thing that speaks for or against a violation.

    Attributes:
        place: One of ``PLACES``.
        at_s: Whole seconds, or ``None``.
        quote: Words with single spaces, at most ``MAX_WORDS`` and ``MAX_CHARS`` characters.
    """

    place: str
    at_s: float | None = None
    quote: str | None = None

    def __post_init__(self) -> None:
        if self.place not in PLACES:
            raise ValueError(f"{self.place!r} is no place; known: {', '.join(PLACES)}")
        if self.at_s is not None and not 0.0 <= self.at_s < _LATEST:
            raise ValueError(f"{self.at_s!r} is no second of a video")
        if self.quote is not None and not _quotable(self.quote):
            raise ValueError(f"{self.quote!r} is no quote of 1 to {MAX_WORDS} plain words")


@dataclass(frozen=True)
class Reason:
    """What speaks for and against one policy's violation, and what is uncertain.

    Attributes:
        policy: The policy in question; ``None``: no policy is violated.
        points_for: At most ``MAX_POINTS``.
        points_against: At most ``MAX_POINTS``.
        unsure: Some of ``NOTES``, in that order, at most ``MAX_NOTES``.
    """

    policy: str | None
    points_for: tuple[Point, ...] = ()
    points_against: tuple[Point, ...] = ()
    unsure: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.policy is not None and not re.fullmatch(r"(?!none$)\w+", self.policy):
            raise ValueError(f"{self.policy!r} is no name of a policy")
        if max(len(self.points_for), len(self.points_against)) > MAX_POINTS:
            raise ValueError(f"A reason has at most {MAX_POINTS} points a side")
        if self.unsure != tuple(note for note in NOTES if note in self.unsure)[:MAX_NOTES]:
            raise ValueError(f"{self.unsure!r}: at most {MAX_NOTES} of {NOTES}, in that order")


def _quotable(quote: str) -> bool:
    words = quote.split(" ")
    return words == quote.split() and len(words) <= MAX_WORDS and len(quote) <= MAX_CHARS


def write(reason: Reason) -> str:
    """The text of a reason; ``parse`` is its inverse (times are cut to whole seconds)."""
    return (
        f"{reason.policy or NOBODY}; for: {_side(reason.points_for)} "
        f"against: {_side(reason.points_against)} "
        f"unsure: {', '.join(reason.unsure) or NOTHING}."
    )


def _side(points: Sequence[Point]) -> str:
    ends = [","] * (len(points) - 1) + [";"]
    return " ".join(map(write_point, points, ends)) or f"{NOTHING};"


def write_point(point: Point, end: str) -> str:
    """One point with what follows it: ``,`` before another one, ``;`` after the last."""
    head = head_of(point.place, point.at_s)
    if point.quote is None:
        return f"{head}{end}"
    return f'{head} " {" ".join(map(escape, point.quote.split(" ")))} "{end}'


def head_of(place: str, at_s: float | None) -> str:
    """Place and clock time, such as ``speech 0:03``."""
    if at_s is None:
        return place
    minutes, seconds = divmod(int(at_s), 60)
    return f"{place} {minutes}:{seconds:02d}"


def escape(word: str) -> str:
    """A quoted word as it is written."""
    return f'"{word}' if _ESCAPED.fullmatch(word) else word


def parse(text: str) -> Reason:
    """Read what ``write`` wrote.

    Raises:
        ModelError: If the text is anything else.
    """
    reason = _Parser(text).reason()
    if write(reason) != text:
        raise ModelError(f"The rationale is not written as {write(reason)!r}, but {text!r}.")
    return reason


class _Parser:
    """Reads words from the left."""

    def __init__(self, text: str):
        self._text, self._words, self._at = text, text.split(" "), 0

    def reason(self) -> Reason:
        policy = self._take(lambda word: word.endswith(";") and len(word) > 1)[:-1]
        self._take("for:".__eq__)
        points_for = self._points()
        self._take("against:".__eq__)
        points_against = self._points()
        self._take("unsure:".__eq__)
        unsure = self._notes()
        try:
            chosen = None if policy == NOBODY else policy
            return Reason(chosen, points_for, points_against, unsure)
        except ValueError as error:
            self._fail(str(error))

    def _points(self) -> tuple[Point, ...]:
        if self._next() == f"{NOTHING};":
            self._at += 1
            return ()
        points, end = [], ","
        while end == ",":
            point, end = self._point()
            points.append(point)
        return tuple(points)

    def _point(self) -> tuple[Point, str]:
        place, end = self._ended()
        if place == "screen" and not end:
            more, end = self._ended()
            place = f"screen {more}"
        at_s = None
        clock = _CLOCK.fullmatch(self._next().rstrip(",;")) if not end else None
        if clock:
            at_s = 60.0 * int(clock[1]) + int(clock[2])
            end = self._ended()[1]
        quote = None
        if not end:
            quote, end = self._quote()
        try:
            return Point(place, at_s, quote), end
        except ValueError as error:
            self._fail(str(error))

    def _ended(self) -> tuple[str, str]:
        """The next word without the comma or semicolon behind it, and that."""
        word = self._take(lambda _: True)
        return (word[:-1], word[-1]) if word.endswith((",", ";")) else (word, "")

    def _quote(self) -> tuple[str, str]:
        self._take('"'.__eq__)
        words = []
        while (word := self._take(lambda _: True)) not in ('",', '";'):
            words.append(word[1:] if _ESCAPED.fullmatch(word) else word)
        return " ".join(words), word[1]

    def _notes(self) -> tuple[str, ...]:
        rest = " ".join(self._words[self._at :])
        if not rest.endswith("."):
            self._fail("no full stop at the end")
        return () if rest == f"{NOTHING}." else tuple(rest[:-1].split(", "))

    def _next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self, fits: Callable[[str], bool]) -> str:
        word = self._next()
        if self._at >= len(self._words) or not fits(word):
            self._fail(f"unexpected {word!r}" if word else "unexpected end")
        self._at += 1
        return word

    def _fail(self, what: str) -> NoReturn:
        raise ModelError(
            f"The rationale does not parse at word {self._at + 1}: {what}, in {self._text!r}. "
            "Ask for it with constrained decoding."
        )
