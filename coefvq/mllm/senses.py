"""What the MLLM stage looks at besides the extracted signals: a few pictures of the file."""

from __future__ import annotations

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.limits import MediaLimits
from coefvq.media.sampling import FrameSample, sample

FRAMES = 8
LONG_SIDE = 448
SOUND_STATES_PER_SECOND = 2.0


def sample_pictures(info: MediaInfo, limits: MediaLimits | None = None) -> FrameSample:
    """Up to eight pictures spread over the video.

    Raises:
        MediaError: If no picture can be decoded.
    """
    return sample(info, limits, frames=FRAMES, bursts=0, long_side=LONG_SIDE)


def pictures_if_any(info: MediaInfo | None, limits: MediaLimits) -> FrameSample | None:
    """The pictures, or ``None`` where there is no file or nothing of it can be decoded."""
    if info is None:
        return None
    try:
        return sample_pictures(info, limits)
    except MediaError:
        return None
