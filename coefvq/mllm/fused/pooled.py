"""What the readout's heads read of an example: pooled states and counted words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.split import Lower, Top
from coefvq.mllm.fused.words import Sparse, count_words
from coefvq.mllm.prompt import posted_lines, timed_lines

_SENSES = ("visual", "sound", "motion")


@dataclass(frozen=True)
class Known:
    """One example's pooled states by name, and its counted words."""

    states: Mapping[str, NDArray[np.float32]]
    counted: Sparse


def pooled_states(lower: Lower | Top) -> dict[str, NDArray[np.float32]]:
    """``text``, ``visual``, ``sound`` and ``motion``; what is absent is left out."""
    found = {name: lower.pooled[name].float().numpy() for name in _SENSES if name in lower.pooled}
    if bool(lower.text.any()):
        found["text"] = lower.text.float().numpy()
    return found


def words_of(item: FusedItem) -> list[str]:
    """All words of an item, a line each, as the prompt's pieces."""
    lines = posted_lines("title", item.posted.title) + posted_lines("caption", item.posted.caption)
    lines += timed_lines("speech", item.speech) + timed_lines("screen_text", item.screen_text)
    return [line.raw for line in lines]


def known_states(items: Sequence[FusedItem], lowers: Sequence[Lower | Top]) -> list[Known]:
    """Pooled states and words of items, from their lower states."""
    return [
        Known(pooled_states(lower), count_words(words_of(item)))
        for item, lower in zip(items, lowers, strict=True)
    ]
