"""What carries a score where the model named nothing for it: every line is left out in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.reasons.lines import PromptLine, cut_quote
from coefvq.mllm.fused.reasons.text import TEXT_PLACES, Point
from coefvq.mllm.fused.reasons.variants import without_line, without_place
from coefvq.mllm.rationale import SMALLEST_CHANGE

MOST_LINES = 10
"""Lines that are left out in turn, the longest ones; each costs a pass of the model."""
MOST_FOUND = 2
FOUND = "The model named nothing that speaks for it; this was found by leaving out each line."

Measure = Callable[[Sequence[FusedItem]], Mapping[str, NDArray[np.floating]]]


def strongest_lines(
    item: FusedItem,
    lines: Sequence[PromptLine],
    policy: str,
    probability: float,
    measure: Measure,
) -> list[tuple[Point, bool]]:
    """The lines without which a policy's probability falls most.

    Lines that say the same thing twice carry each other, so whole places are left out as well; a
    place speaks where none of its lines does alone.

    Args:
        lines: That the prompt shows.
        probability: Of the whole item, 0..1.

    Returns:
        At most ``MOST_FOUND`` points, and for each whether its whole place was left out.
    """
    longest = sorted(lines, key=lambda line: -len(line.words))[:MOST_LINES]
    places = [p for p in TEXT_PLACES if sum(line.place == p for line in lines) > 1]
    variants = [without_line(item, line) for line in longest]
    variants += [without_place(item, place) for place in places]
    if not variants:
        return []
    falls = probability - np.asarray(measure(variants)[policy], dtype=float)
    alone = [(falls[at], line) for at, line in enumerate(longest) if falls[at] >= SMALLEST_CHANGE]
    spoken_for = {line.place for _, line in alone}
    found = [(fall, line, False) for fall, line in alone]
    for fall, place in zip(falls[len(longest) :], places, strict=True):
        if fall >= SMALLEST_CHANGE and place not in spoken_for:
            line = next(line for line in longest if line.place == place)
            found.append((fall, line, True))
    found.sort(key=lambda one: -one[0])
    return [(_point(line), whole) for _, line, whole in found[:MOST_FOUND]]


def _point(line: PromptLine) -> Point:
    return Point(line.place, line.at_s, cut_quote(max(line.runs, key=len)))
