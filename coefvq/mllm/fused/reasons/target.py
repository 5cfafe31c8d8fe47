"""The rationale that the model learns to write, from evidence that is known to be true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from coefvq.domain import TimedText
from coefvq.errors import ModelError
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.reasons.lines import (
    MAX_WORDS,
    MIN_WORDS,
    PromptLine,
    cut_quote,
    item_lines,
    reserved_words,
    was_cut,
)
from coefvq.mllm.fused.reasons.text import (
    MAX_NOTES,
    MAX_POINTS,
    MOST_POINTS,
    NOTES,
    TEXT_PLACES,
    Point,
    Reason,
    write,
)
from coefvq.mllm.sanitise import sanitise

Known = tuple[str, int | str | None]
"""Where true evidence lies: the place, and the index of a line or the words themselves."""
_LITTLE = 8
_QUOTED_WORDS = 24


@dataclass(frozen=True)
class _Found:
    """Evidence as the prompt shows it; ``line`` is ``None`` for pictures and sound."""

    place: str
    line: PromptLine | None = None
    words: tuple[str, ...] = ()

    def point(self, most: int) -> Point:
        if self.line is None:
            return Point(self.place)
        return Point(self.place, self.line.at_s, cut_quote(self.words, most))


def facts(item: FusedItem, lines: Sequence[PromptLine], cut: bool = False) -> tuple[str, ...]:
    """The notes that are true of an item, all but ``close call``, in the order of ``NOTES``.

    Args:
        lines: What the prompt shows of it.
        cut: Whether some text did not fit.
    """
    places = {line.place for line in lines}
    words = sum(len(run) for line in lines for run in line.runs)
    true = {
        "little text": words < _LITTLE,
        "cut text": cut,
        "no speech": "speech" not in places,
        "no pictures": _empty(item.frames) and _empty(item.frame_features),
        "no sound": _empty(item.sound) and _empty(item.sound_states),
        "no screen text": "screen text" not in places,
        "no caption": not places & {"title", "caption"},
    }
    return tuple(note for note in NOTES if true.get(note))


def senses_of(item: FusedItem) -> tuple[str, ...]:
    """Which of ``pictures`` and ``sound`` an item has."""
    notes = facts(item, ())
    return tuple(sense for sense in ("pictures", "sound") if f"no {sense}" not in notes)


def _empty(values: Any) -> bool:
    return values is None or len(values) == 0


def target(
    item: FusedItem,
    violated: str | None,
    evidence: Sequence[Known] = (),
    *,
    against: Sequence[Known] | None = None,
    close: bool = False,
    policies: Sequence[str] | None = None,
    lines: Sequence[PromptLine] | None = None,
) -> str:
    """The rationale to learn, from evidence that is known to be true.

    Evidence that the prompt does not show is left out.

    Args:
        violated: The policy that the item violates, or ``None``.
        evidence: What makes the violation: ``(place, where)``. For ``speech`` and
            ``screen text``, ``where`` is an index into the item's own sequence; for every text
            place it may be the words themselves, or ``None``: the first line of that place.
            For ``pictures`` and ``sound`` it is ``None``.
        against: Known harmless parts; ``None``: the longest lines that are no evidence.
        close: Whether the label itself is doubtful.
        policies: Of the prompt's layout; ``None``: all of the taxonomy.
        lines: What the prompt shows, where that is known (``shown_lines``); ``None``: everything.

    Raises:
        ModelError: If evidence names a line that the item does not have.
    """
    shown = item_lines(item, policies) if lines is None else tuple(lines)
    finder = _Finder(item, shown, reserved_words(policies))
    points_for = finder.all(evidence)
    if against is None:
        others = [line for line in shown if line not in {one.line for one in points_for}]
        points_against = _longest(others, 1 if violated else MAX_POINTS)
    else:
        points_against = [one for one in finder.all(against) if one not in points_for]
    points_against = points_against[: MOST_POINTS - len(points_for)]
    quoted = sum(one.line is not None for one in (*points_for, *points_against))
    most = min(MAX_WORDS, _QUOTED_WORDS // max(1, quoted))
    cut = lines is not None and was_cut(item, shown, policies)
    notes = ("close call",) * close + facts(item, shown, cut)
    return write(
        Reason(
            policy=violated,
            points_for=tuple(one.point(most) for one in points_for),
            points_against=tuple(one.point(most) for one in points_against),
            unsure=notes[:MAX_NOTES],
        )
    )


@dataclass(frozen=True)
class _Finder:
    """Finds known evidence among the lines of a prompt."""

    item: FusedItem
    shown: tuple[PromptLine, ...]
    reserved: tuple[str, ...]

    def all(self, known: Iterable[Known]) -> list[_Found]:
        """Each once, in the order given, at most ``MAX_POINTS``."""
        found = [self._one(place, where) for place, where in known]
        return list(dict.fromkeys(one for one in found if one is not None))[:MAX_POINTS]

    def _one(self, place: str, where: int | str | None) -> _Found | None:
        if place not in TEXT_PLACES:
            return _Found(place)
        lines = [line for line in self.shown if line.place == place]
        if where is None:
            return _Found(place, lines[0], lines[0].runs[0]) if lines else None
        if isinstance(where, int) and place in ("title", "caption"):
            where = getattr(self.item.posted, place) or ""
        elif isinstance(where, int):
            source = self.item.speech if place == "speech" else self.item.screen_text
            where = self._line(source or (), where, place)
        return _best_match(place, lines, sanitise(where, self.reserved).split())

    @staticmethod
    def _line(source: Sequence[TimedText], index: int, place: str) -> str:
        if not 0 <= index < len(source):
            raise ModelError(
                f"Evidence names line {index} of the {place}, but the item has {len(source)} "
                "lines. Count from 0 in the item's own sequence."
            )
        return source[index].text


def _best_match(place: str, lines: Sequence[PromptLine], words: Sequence[str]) -> _Found | None:
    """The longest row of words from the first one on that some line shows."""
    best = _Found(place)
    for line in lines:
        for run in line.runs:
            for start in range(len(run)):
                length = _agreeing(run[start:], words)
                if length > len(best.words):
                    best = _Found(place, line, _row(run, start, length))
    return best if best.words else None


def _row(run: tuple[str, ...], start: int, length: int) -> tuple[str, ...]:
    """At least ``MIN_WORDS`` words where the run has them, as in decoding."""
    length = min(len(run), max(length, MIN_WORDS))
    start = min(start, len(run) - length)
    return run[start : start + length]


def _agreeing(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for mine, theirs in zip(one[:MAX_WORDS], other, strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def _longest(lines: Sequence[PromptLine], most: int) -> list[_Found]:
    ranked = sorted(lines, key=lambda line: -max(map(len, line.runs)))[:most]
    return [_Found(line.place, line, max(line.runs, key=len)) for line in ranked]
