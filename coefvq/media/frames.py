"""Frames of a video in order of time, read forward only, past damage."""

from __future__ import annotations

from collections.abc import Iterator

from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from coefvq.errors import MediaError
from coefvq.media.container import OpenMedia
from coefvq.media.timeline import frame_step, origin_s, packets_of, scale_of


def timed_frames(media: OpenMedia, stream: VideoStream) -> Iterator[tuple[float, VideoFrame]]:
    """Yield seconds and frame for every frame that decodes, until the end or the deadline."""
    origin, scale, step = origin_s(media.container), scale_of(stream), frame_step(stream)
    time_s = -step
    for frame in _frames(media, stream):
        stamp = frame.pts if frame.pts is not None else frame.dts
        time_s = stamp * scale - origin if stamp is not None else time_s + step
        yield max(0.0, time_s), frame


def _frames(media: OpenMedia, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in packets_of(media, stream):
        if packet is None or media.out_of_time:
            break
        try:
            yield from stream.codec_context.decode(packet)  # type: ignore[arg-type]
        except FFmpegError:
            continue  # damage: the next keyframe decodes again
    try:
        yield from stream.codec_context.decode(None)
    except FFmpegError:
        return


class FrameReader:
    """Gives the frame that is on the screen at a time; times must not go back."""

    def __init__(self, media: OpenMedia, stream: VideoStream):
        """Read the first frame.

        Raises:
            MediaError: ``no_frames`` where none can be decoded.
        """
        self._frames = timed_frames(media, stream)
        first = next(self._frames, None)
        if first is None:
            raise MediaError("Not one frame can be decoded any more.", code="no_frames")
        self._current = first[1]
        self._next = next(self._frames, None)

    def at(self, time_s: float) -> VideoFrame:
        """Return the newest frame that begins at ``time_s`` or before, at least the first."""
        while self._next is not None and self._next[0] <= time_s:
            self._current = self._next[1]
            self._next = next(self._frames, None)
        return self._current
