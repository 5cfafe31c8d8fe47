"""Signs that a video was posted elsewhere before: handles, site and stock names, bars.

For the cascade: once the screen text is known, join ``origin_evidence(...)`` to the evidence and
take ``handle_score(...)`` into the policy ``watermark`` (the larger of it and the prefilter's).
A video without any readable mark gets ``None``, not 0: most marks are pictures, not words.
All text here was written by whoever made the video; it is compared and quoted, never followed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from coefvq.domain import CheapSignals, Evidence, ExpensiveSignals, Modality, TimedText
from coefvq.signals.overlay import SIDES
from coefvq.signals.visual import VISUAL_NAMES

POLICY = "watermark"
_BARS_POLICY = "reupload"
_READ = 120  # letters of a line that are looked at; marks are short
_MOST_MARKS = 6
_MOST_LINES = 3  # a mark
_ALIKE = 0.8  # share of equal letters that makes two readings one mark
_SAME_PLACE = 0.08  # share of the frame between two boxes that are one place
_LEAST_BAR = 0.04  # share of a side
_LONG_LINE = 40  # letters; a sentence that names a site is no mark

STOCK = (
    "shutterstock", "gettyimages", "istock", "adobestock", "alamy", "depositphotos", "dreamstime",
    "123rf", "pond5", "storyblocks", "videoblocks", "vecteezy", "freepik", "bigstock", "envato",
)  # fmt: skip
PLATFORMS = (
    "tiktok", "douyin", "抖音", "kuaishou", "快手", "xiaohongshu", "小红书", "bilibili", "weibo",
    "instagram", "youtube", "facebook", "snapchat", "likee", "triller", "telegram", "twitch",
    "pinterest", "dailymotion", "vimeo", "kwai", "reddit",
)  # fmt: skip
EDITORS = ("capcut", "inshot", "vivavideo", "kinemaster", "filmora", "madewith", "editedwith")
_HANDLE = re.compile(r"(?<![\w.@/-])@\s?[^\W_][\w.]{1,29}")
_SITE = re.compile(
    r"(?<![\w.@/-])(?:www\.)?[a-z0-9-]{1,40}\."
    r"(?:(?:com|net|org|tv|co|io|app|info|ru|cn|gg)(?![\w-])|(?:me|be)(?=/))",
    re.IGNORECASE,
)
_SITE_START = re.compile(r"(?<!\w)www[.\s]\s?[a-z0-9-]{2,40}", re.IGNORECASE)
_WORDS = {
    "stock": "the name of a stock library",
    "platform": "the name of a platform",
    "editor": "the name of an editing app",
    "handle": "a handle",
    "site": "the name of a site",
}
# Log-odds where 5 % of uploads carry a mark. The level is measured on composed clips, the
# differences between kinds are judgement; see docs/originality.md.
_BASE = {"stock": 1.5, "platform": 0.5, "handle": 0.0, "site": -0.5, "editor": -1.0}
_OF_SHARE, _OF_CENTRE, _OF_CROWD = 2.0, -1.0, -3.0
_CROWD = 6.0  # other lines on the screen at once: an app or a page, not a film


@dataclass(frozen=True)
class Mark:
    """One foreign mark that was read.

    Attributes:
        kind: ``handle``, ``site``, ``platform``, ``stock`` or ``editor``.
        lines: Its readings, by time.
        share: Of the frames that were read, how many show it, 0..1.
        seen: In how many of them.
        of: How many frames were read.
        places: Centres of the places where its readings were surest, as shares of width and
            height; more than one shows that it hops, one does not show that it stays.
        crowd: Other lines that are on the screen with it, on average.
    """

    kind: str
    lines: tuple[TimedText, ...]
    share: float
    seen: int
    of: int
    places: tuple[tuple[float, float], ...]
    crowd: float


def origin_evidence(
    cheap: CheapSignals | None, expensive: ExpensiveSignals | None, duration_s: float
) -> tuple[Evidence, ...]:
    """What was read or measured that speaks for another origin; it moves no score by itself.

    Args:
        cheap: For bars at the edges.
        expensive: For marks on the screen; ``None`` before the second stage.
        duration_s: Length of the video.

    Returns:
        Marks, the surest first, by the policy ``watermark``; then bars, by ``reupload``.
    """
    return (*_mark_evidence(expensive), *_bar_evidence(cheap, duration_s))


def handle_score(expensive: ExpensiveSignals | None) -> float | None:
    """Calibrated probability that the video carries a foreign mark, from its screen text.

    It cannot tell the uploader's own handle from another's: it says that a mark is there.

    Returns:
        ``None`` where no screen text is known or nothing in it reads like a mark.
    """
    scores = [_score(mark) for mark in marks(expensive)]
    return max(scores, default=None)


def marks(expensive: ExpensiveSignals | None) -> tuple[Mark, ...]:
    """Foreign marks in the screen text, the surest first."""
    if expensive is None or not expensive.screen_text:
        return ()
    found: list[tuple[str, list[TimedText]]] = []
    for line in expensive.screen_text:
        kind = kind_of(line.text)
        if kind is None:
            continue
        same = next((own for of, own in found if of == kind and _alike(own[0], line)), None)
        if same is None:
            found.append((kind, [line]))
        else:
            same.append(line)
    all_lines, times = expensive.screen_text, expensive.frame_times_s
    made = (_mark(kind, lines, all_lines, times) for kind, lines in found)
    return tuple(sorted(made, key=_score, reverse=True))


def kind_of(text: str) -> str | None:
    """What a line of screen text reads like; ``None`` for anything but a mark."""
    line = unicodedata.normalize("NFKC", text[:_READ]).strip()
    squashed = _squashed(line)
    if any(name in squashed for name in STOCK):
        return "stock"
    if _HANDLE.search(line):
        return "handle"
    if len(line) > _LONG_LINE or "://" in line:  # a browser's address bar
        return None
    if _SITE.search(line) or _SITE_START.search(line):
        return "site"
    for kind, names in (("platform", PLATFORMS), ("editor", EDITORS)):
        # A name alone or with a word beside it; "follow me on ..." is the uploader's own.
        if any(name in squashed and len(squashed) <= 2 * len(name) + 4 for name in names):
            return kind
    return None


def _squashed(text: str) -> str:
    """Letters and digits only, lower case; a zero between letters is an o misread."""
    letters = "".join(sign for sign in text.lower() if sign.isalnum())
    return re.sub(r"(?<=[a-z])0|0(?=[a-z])", "o", letters)


def _alike(first: TimedText, second: TimedText) -> bool:
    one, other = _squashed(first.text[:_READ]), _squashed(second.text[:_READ])
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE


def _mark(
    kind: str, lines: list[TimedText], all_lines: Sequence[TimedText], times: Sequence[float]
) -> Mark:
    shown = [time for time in times if _covers(lines, time)]
    others = [line for line in all_lines if line not in lines]
    beside = [sum(line.start_s <= time < line.end_s for line in others) for time in shown]
    return Mark(
        kind=kind,
        lines=tuple(lines),
        share=len(shown) / len(times) if times else 0.0,
        seen=len(shown),
        of=len(times),
        places=tuple(_places(lines)),
        crowd=float(np.mean(beside)) if beside else float(len(others)),
    )


def _covers(lines: Iterable[TimedText], time_s: float) -> bool:
    return any(line.start_s <= time_s < max(line.end_s, line.start_s + 1e-6) for line in lines)


def _places(lines: Iterable[TimedText]) -> Iterator[tuple[float, float]]:
    """Centres of the boxes, those near one another once."""
    kept: list[tuple[float, float]] = []
    for line in lines:
        if line.box is None:
            continue
        x, y = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
        if all(math.hypot(x - a, y - b) > _SAME_PLACE for a, b in kept):
            kept.append((x, y))
            yield x, y


def _score(mark: Mark) -> float:
    x, y = mark.places[0] if mark.places else (0.5, 0.5)
    central = float(0.25 < x < 0.75 and 0.25 < y < 0.75)
    logit = _BASE[mark.kind] + _OF_SHARE * (mark.share - 0.5) + _OF_CENTRE * central
    logit += _OF_CROWD * min(1.0, mark.crowd / _CROWD)
    return 1 / (1 + math.exp(-logit))


def _mark_evidence(expensive: ExpensiveSignals | None) -> Iterator[Evidence]:
    for mark in marks(expensive)[:_MOST_MARKS]:
        said = f"reads like {_WORDS[mark.kind]}: {_shown(mark)}"
        for line in mark.lines[:_MOST_LINES]:
            yield Evidence(Modality.SCREEN_TEXT, line.start_s, line.end_s, line.text, said, POLICY)


def _shown(mark: Mark) -> str:
    """In how many frames and where, in words."""
    names = list(dict.fromkeys(_place_name(*place) for place in mark.places))
    seen = f"shown in {mark.seen} of {mark.of} frames" if mark.of else "shown"
    if not names:
        return seen
    if len(names) == 1:
        return f"{seen}, read best {names[0]}"  # a line that hops is one line with one box
    return f"{seen}, by turns {' and '.join(names[:4])}"


def _place_name(x: float, y: float) -> str:
    row = "at the top" if y < 1 / 3 else "at the bottom" if y > 2 / 3 else "in the middle"
    column = " left" if x < 1 / 3 else " right" if x > 2 / 3 else ""
    return f"{row}{column}"


def _bar_evidence(cheap: CheapSignals | None, duration_s: float) -> Iterator[Evidence]:
    """Bars at opposite edges: a picture that was fitted into another format."""
    if cheap is None or cheap.visual is None or len(cheap.visual) != len(VISUAL_NAMES):
        return
    values = dict(zip(VISUAL_NAMES, cheap.visual.tolist(), strict=True))
    for first, second in (SIDES[:2], SIDES[2:]):
        flat = (values[f"bar_{first}"], values[f"bar_{second}"])
        soft = (values[f"soft_{first}"], values[f"soft_{second}"])
        look, shares = ("of one colour", flat) if min(flat) >= _LEAST_BAR else ("blurred", soft)
        if min(shares) < _LEAST_BAR:
            continue
        detail = (
            f"bars {look}: {shares[0]:.0%} of the picture at the {first}, {shares[1]:.0%} at the "
            f"{second}; a measured fact, it moves no score"
        )
        yield Evidence(Modality.VISUAL, 0.0, duration_s, None, detail, _BARS_POLICY)
