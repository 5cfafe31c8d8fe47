"""Frames and sound for the model, decoded here under our limits, never by the model's library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.limits import MediaLimits
from coefvq.media.sampling import sample
from coefvq.media.sound import SAMPLE_RATE, read_sound

LONG_SIDE = 448
# Shorter sound gives the audio towers no token.
_LEAST_SOUND = SAMPLE_RATE // 4


@dataclass(frozen=True)
class Media:
    """What a model sees and hears of one video.

    Attributes:
        frames: uint8 (n, height, width, 3), RGB, or ``None`` without pictures.
        times_s: float (n,), seconds of the frames.
        sound: float32 (samples,), 16 kHz, one channel, or ``None`` if nothing is heard.
        duration_s: Seconds of the video; 0.0 where unknown.
        heard_all: Whether the sound is heard to its end (True for a video without sound).
    """

    frames: NDArray[np.uint8] | None = None
    times_s: tuple[float, ...] = ()
    sound: NDArray[np.float32] | None = None
    duration_s: float = 0.0
    heard_all: bool = True

    @property
    def fps(self) -> float:
        """Frames a second as sampled, at least one frame in the whole video."""
        if self.frames is None or self.duration_s <= 0.0:
            return 1.0
        return len(self.frames) / self.duration_s


def read_media(info: MediaInfo | None, limits: MediaLimits, frames: int, sound_s: float) -> Media:
    """Decode what the model is to see and hear.

    A file that cannot be decoded (any more) gives neither; what needs it is then not covered.

    Args:
        frames: At most this many; 0: no pictures.
        sound_s: Seconds of sound from the start; 0.0: none is heard.
    """
    if info is None:
        return Media()
    pictures, times_s = _frames(info, limits, frames)
    sound = _sound(info, limits, sound_s)
    heard = 0.0 if sound is None else sound_s
    return Media(
        frames=pictures,
        times_s=times_s,
        sound=sound,
        duration_s=max(0.0, info.duration_s),
        heard_all=not info.has_audio or info.duration_s <= heard,
    )


def _frames(
    info: MediaInfo, limits: MediaLimits, count: int
) -> tuple[NDArray[np.uint8] | None, tuple[float, ...]]:
    if count <= 0:
        return None, ()
    try:
        found = sample(info, limits, frames=count, bursts=0, long_side=LONG_SIDE)
    except MediaError:
        return None, ()
    return found.frames, tuple(map(float, found.times_s))


def _sound(info: MediaInfo, limits: MediaLimits, seconds: float) -> NDArray[np.float32] | None:
    if seconds <= 0.0:
        return None
    try:
        samples = read_sound(info, limits, max_s=seconds)
    except MediaError:
        return None
    return None if samples is None or len(samples) < _LEAST_SOUND else samples
