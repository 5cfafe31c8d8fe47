"""The copy of a video that every browser plays: H.264 and AAC in MP4, seekable in small steps.

Hostile bytes never reach the ffmpeg program: it would open whatever a file claims to be, by
name. Our own opener decodes, and moviepy gets finished pictures and a sound file of our making.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.stream import VideoStream
from moviepy import VideoClip
from numpy.typing import NDArray
from proglog import ProgressBarLogger

from coefvq.domain import MediaInfo
from coefvq.media.container import OpenMedia, open_media
from coefvq.media.frames import FrameReader
from coefvq.media.limits import MediaLimits
from coefvq.media.pictures import Converter
from coefvq.media.probe import video_stream
from coefvq.media.sound import SoundReader, audio_stream
from coefvq.media.timeline import (
    AnyPacket,
    frame_step,
    origin_s,
    packets_of,
    scale_of,
    stamp_of,
)

Progress = Callable[[float], None]
LONG_SIDE, SHORT_SIDE = 1280, 720
MAX_FPS = 30.0
# With keyframes farther apart than this, stepping back in a browser is slow: encode anew.
MAX_KEY_GAP_S = 4.0
_SOUND_RATE = 48_000
_MOST_UNDATED = 16  # frames that H.264 can hold back
_BLOCKING = {"truncated", "rotated", "duration_estimated", "single_frame"}


def proxy_size(width: int, height: int) -> tuple[int, int]:
    """Return an even size within 1280 x 720 (or 720 x 1280), never enlarged."""
    long_side, short_side = max(width, height), min(width, height)
    scale = min(1.0, LONG_SIDE / long_side, SHORT_SIDE / short_side)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def write_proxy(
    info: MediaInfo,
    target: Path,
    limits: MediaLimits,
    progress: Progress | None = None,
    damaged: bool = False,
) -> str:
    """Write the proxy of ``info`` to ``target`` (.mp4).

    Args:
        info: From ``probe``.
        target: File to write.
        limits: Bounds; the wall time may grow to ten times the length.
        progress: Called with the share that is done, 0..1.
        damaged: Whether packets are known not to decode: then nothing is copied, because
            browsers stop at damage.

    Returns:
        ``remux`` where the streams could be copied as they are, else ``encode``.

    Raises:
        MediaError: If the file can no longer be opened.
        OSError: If the disk is full or ffmpeg cannot be run.
    """
    limits = replace(limits, max_decode_s=max(limits.max_decode_s, 10 * info.duration_s))
    if not damaged and is_playable(info) and _remux(info, target, limits):
        return "remux"
    _encode(info, target, limits, progress)
    return "encode"


def is_playable(info: MediaInfo) -> bool:
    """Whether browsers play the streams as they are, if only the container were right."""
    return (
        info.video_codec == "h264"
        and info.pixel_format in ("yuv420p", "yuvj420p")
        and info.audio_codec in (None, "aac")
        and proxy_size(info.width, info.height) == (info.width, info.height)
        and not _BLOCKING & set(info.warnings)
    )


def _remux(info: MediaInfo, target: Path, limits: MediaLimits) -> bool:
    """Copy the packets into a fresh MP4; False where they do not fit one."""
    try:
        with (
            open_media(info.path, limits) as media,
            av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as output,
        ):
            return _Remux(media, output, info).run()
    except (FFmpegError, ValueError):
        return False


@dataclass
class _Remux:
    """One copy of packets."""

    media: OpenMedia
    output: OutputContainer
    info: MediaInfo
    last_key_s: float = 0.0

    def run(self) -> bool:
        """Copy everything; False as soon as something does not fit."""
        video = video_stream(self.media, self.info.path)
        if video.sample_aspect_ratio not in (None, 0, 1):
            return False
        sound = audio_stream(self.media)
        inputs: list[Stream] = [video, *([sound] if sound else [])]
        outputs = {s.index: self.output.add_stream_from_template(s) for s in inputs}
        origin = origin_s(self.media.container)
        for packet in _dated(packets_of(self.media, *inputs), video):
            if packet is None or not self._steps_well(packet, video, origin):
                return False
            shift = round(origin / scale_of(packet.stream))
            packet.dts = packet.dts - shift if packet.dts is not None else None
            packet.pts = packet.pts - shift if packet.pts is not None else None
            packet.stream = outputs[packet.stream_index]
            self.output.mux(packet)
        return True

    def _steps_well(self, packet: AnyPacket, video: Stream, origin: float) -> bool:
        if packet.stream_index != video.index:
            return True
        time_s = (stamp_of(packet) or 0) * scale_of(video) - origin
        if time_s - self.last_key_s > MAX_KEY_GAP_S:
            return False
        if packet.is_keyframe:
            self.last_key_s = time_s
        return True


def _dated(packets: Iterable[AnyPacket | None], video: Stream) -> Iterator[AnyPacket | None]:
    """Give the first pictures the decoding times that Matroska leaves out: a frame apart."""
    waiting: list[AnyPacket] = []
    step = max(1, round(frame_step(cast(VideoStream, video)) / scale_of(video)))
    for packet in packets:
        if packet is None or packet.stream_index != video.index:
            yield packet
        elif packet.dts is None and len(waiting) < _MOST_UNDATED:
            waiting.append(packet)
        else:
            for place, early in enumerate(waiting):
                early.dts = (packet.dts or 0) - (len(waiting) - place) * step
            yield from (*waiting, packet)
            waiting = []
    yield from waiting


def _encode(info: MediaInfo, target: Path, limits: MediaLimits, progress: Progress | None) -> None:
    sound = target.with_suffix(".m4a")
    try:
        audible = info.has_audio and _write_sound(info, sound, limits)
        with open_media(info.path, limits) as media:
            clip = _clip(info, media)
            _write_clip(clip, target, sound if audible else None, progress)
    finally:
        sound.unlink(missing_ok=True)


def _clip(info: MediaInfo, media: OpenMedia) -> VideoClip:
    """Wrap the pictures of an open file as a moviepy clip that is read front to back."""
    # ffmpeg is told the rate with two decimals; using just that rate keeps sound in step.
    fps = round(min(MAX_FPS, max(1.0, info.fps or 25.0)), 2)
    stream = video_stream(media, info.path)
    stream.thread_type = "AUTO"
    reader = FrameReader(media, stream)
    convert = Converter(*proxy_size(info.width, info.height), info.rotation)
    latest: tuple[Any, NDArray[np.uint8]] = (None, np.zeros((2, 2, 3), np.uint8))

    def picture(time_s: float) -> NDArray[np.uint8]:
        nonlocal latest
        frame = reader.at(time_s + 0.5 / fps)
        if frame is not latest[0]:
            latest = (frame, convert(frame))
        return latest[1]

    count = max(1, round(info.duration_s * fps))
    clip = VideoClip(picture, duration=(count + 0.01) / fps)
    clip.fps = fps
    return clip


def _write_clip(
    clip: VideoClip, target: Path, sound: Path | None, progress: Progress | None
) -> None:
    every = str(max(1, round(clip.fps)))
    options = ["-profile:v", "high", "-crf", "26", "-g", every, "-movflags", "+faststart"]
    clip.write_videofile(
        str(target),
        fps=clip.fps,
        codec="libx264",
        preset="veryfast",
        audio=str(sound) if sound else False,
        audio_codec="copy",
        threads=2,
        ffmpeg_params=options,
        logger=_Bar(progress) if progress else None,
    )


def _write_sound(info: MediaInfo, target: Path, limits: MediaLimits) -> bool:
    """Write the sound as AAC into a file of our own; False where none can be decoded."""
    with open_media(info.path, limits) as media:
        stream = audio_stream(media)
        if stream is None:
            return False
        reader = SoundReader(media, stream, _SOUND_RATE, "stereo")
        with av.open(str(target), "w", format="mp4") as output:
            encoder = output.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
            encoder.codec_context.bit_rate = 128_000
            start = 0
            for block in reader.blocks():
                output.mux(encoder.encode(_sound_frame(block, start)))
                start += block.shape[1]
            output.mux(encoder.encode(None))
    return reader.length > 0


def _sound_frame(block: NDArray[np.float32], start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = _SOUND_RATE, start, Fraction(1, _SOUND_RATE)
    return frame


class _Bar(ProgressBarLogger):
    """Turns moviepy's bar into calls with the share done, 0..1."""

    def __init__(self, progress: Progress):
        super().__init__()
        self._progress = progress

    def bars_callback(self, bar: str, attr: str, value: Any, old_value: Any = None) -> None:
        """Report one step of the bar that counts frames."""
        total = self.bars[bar].get("total") if bar == "frame_index" else None
        if attr == "index" and total:
            self._progress(min(1.0, value / total))
