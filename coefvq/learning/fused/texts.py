"""Placing the texts of text sets in the fields that a video has."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sklearn.model_selection import StratifiedGroupKFold

from coefvq.domain import TimedText
from coefvq.learning.text_corpora import TextItem

_SPEECH_CHARS_A_SECOND = 15.0


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


def timed(text: str, chance: random.Random | None) -> list[TimedText]:
    """Lines at the pace of speech: cut at random, or one line where nothing is drawn."""
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
    fields: dict[str, Any] = {field: " ".join(item.text.split())}
    return replace(empty, **fields)


def moved_video(item: TextItem, chance: random.Random) -> TextItem:
    """Drop a field, or move speech or everything to another, at random."""
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
