"""Composed clips whose violation is in one modality only, each with a harmless twin.

A violating and a harmless text of the same set take the same place (spoken, written on the
screen, or the caption) in the same host: the same footage and the same harmless words in the
other places. So neither the place, the host nor the recogniser's noise gives the label away.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from coefvq.learning.fused.example import ALWAYS, HELD, PLACES, Example, Place, Recognised, Words
from coefvq.learning.spoken import clean
from coefvq.learning.text_corpora import HATE, SCAM, TextItem

WEAK = 0.3
TRAIN_PAIRS, ALIGN_PAIRS, HELD_PAIRS = 420, 285, 120
COMMENT_PAIRS = 45  # a video, and as many held-out pairs are told apart by the fold
_LEAST_WORDS, _MOST_WORDS = 3, 28


@dataclass(frozen=True)
class Hosts:
    """Harmless words and footage to compose with.

    Attributes:
        lines: Harmless texts, each a title.
        footage: Keys of ordinary clips.
    """

    lines: Sequence[str]
    footage: Sequence[str]


def composed_hate(tweets: Sequence[TextItem], hosts: Hosts, seed: int) -> list[Example]:
    """Tweets: most pairs may always be trained on, ``HELD_PAIRS`` never are.

    A held pair is put into each place in turn; a training pair into one.
    """
    chance = random.Random(f"{seed}/composed hate")
    bad = _spoken_like([t for t in tweets if t.labels[HATE] and "aae_like" not in t.tags])
    good = _spoken_like([t for t in tweets if not t.labels[HATE] and "aae_like" not in t.tags])
    count = TRAIN_PAIRS + HELD_PAIRS
    pairs = list(zip(_balanced(bad, count, chance), chance.sample(good, count), strict=True))
    examples = []
    for number, pair in enumerate(pairs):
        held = number >= TRAIN_PAIRS
        for place in PLACES if held else (PLACES[number % 3],):
            fold = HELD if held else ALWAYS
            twins = _twins(pair, place, fold, HATE, hosts, chance)
            examples += [replace(twin, align=number < ALIGN_PAIRS) for twin in twins]
    return examples


def composed_scam(
    comments: Sequence[TextItem], folds: Sequence[int], hosts: Hosts, seed: int
) -> list[Example]:
    """Comments of each video in each place, in the fold of their video."""
    chance = random.Random(f"{seed}/composed scam")
    examples = []
    for fold in sorted(set(folds)):
        here = [item for item, at in zip(comments, folds, strict=True) if at == fold]
        bad = _spoken_like([item for item in here if item.labels[SCAM]])
        good = _spoken_like([item for item in here if not item.labels[SCAM]])
        count = min(COMMENT_PAIRS, len(bad), len(good))
        drawn = zip(chance.sample(bad, count), chance.sample(good, count), strict=True)
        for number, pair in enumerate(drawn):
            examples += _twins(pair, PLACES[number % 3], fold, SCAM, hosts, chance)
    return examples


def _spoken_like(items: Sequence[TextItem]) -> list[TextItem]:
    """Items with a sentence's worth of words left once they are cleaned."""
    kept = []
    for item in items:
        words = clean(item.text).split()
        if _LEAST_WORDS <= len(words) <= _MOST_WORDS:
            kept.append(item)
    return kept


def _balanced(items: Sequence[TextItem], count: int, chance: random.Random) -> list[TextItem]:
    """Half hateful, half offensive, in random order."""
    hate = [item for item in items if "class:hate" in item.tags]
    other = [item for item in items if "class:hate" not in item.tags]
    half = min(count // 2, len(hate))
    drawn = chance.sample(hate, half) + chance.sample(other, count - half)
    chance.shuffle(drawn)
    return drawn


def _twins(
    pair: tuple[TextItem, TextItem],
    place: Place,
    fold: int,
    policy: str,
    hosts: Hosts,
    chance: random.Random,
) -> list[Example]:
    host = _host(place, hosts, chance)
    seed = chance.randrange(1 << 30)
    weak = {SCAM: 0} if policy == HATE else {}
    twins = []
    for item in pair:
        violates = item.labels[policy]
        twins.append(
            replace(
                _placed(host, place, item.text, seed, clear=fold == HELD),
                id=f"composed/{place}/{item.id}",
                part=f"composed_{place}",
                group=f"composed/{pair[0].id}",
                fold=fold,
                targets={policy: violates, **weak},
                weights=dict.fromkeys(weak, WEAK),
                evidence=(policy, place) if violates else None,
            )
        )
    return twins


def _host(place: Place, hosts: Hosts, chance: random.Random) -> Example:
    """Harmless words in the other places, each there with 60 %, and footage."""
    drawn: dict[str, Words | str | None] = {}
    for other in PLACES:
        line = chance.choice(hosts.lines)
        if other != place and chance.random() < 0.6:
            drawn[other] = placed_words(other, line, chance.randrange(1 << 30))
        else:
            drawn[other] = () if other != "caption" and chance.random() < 0.5 else None
    return Example(id="", part="", group="", fold=ALWAYS, footage=chance.choice(hosts.footage),
                   **drawn)  # type: ignore[arg-type]  # fmt: skip


def _placed(host: Example, place: Place, text: str, seed: int, *, clear: bool) -> Example:
    words = placed_words(place, text, seed, clear=clear)
    return replace(host, **{place: words})  # type: ignore[arg-type]


def placed_words(place: str, text: str, seed: int, *, clear: bool = False) -> Recognised | str:
    """A caption stays as it was typed; what is spoken or drawn is cleaned and recognised."""
    if place == "caption":
        return text
    if place == "speech":
        return Recognised("hear_clearly" if clear else "hear", clean(text), seed)
    return Recognised("see", clean(text), seed)
