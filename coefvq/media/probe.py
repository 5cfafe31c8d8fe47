"""Look at a file once, cheaply: is it a video we can use, and what is it like?"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import av
import numpy as np
from av.error import ArgumentError, FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.container import OpenMedia, open_container, open_media
from coefvq.media.limits import MediaLimits
from coefvq.media.pictures import display_size, upright_rotation
from coefvq.media.source import LocalFile, shown
from coefvq.media.timeline import (
    SCAN_BYTES,
    AnyPacket,
    Timeline,
    frame_step,
    origin_s,
    packets_of,
    scale_of,
    scan,
    stamp_of,
)

__all__ = ["open_container", "probe", "sha256_of", "video_stream"]

_HASH_BYTES = 1 << 20


@dataclass(frozen=True)
class _Span:
    """How long the pictures really last, and what is odd about their times."""

    duration_s: float
    fps: float
    warnings: tuple[str, ...]


def probe(
    path: str | os.PathLike[str],
    limits: MediaLimits | None = None,
    sha256: str | None = None,
) -> MediaInfo:
    """Open ``path`` safely, decode its first frame and describe it.

    Args:
        path: A local regular file; its name says nothing about its format.
        limits: Bounds to keep.
        sha256: Hex digest where the caller has just computed it; else the bytes are hashed.

    Returns:
        The description. ``warnings`` may hold ``no_audio``, ``audio_unsupported``,
        ``truncated``, ``duration_estimated``, ``variable_frame_rate``, ``rotated``,
        ``single_frame``, ``extra_video_tracks`` (only the first is looked at and shown).

    Raises:
        ValueError: If ``sha256`` is no lower-case hex digest.
        MediaError: ``not_found``, ``empty_file``, ``too_large``, ``unreadable_media``,
            ``unsupported_media``, ``no_video``, ``no_frames``, ``too_long``,
            ``too_many_pixels``, ``too_many_streams`` or ``decode_timeout``.
    """
    limits = limits or MediaLimits()
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"not a SHA-256 digest: {sha256[:80]!r}")  # it names files
    with open_media(path, limits) as media:
        stream = video_stream(media, path)
        _check_pixels(path, stream.width, stream.height, limits)
        frame, span = _look(media, stream, path)
        _check_pixels(path, frame.width, frame.height, limits)
        _check_duration(path, span.duration_s, limits)
        digest = sha256 or sha256_of(path, limits)
        return _describe(path, digest, media, stream, frame, span)


def video_stream(media: OpenMedia, path: str | os.PathLike[str]) -> VideoStream:
    """Return the stream to look at: the first that moves and can be decoded.

    Raises:
        MediaError: ``no_video`` (sound only, or a cover picture) or ``unsupported_media``.
    """
    moving = _moving(media)
    decodable = [stream for stream in moving if stream.codec_context is not None]
    if decodable:
        return decodable[0]
    if moving:
        raise MediaError(
            f"{shown(path)}: its picture codec is not known here. Re-encode it as H.264.",
            code="unsupported_media",
        )
    raise MediaError(
        f"{shown(path)}: there is no video track in it, only sound or nothing. "
        "Upload a file with pictures.",
        code="no_video",
    )


def _moving(media: OpenMedia) -> list[VideoStream]:
    """Video tracks other than cover pictures."""
    return [
        stream
        for stream in media.container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]


def sha256_of(path: str | os.PathLike[str], limits: MediaLimits | None = None) -> str:
    """Return the hex SHA-256 of a file's bytes, read in pieces.

    Raises:
        MediaError: As ``LocalFile``, and ``decode_timeout`` where reading takes too long.
    """
    source = LocalFile(path, limits or MediaLimits())
    digest = hashlib.sha256()
    total = 0
    try:
        while data := source.read(_HASH_BYTES):
            digest.update(data)
            total += len(data)
    finally:
        source.close()
    if total < source.size and source.deadline.passed:
        raise _timeout(path)
    return digest.hexdigest()


def _check_pixels(
    path: str | os.PathLike[str], width: int, height: int, limits: MediaLimits
) -> None:
    if max(width, height) <= limits.max_side and width * height <= limits.max_pixels:
        return
    raise MediaError(
        f"{shown(path)}: {width} x {height} pixels are more than allowed (a side of "
        f"{limits.max_side}, {limits.max_pixels} in all). Scale the video down.",
        code="too_many_pixels",
    )


def _check_duration(path: str | os.PathLike[str], duration_s: float, limits: MediaLimits) -> None:
    if duration_s > limits.max_duration_s:
        raise MediaError(
            f"{shown(path)}: {duration_s:.0f} s are longer than the {limits.max_duration_s:.0f} s "
            "allowed. Cut the video, or raise COEFVQ_MAX_DURATION_S.",
            code="too_long",
        )


def _timeout(path: str | os.PathLike[str]) -> MediaError:
    return MediaError(
        f"{shown(path)}: decoding took longer than allowed. Re-encode the video at a smaller "
        "size, or raise COEFVQ_MAX_DECODE_S.",
        code="decode_timeout",
    )


def _look(
    media: OpenMedia, stream: VideoStream, path: str | os.PathLike[str]
) -> tuple[VideoFrame, _Span]:
    """Decode one frame and measure the span; small files are read once for both."""
    declared = _declared_s(media, stream)
    if media.source.size <= SCAN_BYTES:
        timeline = scan(media, stream, with_sound=True)
        frame = _first_frame(media, stream, timeline.packets, path)
        return frame, _scanned_span(timeline, declared, stream)
    frame = _first_frame(media, stream, packets_of(media, stream), path)
    return frame, _sought_span(media, stream, declared)


def _first_frame(
    media: OpenMedia,
    stream: VideoStream,
    packets: Iterable[AnyPacket | None],
    path: str | os.PathLike[str],
) -> VideoFrame:
    """Decode until one picture comes out, past damaged packets."""
    refused = False
    for packet in chain(packets, [None]):
        try:
            frames = stream.codec_context.decode(packet)
        except ArgumentError:  # FFmpeg's answer to more pixels than it was told to allow
            refused = True
            continue
        except FFmpegError:
            continue
        if frames:
            return frames[0]
        if media.out_of_time:
            raise _timeout(path)
    raise _no_frame(path, refused)


def _no_frame(path: str | os.PathLike[str], refused: bool) -> MediaError:
    if refused:
        return MediaError(
            f"{shown(path)}: its pictures are larger than allowed, or declare a size that cannot "
            "be. Scale the video down.",
            code="too_many_pixels",
        )
    return MediaError(
        f"{shown(path)}: there is a video track but not one frame of it can be decoded. "
        "The upload was probably cut off; upload it again.",
        code="no_frames",
    )


def _declared_s(media: OpenMedia, stream: VideoStream) -> float | None:
    duration = media.container.duration
    if duration is not None and duration > 0:
        return duration / av.time_base
    if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return None


def _scanned_span(timeline: Timeline, declared: float | None, stream: VideoStream) -> _Span:
    """Compare what the header declares with the packets that are in the file."""
    warnings: list[str] = []
    if declared is None:
        warnings.append("duration_estimated")
    elif timeline.damaged or _is_cut(timeline.file_end_s, declared):
        warnings.append("truncated")
    steps = timeline.steps_s
    if steps.size >= 4 and _is_variable(steps):
        warnings.append("variable_frame_rate")
    if len(timeline.packets) == 1:
        warnings.append("single_frame")
    return _Span(timeline.file_end_s, _average_rate(timeline, stream), tuple(warnings))


def _average_rate(timeline: Timeline, stream: VideoStream) -> float:
    """Frames per second; a picture or two under hours of sound are not 25 a second."""
    if timeline.end_s < 0.5 * timeline.file_end_s:
        return len(timeline.packets) / timeline.file_end_s
    steps = timeline.steps_s
    return 1.0 / (float(steps.mean()) if steps.size else frame_step(stream))


def _sought_span(media: OpenMedia, stream: VideoStream, declared: float | None) -> _Span:
    """Look at the last part of a large file; at all of it where no length is declared."""
    end_s = _tail_end(media, stream, declared or 0.0)
    rate = 1.0 / frame_step(stream)
    if declared is None:
        return _Span(end_s, rate, ("duration_estimated",))
    if _is_cut(end_s, declared):
        return _Span(end_s, rate, ("truncated",))
    return _Span(max(end_s, declared), rate, ())


def _is_cut(end_s: float, declared: float) -> bool:
    return declared - end_s > max(0.5, 0.05 * declared)


def _is_variable(steps: np.ndarray) -> bool:
    """More than one step in twenty differs by half from the usual one."""
    usual = float(np.median(steps))
    return float(np.mean(np.abs(steps - usual) > 0.5 * usual)) > 0.05


def _tail_end(media: OpenMedia, stream: VideoStream, declared: float) -> float:
    """Return where the last picture ends, reading only the last part of a large file."""
    origin = origin_s(media.container)
    try:
        media.container.seek(int((origin + 0.97 * declared) * av.time_base))
    except FFmpegError:
        media.container.seek(0)
    scales = {item.index: scale_of(item) for item in media.container.streams}
    end_s = 0.0
    for packet in packets_of(media, stream, *media.container.streams.audio):
        stamp = stamp_of(packet) if packet is not None else None
        if packet is not None and stamp is not None:
            end_s = max(end_s, stamp * scales[packet.stream_index] - origin)
    return end_s + frame_step(stream)


def _describe(
    path: str | os.PathLike[str],
    digest: str,
    media: OpenMedia,
    stream: VideoStream,
    frame: VideoFrame,
    span: _Span,
) -> MediaInfo:
    rotation = upright_rotation(frame)
    width, height = display_size(frame.width, frame.height, stream.sample_aspect_ratio, rotation)
    sounds = [sound for sound in media.container.streams.audio]
    heard = next((sound for sound in sounds if sound.codec_context is not None), None)
    warnings = list(span.warnings)
    if heard is None:
        warnings.append("audio_unsupported" if sounds else "no_audio")
    if rotation:
        warnings.append("rotated")
    if len(_moving(media)) > 1:
        warnings.append("extra_video_tracks")
    return MediaInfo(
        path=os.fspath(path),
        sha256=digest,
        size_bytes=media.source.size,
        duration_s=round(span.duration_s, 6),
        width=width,
        height=height,
        rotation=rotation,
        fps=round(span.fps, 4),
        video_codec=stream.codec_context.codec.canonical_name,
        pixel_format=frame.format.name,
        container=media.container.format.name.split(",")[0],
        has_audio=heard is not None,
        audio_codec=heard.codec_context.codec.canonical_name if heard is not None else None,
        warnings=tuple(warnings),
    )
