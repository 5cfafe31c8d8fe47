"""Decoding chosen packets and keeping only what is wanted from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from coefvq.domain import MediaInfo
from coefvq.media.container import OpenMedia
from coefvq.media.pictures import Converter, fit
from coefvq.media.plan import Run
from coefvq.media.timeline import origin_s, scale_of

BURST_SIDE = 160
_THREADS_FROM = 40


class Collector:
    """Keeps the wanted frames of one video, converted, and lets the others go.

    Attributes:
        frames: Time in seconds and uint8 (height, width, 3), in order of decoding.
        bursts: Per burst: times and uint8 (height, width) pictures.
        decoded: Frames that the decoder put out.
        warnings: What went wrong on the way.
    """

    def __init__(self, media: OpenMedia, stream: VideoStream, info: MediaInfo, long_side: int):
        self.media = media
        self.stream = stream
        self.frames: dict[float, NDArray[np.uint8]] = {}
        self.bursts: list[tuple[list[float], list[NDArray[np.uint8]]]] = []
        self.decoded = 0
        self.warnings: list[str] = []
        stream.codec_context.thread_count = 1
        self._origin_s = origin_s(media.container)
        self._scale = scale_of(stream)
        self._color = Converter(*fit(info.width, info.height, long_side), info.rotation)
        self._gray = Converter(*fit(info.width, info.height, BURST_SIDE), info.rotation, "gray")

    @property
    def out_of_time(self) -> bool:
        """Whether the pass must stop."""
        return self.media.out_of_time

    def use_threads(self, packets: int) -> None:
        """Decode long runs on two cores; for a few frames, starting threads costs more."""
        context = self.stream.codec_context
        if packets >= _THREADS_FROM and not context.is_open:
            context.thread_type, context.thread_count = "AUTO", 2

    def time_of(self, frame: VideoFrame) -> float:
        """Return when the frame is shown, seconds; unknown times follow the last one."""
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None:
            return max(self.frames, default=0.0)
        return max(0.0, stamp * self._scale - self._origin_s)

    def keep(self, time_s: float, frame: VideoFrame) -> None:
        """Keep a wanted frame."""
        self.frames[time_s] = self._color(frame)

    def gray(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return a frame small and grey, for motion."""
        return self._gray(frame)

    def ordered(self) -> tuple[list[float], list[NDArray[np.uint8]]]:
        """Return times and frames in ascending order of time."""
        times = sorted(self.frames)
        return times, [self.frames[time_s] for time_s in times]


class _BurstTaker:
    """Takes the bursts of one run out of its frames as they come."""

    def __init__(self, collector: Collector, run: Run):
        self._collector = collector
        self._starts = list(run.bursts_s)
        self._run = run
        self._since = -1  # frames since the current burst began; -1 outside a burst
        self._times: list[float] = []
        self._pictures: list[NDArray[np.uint8]] = []

    def see(self, time_s: float, frame: VideoFrame) -> None:
        """Take the frame if a burst wants it."""
        if self._since < 0 and self._starts and time_s >= self._starts[0] - 1e-6:
            self._starts.pop(0)
            self._since = 0
        if self._since < 0:
            return
        if self._since % self._run.burst_stride == 0:
            self._times.append(time_s)
            self._pictures.append(self._collector.gray(frame))
        self._since += 1
        if len(self._times) >= self._run.burst_frames:
            self.close()

    def close(self) -> None:
        """End the current burst; a single picture shows no motion and is dropped."""
        if len(self._times) > 1:
            self._collector.bursts.append((self._times, self._pictures))
        self._times, self._pictures, self._since = [], [], -1


def decode_runs(
    collector: Collector,
    packets: Sequence[Packet[VideoStream]],
    times_s: NDArray[np.float64],
    runs: Iterable[Run],
) -> None:
    """Decode the runs in order and hand the wanted frames to the collector."""
    for run in runs:
        _decode_run(collector, packets, times_s, run)
        if collector.out_of_time:
            collector.warnings.append("decode_time_limit")
            return


def _decode_run(
    collector: Collector,
    packets: Sequence[Packet[VideoStream]],
    times_s: NDArray[np.float64],
    run: Run,
) -> None:
    taker = _BurstTaker(collector, run)
    waiting = list(run.wanted_s)
    previous: tuple[float, VideoFrame] | None = None
    for frame in _frames(collector, packets, times_s, run):
        time_s = collector.time_of(frame)
        _serve(collector, waiting, previous, (time_s, frame))
        taker.see(time_s, frame)
        previous = (time_s, frame)
    if waiting and previous is not None:
        collector.keep(*previous)
    taker.close()


def _serve(
    collector: Collector,
    waiting: list[float],
    previous: tuple[float, VideoFrame] | None,
    current: tuple[float, VideoFrame],
) -> None:
    """Give each wanted time that has come the nearer of the two frames around it."""
    while waiting and current[0] >= waiting[0] - 1e-6:
        wanted = waiting.pop(0)
        earlier = previous is not None and wanted - previous[0] < current[0] - wanted
        collector.keep(*(previous if earlier and previous is not None else current))


def _frames(
    collector: Collector,
    packets: Sequence[Packet[VideoStream]],
    times_s: NDArray[np.float64],
    run: Run,
) -> Iterator[VideoFrame]:
    context = collector.stream.codec_context
    context.flush_buffers()
    context.skip_frame = "DEFAULT"
    for index in range(run.first, run.last + 1):
        if times_s[index] < times_s[run.first]:
            continue  # shown before the keyframe: needs pictures that were not decoded
        if index == run.full + 1:
            context.skip_frame = "NONREF"
        yield from _decode(collector, packets[index])
        if collector.out_of_time:
            return
    yield from _decode(collector, None)


def _decode(collector: Collector, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
    try:
        frames = collector.stream.codec_context.decode(packet)
    except FFmpegError:
        if packet is not None:
            collector.warnings.append("corrupt_frames")
        return []
    collector.decoded += len(frames)
    return frames
