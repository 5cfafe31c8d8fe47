"""The sound of a video as the models hear it: 16 kHz, one channel, float32."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.stream import Discard
from numpy.typing import NDArray

from coefvq.domain import MediaInfo
from coefvq.media.container import OpenMedia, open_media
from coefvq.media.limits import MediaLimits
from coefvq.media.timeline import origin_s, packets_of

SAMPLE_RATE = 16_000
# A wrong time stamp must not make hours of silence.
_LONGEST_GAP_S = 600.0


@dataclass(frozen=True)
class Sound:
    """Decoded sound.

    Attributes:
        samples: float32 (samples,), 16 kHz, one channel, -1..1.
        warnings: ``audio_damaged`` (some packets could not be decoded) or
            ``audio_incomplete`` (the decoding time ran out).
    """

    samples: NDArray[np.float32]
    warnings: tuple[str, ...] = ()


def read_sound(
    info: MediaInfo, limits: MediaLimits | None = None, max_s: float | None = None
) -> NDArray[np.float32] | None:
    """Return the sound of a video; see ``decode_sound`` for the warnings as well.

    Args:
        info: From ``probe``.
        limits: Bounds; decoding stops at ``max_decode_s`` with what there is by then.
        max_s: At most this many seconds from the start.

    Returns:
        float32 (samples,) at 16 kHz, one channel; ``None`` without a readable sound track.

    Raises:
        MediaError: If the file can no longer be opened.
    """
    if not info.has_audio:
        return None
    sound = decode_sound(info.path, limits, max_s)
    return sound.samples if sound is not None else None


def decode_sound(
    path: str | os.PathLike[str],
    limits: MediaLimits | None = None,
    max_s: float | None = None,
) -> Sound | None:
    """Decode the sound of any allowed file, sound files included.

    Damaged packets are left out and later sound keeps its time: the gap is silence.

    Returns:
        The sound, or ``None`` without a sound track that yields any.

    Raises:
        MediaError: If the file cannot be opened.
    """
    limits = limits or MediaLimits()
    wanted_s = min(max_s or limits.max_duration_s, limits.max_duration_s)
    wanted = int(wanted_s * SAMPLE_RATE)
    with open_media(path, limits) as media:
        stream = audio_stream(media)
        if stream is None:
            return None
        reader = SoundReader(media, stream, SAMPLE_RATE, "mono")
        pieces: list[NDArray[np.float32]] = []
        for piece in reader.blocks():
            pieces.append(piece[0])
            if reader.length >= wanted:
                break
    if not pieces:
        return None
    return Sound(np.concatenate(pieces)[:wanted], tuple(dict.fromkeys(reader.warnings)))


def audio_stream(media: OpenMedia) -> AudioStream | None:
    """Return the first sound track that can be decoded."""
    streams = media.container.streams.audio
    return next((stream for stream in streams if stream.codec_context is not None), None)


class SoundReader:
    """One pass over a sound track, resampled, with silence where sound is missing.

    Attributes:
        length: Samples a channel given out so far.
        warnings: As in ``Sound``.
    """

    def __init__(self, media: OpenMedia, stream: AudioStream, rate: int, layout: str):
        self.length = 0
        self.warnings: list[str] = []
        self._media = media
        self._stream = stream
        self._rate = rate
        self._layout = layout
        self._origin_s = origin_s(media.container)
        self._form: tuple[str, int, str] | None = None
        self._resampler = self._new_resampler()
        for other in media.container.streams:
            if other.index != stream.index:
                other.discard = Discard.all

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield float32 (channels, samples), -1..1, in order and without gaps."""
        for frame in self._frames():
            yield from self._counted(self._silence_before(frame))
            yield from self._counted(self._resampled(frame))
        if self._form is not None:
            yield from self._counted(self._resampled(None))

    def _new_resampler(self) -> AudioResampler:
        return AudioResampler(format="fltp", layout=self._layout, rate=self._rate)

    def _frames(self) -> Iterator[AudioFrame]:
        for packet in packets_of(self._media, self._stream):
            if self._media.out_of_time:
                self.warnings.append("audio_incomplete")
                return
            if packet is None:
                self.warnings.append("audio_damaged")
                return
            try:
                yield from self._stream.codec_context.decode(packet)  # type: ignore[arg-type]
            except FFmpegError:
                self.warnings.append("audio_damaged")

    def _silence_before(self, frame: AudioFrame) -> list[NDArray[np.float32]]:
        """Half a second or more without sound is a gap; less is rounding of times."""
        if frame.time is None:
            return []
        gap = round((frame.time - self._origin_s) * self._rate) - self.length
        most = int(_LONGEST_GAP_S * self._rate)
        if not self._rate // 2 < gap <= most:
            return []
        channels = 1 if self._layout == "mono" else 2
        return [np.zeros((channels, gap), np.float32)]

    def _resampled(self, frame: AudioFrame | None) -> list[NDArray[np.float32]]:
        if frame is not None:
            form = (frame.format.name, frame.sample_rate, frame.layout.name)
            if self._form not in (None, form):  # a track may change its form midway
                self._resampler = self._new_resampler()
            self._form = form
        try:
            resampled = self._resampler.resample(frame)
            return [_clean(np.asarray(out.to_ndarray(), np.float32)) for out in resampled]
        except (FFmpegError, ValueError):
            self.warnings.append("audio_damaged")
            return []

    def _counted(self, pieces: list[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for piece in pieces:
            self.length += piece.shape[1]
            yield piece


def _clean(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bound what a broken decoder may put out: no NaN, no infinities, within -1..1."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
