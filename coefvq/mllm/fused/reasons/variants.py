"""An item without one of its parts, to measure what the part does to the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coefvq.domain import TimedText
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.reasons.lines import PromptLine, in_time, second
from coefvq.mllm.prompt import timed_lines


def without_line(item: FusedItem, line: PromptLine) -> FusedItem:
    """The item without one line of its prompt; its neighbours stay as they were shown."""
    if line.place in ("title", "caption"):
        text = getattr(item.posted, line.place) or ""
        left = text.replace(line.raw, "", 1).strip() or None
        return replace(item, posted=replace(item.posted, **{line.place: left}))
    if line.place == "speech":
        return replace(item, speech=_others("speech", item.speech, line))
    return replace(item, screen_text=_others("screen_text", item.screen_text, line))


def _others(
    field: str, lines: Sequence[TimedText] | None, gone: PromptLine
) -> tuple[TimedText, ...]:
    pieces = timed_lines(field, in_time(lines))
    same = [one for one in pieces if (second(one.start_s), one.raw) == (gone.start_s, gone.raw)][:1]
    return tuple(TimedText(one.start_s, one.end_s, one.raw) for one in pieces if one not in same)


def without_place(item: FusedItem, place: str) -> FusedItem:
    """The item without all its words of one place: ``title``, ``speech`` and so on."""
    if place in ("title", "caption"):
        return replace(item, posted=replace(item.posted, **{place: None}))
    return replace(item, speech=()) if place == "speech" else replace(item, screen_text=())


def without_sense(item: FusedItem, sense: str) -> FusedItem:
    """The item without its ``sound``, or without its ``pictures`` and what moves in them."""
    if sense == "sound":
        return replace(item, sound=None, sound_states=None)
    return replace(item, frames=None, frame_features=None, frame_times_s=None, motion=None)
