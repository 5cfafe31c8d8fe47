"""Pictures, movement and recognised words of the mixture, computed once and kept in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coefvq.domain import PostedText, TimedText
from coefvq.errors import MediaError
from coefvq.learning.clip_corpora import ClipItem
from coefvq.learning.clock import Clock, Progress
from coefvq.learning.fused.example import Example, Recognised, Words
from coefvq.learning.recognised import Recognised as Heard
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.senses import SOUND_STATES_PER_SECOND, sample_pictures
from coefvq.signals.action import ACTION_NAMES
from coefvq.signals.action_read import read_action

_REVISION = 1


@dataclass(frozen=True)
class Footage:
    """What a clip shows.

    Attributes:
        maps: float16 (frames, 1280, 7, 7), the vision tower's feature maps.
        times_s: float64 (frames,).
        motion: float32 (M,), or ``None`` where there is no movement to measure.
    """

    maps: NDArray[np.float16]
    times_s: NDArray[np.float64]
    motion: NDArray[np.float32] | None


def footage_of(
    clips: Sequence[ClipItem], folder: Path, tower: Any, processor: Any, progress: Progress
) -> dict[str, Footage]:
    """Describe every clip, or read what was described before; unreadable clips are left out.

    Args:
        tower: The model's vision tower, with ``network.feature_map``.
        processor: Its image processor.
    """
    clock, found = Clock(len(clips), "looking at clips", progress), {}
    for clip in clips:
        key = f"{_REVISION}/{clip.id}/{clip.path.stat().st_size}"
        name = f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
        seen = _kept(folder / "maps" / name, partial(_maps, clip, tower, processor))
        moved = _kept(folder / f"motion-{_names()}" / name, partial(_motion, clip))
        if seen:
            found[clip.id] = Footage(seen["maps"], seen["times_s"], moved.get("motion"))
        clock.tick()
    return found


Arrays = dict[str, NDArray[Any]]


def _kept(path: Path, make: Callable[[], Arrays]) -> Arrays:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, allow_pickle=False, **make())
        partial.rename(path)
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored}


@torch.inference_mode()
def _maps(clip: ClipItem, tower: Any, processor: Any) -> Arrays:
    """Feature maps and times; nothing where the clip cannot be read."""
    limits = MediaLimits()
    try:
        seen = sample_pictures(probe(clip.path, limits), limits)
    except MediaError:
        return {}
    ready = processor(images=list(seen.frames), return_tensors="pt")["pixel_values"]
    weight = next(tower.parameters())
    maps = tower.network.feature_map(ready.to(weight.dtype)).float().numpy()
    times = np.asarray(seen.times_s, np.float64)
    return {"maps": maps.astype(np.float16), "times_s": times}


def _names() -> str:
    return hashlib.sha256("\n".join(ACTION_NAMES).encode()).hexdigest()[:8]


def _motion(clip: ClipItem) -> Arrays:
    limits = MediaLimits()
    try:
        found = read_action(probe(clip.path, limits), limits)
    except MediaError:
        found = None
    return {} if found is None else {"motion": found}


def item_of(
    example: Example, footage: Mapping[str, Footage], heard: Mapping[Recognised, Heard]
) -> FusedItem:
    """Put one example together; footage plays as long as the words take."""
    speech, screen = (_lines(words, heard) for words in (example.speech, example.screen_text))
    shown = footage.get(example.footage) if example.footage else None
    states = None
    if isinstance(example.speech, Recognised):
        states = heard[example.speech].sound_states
    end = max([line.end_s for line in (*(speech or ()), *(screen or ()))], default=0.0)
    return FusedItem(
        posted=PostedText(example.title, example.caption),
        speech=speech,
        screen_text=screen,
        frame_features=None if shown is None else shown.maps,
        frame_times_s=None if shown is None else _stretched(shown.times_s, end),
        sound_states=states,
        states_per_second=SOUND_STATES_PER_SECOND,
        motion=None if shown is None else shown.motion,
    )


def _lines(words: Words, heard: Mapping[Recognised, Heard]) -> tuple[TimedText, ...] | None:
    return heard[words].lines if isinstance(words, Recognised) else words


def _stretched(times_s: NDArray[np.float64], end_s: float) -> NDArray[np.float64]:
    last = float(times_s[-1]) if len(times_s) else 0.0
    return times_s * (end_s / last) if 0.0 < last < end_s else times_s
