"""The training mixture of the MLLM stage: which texts, in which fields, in which fold.

Text sets put their text in one field; a video can show it in any. So texts are moved between
fields at random (seeded), speech is cut into timed lines, and modalities are dropped. Comments
are also laid over real videos' texts, so that spam is learnt inside long, harmless text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.model_selection import StratifiedGroupKFold

from coefvq.domain import TimedText
from coefvq.learning import text_corpora as corpora
from coefvq.learning.text_corpora import HATE, SCAM, TextItem
from coefvq.mllm.prompt import Line, posted_lines, timed_lines

POLICIES = (HATE, SCAM)
ALWAYS = -1
_WEAK_WEIGHT = 0.3
_SPEECH_CHARS_A_SECOND = 15.0


@dataclass(frozen=True)
class Example:
    """One prompt's worth of text with what is known about it.

    Attributes:
        part: Which part of the mixture: ``video``, ``video_moved``, ``video_posted``,
            ``comment``, ``comment_moved``, ``overlay``, ``tweet``, ``tweet_held``,
            ``headline``, ``headline_held``.
        fold: The run that must not train on it; ``ALWAYS`` may be trained on in every run.
        targets: 0/1 by policy of ``POLICIES``; ``None`` where unlabelled.
        weights: Loss weight by policy.
    """

    id: str
    part: str
    fold: int
    lines: tuple[Line, ...]
    targets: tuple[int | None, ...]
    weights: tuple[float, ...]
    tags: tuple[str, ...] = ()


TRAINED_PARTS = ("video", "video_moved", "comment", "comment_moved", "overlay", "tweet", "headline")


def build_mixture(
    data_dir: Path, *, seed: int = 0, folds: int = 5, max_items: int | None = None
) -> list[Example]:
    """Read all sets and place their texts. The same arguments give the same list.

    Args:
        folds: Folds of the videos; video ``i`` of the comments belongs to fold ``i``.
        max_items: At most so many of each set, for trials.
    """
    chance = random.Random(seed)
    videos = _cut(corpora.multihateclip(data_dir, weak_scam=True), max_items, chance)
    comments = _cut(corpora.youtube_spam(data_dir), max_items, chance)
    video_folds = assign_folds(videos, HATE, folds, seed)
    sources = sorted({item.group for item in comments})
    comment_folds = [sources.index(item.group) % folds for item in comments]
    examples = _videos(videos, video_folds, chance)
    examples += _comments(comments, comment_folds, chance)
    examples += _overlays(videos, video_folds, comments, comment_folds, chance)
    examples += _tweets(corpora.davidson(data_dir, weak_scam=True), chance, max_items)
    examples += _headlines(corpora.headlines(data_dir), chance, max_items)
    return examples


def assign_folds(items: Sequence[TextItem], policy: str, folds: int, seed: int) -> list[int]:
    """Fold of each item: groups stay together, label shares are kept."""
    labels = [item.labels[policy] for item in items]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    result = [0] * len(items)
    groups = [item.group for item in items]
    for fold, (_, held) in enumerate(splitter.split(labels, labels, groups)):
        for index in held:
            result[int(index)] = fold
    return result


def as_lines(item: TextItem, chance: random.Random | None = None) -> tuple[Line, ...]:
    """The lines of an item; with ``chance`` speech is cut into timed lines."""
    lines = posted_lines("title", item.title) + posted_lines("caption", item.caption)
    for field in ("speech", "screen_text"):
        text = getattr(item, field)
        if text:
            lines += timed_lines(field, _timed(text, chance))
    return tuple(lines)


def _timed(text: str, chance: random.Random | None) -> list[TimedText]:
    if chance is None:
        return [TimedText(0.0, len(text) / _SPEECH_CHARS_A_SECOND, text)]
    words = re.findall(r"\S+", text)
    lines, now = [], chance.uniform(0.0, 4.0)
    while words:
        count = chance.randint(4, 22)
        piece, words = " ".join(words[:count]), words[count:]
        end = now + len(piece) / _SPEECH_CHARS_A_SECOND
        lines.append(TimedText(now, end, piece))
        now = end + chance.expovariate(1.0)
    return lines


def move_to(item: TextItem, field: str) -> TextItem:
    """Put all text of an item into one field."""
    empty = replace(item, title=None, caption=None, speech=None, screen_text=None)
    return _put(empty, field, " ".join(item.text.split()))


def _put(item: TextItem, field: str, text: str | None) -> TextItem:
    fields: dict[str, Any] = {field: text}
    return replace(item, **fields)


def _pick_field(chance: random.Random) -> str:
    return chance.choices(
        ("title", "caption", "speech", "screen_text"), weights=(0.25, 0.3, 0.25, 0.2)
    )[0]


def _example(item: TextItem, part: str, fold: int, chance: random.Random | None = None) -> Example:
    return Example(
        id=item.id,
        part=part,
        fold=fold,
        lines=as_lines(item, chance),
        targets=tuple(item.labels.get(policy) for policy in POLICIES),
        weights=tuple(_WEAK_WEIGHT if policy in item.weak else 1.0 for policy in POLICIES),
        tags=item.tags,
    )


def _videos(
    videos: Sequence[TextItem], folds: Sequence[int], chance: random.Random
) -> list[Example]:
    examples = []
    for item, fold in zip(videos, folds, strict=True):
        posted = replace(item, speech=None)
        examples.append(_example(item, "video", fold))
        examples.append(_example(_moved_video(item, chance), "video_moved", fold, chance))
        examples.append(_example(posted, "video_posted", fold))
    return examples


def _moved_video(item: TextItem, chance: random.Random) -> TextItem:
    draw = chance.random()
    if draw < 0.3 and (item.title or item.caption):
        return replace(item, speech=None)
    if draw < 0.5 and item.speech:
        return replace(item, title=None, caption=None)
    if draw < 0.65:
        return replace(item, screen_text=item.speech, speech=None)
    if draw < 0.75:
        return move_to(item, "caption")
    return item


def _comments(
    comments: Sequence[TextItem], folds: Sequence[int], chance: random.Random
) -> list[Example]:
    examples = []
    for item, fold in zip(comments, folds, strict=True):
        moved = move_to(item, chance.choice(("title", "speech", "screen_text")))
        examples.append(_example(item, "comment", fold))
        if chance.random() < 0.5:
            examples.append(_example(moved, "comment_moved", fold, chance))
    return examples


def _overlays(
    videos: Sequence[TextItem],
    video_folds: Sequence[int],
    comments: Sequence[TextItem],
    comment_folds: Sequence[int],
    chance: random.Random,
    count: int = 320,
) -> list[Example]:
    """Comments as caption or screen text of a real video of the same fold."""
    examples = []
    for comment, fold in chance.sample(
        list(zip(comments, comment_folds, strict=True)), min(count, len(comments))
    ):
        hosts = [v for v, f in zip(videos, video_folds, strict=True) if f == fold and v.speech]
        if not hosts:
            continue
        host = chance.choice(hosts)
        field = chance.choice(("caption", "screen_text"))
        labels = {**host.labels, SCAM: comment.labels[SCAM]}
        name = f"{host.id}+{comment.id}"
        both = replace(host, id=name, weak=frozenset(), labels=labels)
        both = _put(both, field, comment.caption)
        examples.append(_example(both, "overlay", fold, chance))
    return examples


def _tweets(
    tweets: Sequence[TextItem], chance: random.Random, max_items: int | None
) -> list[Example]:
    """Balanced between hate, offensive and neither; dialect slice only for evaluation."""

    def of_class(name: str) -> list[TextItem]:
        return [t for t in tweets if f"class:{name}" in t.tags and "aae_like" not in t.tags]

    examples = []
    for name, trained, held in (("neither", 350, 200), ("offensive", 200, 120), ("hate", 150, 80)):
        drawn = _cut(of_class(name), min(trained + held, max_items or 10**9), chance)
        for number, item in enumerate(drawn):
            part = "tweet" if number < trained else "tweet_held"
            moved = move_to(item, _pick_field(chance)) if part == "tweet" else item
            examples.append(_example(moved, part, ALWAYS, chance))
    slices = [t for t in tweets if {"class:neither", "aae_like"} <= set(t.tags)]
    return examples + [_example(item, "tweet_held", ALWAYS) for item in slices]


def _headlines(
    lines: Sequence[TextItem], chance: random.Random, max_items: int | None
) -> list[Example]:
    drawn = _cut(list(lines), min(400, max_items or 400), chance)
    return [
        _example(
            move_to(item, _pick_field(chance)),
            "headline" if n < 250 else "headline_held",
            ALWAYS,
            chance,
        )
        for n, item in enumerate(drawn)
    ]


def _cut(items: list[TextItem], count: int | None, chance: random.Random) -> list[TextItem]:
    if count is None or len(items) <= count:
        return list(items)
    return chance.sample(items, count)
