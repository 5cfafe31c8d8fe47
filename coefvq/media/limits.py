"""How much of a file the media code is willing to read, hold and decode."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from coefvq.settings import Settings


@dataclass(frozen=True)
class MediaLimits:
    """Bounds that every pass over a file keeps.

    Attributes:
        max_duration_s: Longest video, seconds.
        max_bytes: Largest file, bytes.
        max_side: Largest width or height, pixels.
        max_decode_s: Wall time that one pass (probe, sampling, sound) may take, seconds.
        max_streams: Most streams in a container.
        max_pixels: Largest width x height. 8192 x 8192 alone would need gigabytes of
            reference frames, so the area is bounded apart from the sides (8K passes).
    """

    max_duration_s: float = 4 * 3600.0
    max_bytes: int = 2 * 1024**3
    max_side: int = 8192
    max_decode_s: float = 60.0
    max_streams: int = 32
    max_pixels: int = 36_000_000

    @classmethod
    def from_settings(cls, settings: Settings) -> MediaLimits:
        """Take the limits that the settings name; the rest keep their defaults."""
        return cls(
            max_duration_s=settings.max_duration_s,
            max_bytes=settings.max_bytes,
            max_side=settings.max_side,
            max_decode_s=settings.max_decode_s,
        )


@dataclass(frozen=True)
class Deadline:
    """A moment after which a pass must stop."""

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @property
    def passed(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() - self.started > self.seconds
