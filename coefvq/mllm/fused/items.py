"""What the fused model is given of one video, and how its media are made ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import PostedText, TimedText
from coefvq.errors import ModelError
from coefvq.mllm.fused.layout import Layout

STATES_PER_SECOND = 50.0  # of every Whisper encoder: 10 ms mel frames, halved
_RATE = 16_000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FusedItem:
    """One video. ``None`` marks an absent modality; an empty sequence counts as absent too.

    Attributes:
        posted: Title and caption.
        speech: Lines with times.
        screen_text: Lines with times.
        frames: uint8 (n, H, W, 3) or n pictures of different sizes, RGB, in order of time.
        frame_features: float (n, C, rows, columns), in place of ``frames``.
        frame_times_s: Seconds of the frames, (n,).
        sound: float32 (samples,), 16 kHz mono, for a model with a sound tower.
        sound_states: float (T, C), for a model that takes precomputed states.
        sound_start_s: Second at which the sound or its first state starts.
        states_per_second: Of ``sound_states``.
        motion: float (M,), motion statistics.
    """

    posted: PostedText = field(default_factory=PostedText)
    speech: Sequence[TimedText] | None = None
    screen_text: Sequence[TimedText] | None = None
    frames: Any = None
    frame_features: NDArray[np.floating] | None = None
    frame_times_s: Sequence[float] | NDArray[np.floating] | None = None
    sound: Floats | None = None
    sound_states: NDArray[np.floating] | None = None
    sound_start_s: float = 0.0
    states_per_second: float = STATES_PER_SECOND
    motion: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Seen:
    """One sense of one item, ready for the model.

    Attributes:
        name: The model's input: ``pixel_values``, ``vision_features``, ``input_features`` or
            ``sound_features``.
        values: float32 (steps or windows, ...).
        times: Seconds, float64 (steps,).
        grid: Rows and columns of a feature map, or ``None``.
        states_a_window: States that the sound tower makes of a window; 1 where it has run.
    """

    name: str
    values: Floats
    times: NDArray[np.float64]
    grid: tuple[int, int] | None = None
    states_a_window: int = 1


def seen(item: FusedItem, layout: Layout, image_processor: Any) -> Seen | None:
    """Choose evenly spread frames and make them ready; ``None`` without frames.

    Raises:
        ModelError: If frames and times do not match, or both pixels and features are given.
    """
    raw = item.frames if item.frame_features is None else item.frame_features
    if raw is None or len(raw) == 0:
        return None
    if item.frames is not None and item.frame_features is not None:
        raise ModelError("An item has either frames or frame_features, not both.")
    times = np.asarray(item.frame_times_s if item.frame_times_s is not None else [], np.float64)
    if len(times) != len(raw):
        raise ModelError(f"{len(raw)} frames with {len(times)} times; give one time a frame.")
    times = np.nan_to_num(times, nan=0.0, posinf=0.0, neginf=0.0)
    # Placeholders are filled in the order of the prompt, which is that of time.
    keep = np.argsort(times, kind="stable")[spread(len(raw), max_frames(layout))]
    times = times[keep]
    if item.frame_features is not None:
        maps = np.asarray(item.frame_features, np.float32)[keep]
        return Seen("vision_features", maps, times, (maps.shape[2], maps.shape[3]))
    ready = image_processor(images=[raw[at] for at in keep], return_tensors="np")
    return Seen("pixel_values", np.asarray(ready["pixel_values"], np.float32), times)


def max_frames(layout: Layout) -> int:
    """Frames that fit: media get at most half of a prompt, sight two thirds of that."""
    side = max(1, -(-layout.grid_side // layout.patch_merge))
    groups = layout.max_tokens // 3 // (side * side)
    return max(layout.frame_pool, min(layout.max_frames, groups * layout.frame_pool))


def spread(total: int, most: int) -> list[int]:
    """At most ``most`` indices below ``total``, evenly spread, both ends included."""
    if total <= most:
        return list(range(total))
    if most == 1:
        return [total // 2]
    return [round(step * (total - 1) / (most - 1)) for step in range(most)]


def heard(item: FusedItem, layout: Layout, extractor: Any) -> Seen | None:
    """Make states or log-mel windows ready; ``None`` without sound.

    States that would make too many tokens are averaged in time first. Sound for a tower is
    cut after ``max_sound_tokens``.

    Raises:
        ModelError: If the item has sound but the model takes states.
    """
    if item.sound_states is not None and len(item.sound_states):
        ready = extractor(item.sound_states) if _takes_states(extractor) else None
        if ready is None:
            raise ModelError("This model has its own sound tower; give sound, not sound_states.")
        return _states(ready["sound_features"], item, layout)
    if item.sound is None or len(item.sound) == 0:
        return None
    if _takes_states(extractor):
        raise ModelError("This model takes sound_states of the speech recogniser, not sound.")
    return _windows(np.asarray(item.sound, np.float32), item.sound_start_s, layout, extractor)


def _takes_states(extractor: Any) -> bool:
    return "sound_features" in extractor.model_input_names


def _states(states: Floats, item: FusedItem, layout: Layout) -> Seen:
    most = layout.max_sound_tokens * layout.sound_pool
    by = -(-len(states) // most)
    bounds = np.arange(0, len(states), by)
    counts = np.diff(np.append(bounds, len(states)))
    averaged = np.add.reduceat(states, bounds, axis=0) / counts[:, None]
    times = item.sound_start_s + bounds / item.states_per_second
    return Seen("sound_features", averaged.astype(np.float32), times)


def _windows(sound: Floats, start_s: float, layout: Layout, extractor: Any) -> Seen:
    longest = layout.max_sound_tokens * layout.sound_pool / STATES_PER_SECOND
    sound = sound[: int(longest * _RATE)]
    size = int(extractor.n_samples)
    cut = [sound[at : at + size] for at in range(0, len(sound), size)]
    mel = [
        extractor(one, sampling_rate=_RATE, return_tensors="np")["input_features"] for one in cut
    ]
    steps = -(-len(sound) * int(STATES_PER_SECOND) // _RATE)
    times = start_s + np.arange(steps) / STATES_PER_SECOND
    values = np.concatenate(mel).astype(np.float32)
    return Seen("input_features", values, times, states_a_window=values.shape[2] // 2)
