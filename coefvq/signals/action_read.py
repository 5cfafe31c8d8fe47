"""Decoding what the action statistics need: one or two windows of consecutive frames."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from coefvq.domain import MediaInfo
from coefvq.media.container import OpenMedia, open_media
from coefvq.media.decoding import Collector, decode_runs
from coefvq.media.limits import MediaLimits
from coefvq.media.pictures import Converter, fit
from coefvq.media.plan import SHORT_S, Run, Table
from coefvq.media.probe import video_stream
from coefvq.media.timeline import SCAN_BYTES, AnyPacket, Timeline, frame_step, scan, seek_runs
from coefvq.signals.action import Look, describe, liveliness, look
from coefvq.signals.action_flow import Floats

FRAMES = 26  # of one window, two seconds on the grid
_STEP_S = 0.08  # wanted between two frames of a window
_SIDE = 320  # longer side of the frames, pixels
_WINDOWS = 2
_MOST_PACKETS = 400  # of one window, whatever the frame rate
_WINDOW_MS = 400.0  # estimated decoding that one window may cost, one core


def read_action(
    info: MediaInfo, limits: MediaLimits | None = None, *, shuffle: Random | None = None
) -> Floats | None:
    """The action statistics of the livelier of two windows (a short clip has one).

    Args:
        info: From ``probe``.
        limits: Bounds; past ``max_decode_s`` what has been decoded by then counts.
        shuffle: Puts each window's frames in random order, to measure whether order matters.

    Returns:
        float32 (len(ACTION_NAMES),), finite; ``None`` where no three consecutive frames
        without a cut decode.

    Raises:
        MediaError: The file cannot be opened any more.
    """
    windows = _windows(info, limits or MediaLimits())
    if shuffle is not None:
        windows = [(gray[shuffle.sample(range(len(gray)), len(gray))], t) for gray, t in windows]
    seen = [found for window in windows if (found := look(*window))]
    best: Look | None = max(seen, key=lambda found: liveliness(found[2]), default=None)
    return None if best is None else describe(*best)


class _Watcher(Collector):
    """Keeps larger grey frames than the bursts of the cheap signals."""

    def __init__(self, media: OpenMedia, stream: VideoStream, info: MediaInfo):
        super().__init__(media, stream, info, _SIDE)
        self._gray = Converter(*fit(info.width, info.height, _SIDE), info.rotation, "gray")


def _windows(
    info: MediaInfo, limits: MediaLimits
) -> list[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    with open_media(info.path, limits) as media:
        stream = video_stream(media, info.path)
        collector = _Watcher(media, stream, info)
        if media.source.size <= SCAN_BYTES:
            timeline = scan(media, stream)
            runs = plan_windows(_table(timeline, stream)) if timeline.packets else ()
            collector.use_threads(sum(run.last - run.first + 1 for run in runs))
            decode_runs(collector, timeline.packets, timeline.times_s, runs)
        else:
            count = min(round(FRAMES * _STEP_S / frame_step(stream)) + 8, _MOST_PACKETS)
            collector.use_threads(_WINDOWS * count)
            for packets, times in seek_runs(media, stream, info.duration_s, _WINDOWS, count):
                _decode_sought(collector, packets, times)
    return [(np.stack(pictures), np.array(times)) for times, pictures in collector.bursts]


def _table(timeline: Timeline, stream: VideoStream) -> Table:
    # A GIF flags every picture as a keyframe, but draws it over the one before.
    keys = timeline.keys[:1] if stream.name == "gif" else timeline.keys
    pixels = max(stream.width * stream.height, 1)
    return Table(timeline.times_s, timeline.sizes, keys, timeline.end_s, pixels)


def _decode_sought(
    collector: Collector, packets: Sequence[AnyPacket], times_s: NDArray[np.float64]
) -> None:
    last = len(packets) - 1
    run = Run(0, last, last, (), (float(times_s[0]),), FRAMES, _stride(times_s))
    decode_runs(collector, packets, times_s, [run])


def _stride(times_s: NDArray[np.float64]) -> int:
    """Every how many frames a window takes one."""
    shown = np.unique(times_s)
    step = float(np.median(np.diff(shown))) if len(shown) > 1 else _STEP_S
    return max(1, round(_STEP_S / max(step, 1e-3)))


def plan_windows(table: Table) -> tuple[Run, ...]:
    """Choose what to decode: one window of a short clip, else two spread over the video.

    A window begins where it is wanted if decoding up to there is affordable, else at the
    nearest keyframe.
    """
    stride = _stride(table.times_s)
    length = min(FRAMES * stride, _MOST_PACKETS)
    if table.end_s <= SHORT_S:
        return (_run(table, int(table.keys[0]), float(table.times_s.min()), length, stride),)
    spare = max(table.end_s - FRAMES * _STEP_S, 0.0)
    found: dict[float, Run] = {}
    for number in range(_WINDOWS):
        run = _window(table, spare * (number + 0.5) / _WINDOWS, length, stride)
        found.setdefault(run.bursts_s[0], run)
    return tuple(found[start] for start in sorted(found))


def _window(table: Table, start_s: float, length: int, stride: int) -> Run:
    costs, key_times = table.costs_ms(), table.times_s[table.keys]
    before = table.keys[key_times <= start_s]
    key = int(before[-1]) if before.size else int(table.keys[0])
    run = _run(table, key, start_s, length, stride)
    whole = run.last - run.first < _MOST_PACKETS
    if whole and float(costs[run.first : run.last + 1].sum()) <= _WINDOW_MS:
        return run
    key = int(table.keys[np.abs(key_times - start_s).argmin()])
    return _run(table, key, float(table.times_s[key]), length, stride)


def _run(table: Table, key: int, start_s: float, length: int, stride: int) -> Run:
    """From a keyframe until ``length`` frames after ``start_s`` are sure to be shown."""
    times = table.times_s[key:]
    first = int(np.argmax(times >= start_s)) if (times >= start_s).any() else 0
    last = min(key + first + length + 8, len(table.times_s) - 1)
    return Run(key, last, last, (), (start_s,), FRAMES, stride)
