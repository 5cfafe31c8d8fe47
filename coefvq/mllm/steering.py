"""Finds words in a video that speak to the machine that judges it, not to people.

Such words are evidence of nothing, but a small language model may follow them. So where some are
found, the video is read again without them and with harmless words in their place, and the
highest probability counts: asking to be passed can never lower a score, nor gain more than
saying nothing or talking about the weather. The list is of phrases known from attacks on language
models; one that it does not know is left to training, which adds steering lines to violating and
harmless items alike. A wrong hit costs a second reading and cannot lower a score either.

Phrases are looked for in what people see: invisible characters are gone, and look-alike letters,
accents and digits in place of letters count as the letters that they stand for.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from coefvq.domain import PostedText, TimedText
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.sanitise import as_displayed
from coefvq.mllm.steering_phrases import PATTERNS

_STEERING = re.compile("|".join(f"(?:{one})" for one in PATTERNS), re.IGNORECASE)
_INVISIBLE = frozenset({"Cf", "Cs", "Co", "Cn"})
_FILLERS = (
    "we went home early and had some tea in the kitchen before the rain began ",
    "the shop on the left sells bread, milk and fruit until eight on weekdays ",
    "today the sky is grey, the bus is late and there is music in the park ",
)
_END = re.compile(r"[.!?。！？؟।][\s\"'”’)\]]*|[\n\r]+")
_LINE = "\r"  # between lines: unlike a line break inside one, a phrase may go across it
_PAIRS = (
    "аaвbеeзeіiјjкkмmнhоoрpсcтtуyхxѕsԁdԛqԝwһhӏl"  # Cyrillic
    "αaβbεeιiκkνvοoρpτtυuχxωwηn"  # Greek
    "0o1i3e4a5s@a$s|i"  # digits and signs
)
_LOOKS_LIKE = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))

Span = tuple[int, int]


def other_readings(item: FusedItem) -> list[FusedItem]:
    """How an item is to be read besides as it is: without such words, without the sentences that
    they stand in, and with different harmless words of the same length in their place. Nothing
    where it has none."""
    if (cut := _changed(item, _Cut())) is None:
        return []
    shorter = _changed(item, _Cut(sentence=True))
    longer = [_changed(item, way) for way in _FILLED]
    alone = shorter if shorter and _says_something(shorter) else None
    return [one for one in (cut, alone, *longer) if one is not None]


def _says_something(item: FusedItem) -> bool:
    lines = (*(item.speech or ()), *(item.screen_text or ()))
    texts = (item.posted.title or "", item.posted.caption or "", *(line.text for line in lines))
    return any(text.strip() for text in texts)


@dataclass(frozen=True)
class _Cut:
    """How steering words go: what fills their place, and whether their sentence goes too."""

    filler: str = ""
    sentence: bool = False


_FILLED = tuple(_Cut(filler) for filler in _FILLERS)


def _changed(item: FusedItem, way: _Cut) -> FusedItem | None:
    posted = PostedText(_cut(item.posted.title, way), _cut(item.posted.caption, way))
    speech, screen = (_cut_lines(lines, way) for lines in (item.speech, item.screen_text))
    changed = replace(item, posted=posted, speech=speech, screen_text=screen)
    same = (changed.posted, changed.speech, changed.screen_text) == (
        item.posted,
        _as_tuple(item.speech),
        _as_tuple(item.screen_text),
    )
    return None if same else changed


def _cut(text: str | None, way: _Cut) -> str | None:
    return None if text is None else _cut_all([text], way)[0]


def _cut_lines(lines: Iterable[TimedText] | None, way: _Cut) -> tuple[TimedText, ...] | None:
    """Lines are searched as one text: on a screen a sentence goes over several of them."""
    if lines is None:
        return None
    rows = tuple(lines)
    cut = _cut_all([row.text for row in rows], way)
    return tuple(replace(row, text=text) for row, text in zip(rows, cut, strict=True))


def _as_tuple(lines: Iterable[TimedText] | None) -> tuple[TimedText, ...] | None:
    return None if lines is None else tuple(lines)


def _cut_all(texts: Sequence[str], way: _Cut) -> list[str]:
    plain = [_plain(text) for text in texts]
    whole = _LINE.join(plain)
    spans = _spans(whole)
    if way.sentence:
        spans = _sentences(whole, spans)
    found, start = [], 0
    for text, seen in zip(texts, plain, strict=True):
        here = [(first - start, last - start) for first, last in spans]
        left = _without(seen, here, way.filler)
        found.append(text if left == seen else left)
        start += len(seen) + len(_LINE)
    return found


def _without(text: str, spans: Sequence[Span], filler: str) -> str:
    for first, last in reversed(spans):
        if first < len(text) and last > 0:
            start, end = max(0, first), min(len(text), last)
            words = (filler * ((end - start) // len(filler) + 1))[: end - start] if filler else ""
            text = (
                f"{text[:start]} {words} {text[end:]}" if words else f"{text[:start]} {text[end:]}"
            )
    return text


def _spans(text: str) -> list[Span]:
    """What to cut, in order and apart from each other."""
    found = [match.span() for match in _STEERING.finditer(text)]
    folded, places = _folded(text)
    if folded != text:
        spans = (match.span() for match in _STEERING.finditer(folded))
        found += [(places[first], places[last - 1] + 1) for first, last in spans]
    return _joined(found)


def _sentences(text: str, spans: Sequence[Span]) -> list[Span]:
    """Spans with the rest of their sentence, or of their line."""
    ends = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    return _joined(
        (ends[bisect_right(ends, first) - 1], ends[bisect_left(ends, last)])
        for first, last in spans
    )


def _joined(found: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch as one."""
    joined: list[Span] = []
    for first, last in sorted(found):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _plain(text: str) -> str:
    """As ``sanitise`` begins: entities resolved, NFKC, letters in the order that people see,
    nothing invisible; lines stay lines."""
    if text.isascii() and "&" not in text:
        return text
    text = as_displayed(unicodedata.normalize("NFKC", html.unescape(text)))
    return "".join(c for c in text if unicodedata.category(c) not in _INVISIBLE)


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """The text in plain letters, and where each of them comes from."""
    letters = [_letter(character) for character in text]
    places = [at for at, letter in enumerate(letters) if letter]
    return "".join(letters), places


@cache
def _letter(character: str) -> str:
    """One plain letter for a look-alike or an accented one; nothing for a combining mark."""
    if unicodedata.combining(character):
        return ""
    lower = character.lower()
    base = unicodedata.normalize("NFD", lower)[0]
    return _LOOKS_LIKE.get(lower) or _LOOKS_LIKE.get(base) or (base if base.isascii() else lower)
