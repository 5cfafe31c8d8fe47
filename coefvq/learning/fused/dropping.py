"""Modality dropout that leaves the evidence: what an example loses in training."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from coefvq.domain import PostedText
from coefvq.learning.fused.example import Example
from coefvq.mllm.fused.configuration import MODALITIES
from coefvq.mllm.fused.items import FusedItem

_SENSES = ("visual", "sound", "motion")
SENSE_RATE, TEXT_RATE = 0.2, 0.1
"""Probabilities with which a sense and a place of words is lost."""


def drawn_dropout(example: Example, seed: int) -> frozenset[str]:
    """Which modalities one example loses; the same arguments give the same draw.

    Words of real videos may lose any one place; where the evidence is known to lie in one
    place, that place stays.
    """
    chance = random.Random(f"{seed}/{example.id}")
    lost = {name for name in MODALITIES if chance.random() < _rate(name)}
    return frozenset(lost - _needed(example, chance))


_EMPTY: dict[str, dict[str, Any]] = {
    "visual": {"frames": None, "frame_features": None, "frame_times_s": None},
    "sound": {"sound": None, "sound_states": None},
    "motion": {"motion": None},
    "speech": {"speech": None},
    "screen_text": {"screen_text": None},
    "caption": {"posted": PostedText()},
}


def without(item: FusedItem, names: Collection[str]) -> FusedItem:
    """An item that lacks some of ``MODALITIES``."""
    for name in names:
        item = replace(item, **_EMPTY[name])
    return item


def has(item: FusedItem, name: str) -> bool:
    """Whether an item has anything of one of ``MODALITIES``."""
    if name == "caption":
        return item.posted != PostedText()
    return any(getattr(item, field) is not None for field in _EMPTY[name])


def _rate(name: str) -> float:
    return SENSE_RATE if name in _SENSES else TEXT_RATE


def _needed(example: Example, chance: random.Random) -> set[str]:
    """What stays: the place of the evidence, and one sense of footage that carries a label."""
    kept = {chance.choice(("visual", "motion"))} if example.footage else set()
    if example.part.startswith("composed_"):
        place = example.part.removeprefix("composed_").removesuffix("_steered")
        return kept | {place.removesuffix("_padded")}
    words = example.part.removesuffix("_steered").removesuffix("_padded")
    if words == "comment" or (example.speech is None and example.screen_text is None):
        return kept | {"caption"}
    return kept
