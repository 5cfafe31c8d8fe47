"""A few frames that stand for a video, at a fraction of what decoding all of it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.container import OpenMedia, open_media
from coefvq.media.decoding import Collector, decode_runs
from coefvq.media.limits import MediaLimits
from coefvq.media.plan import Plan, Run, Table, make_plan
from coefvq.media.probe import video_stream
from coefvq.media.source import shown
from coefvq.media.timeline import SCAN_BYTES, Timeline, scan, seek_runs

SHARE = 0.25


@dataclass(frozen=True)
class Burst:
    """Frames that follow each other, for motion.

    Attributes:
        gray: uint8 (frames, height, width), longer side at most 160 pixels, upright.
        times_s: float64 (frames,), ascending.
    """

    gray: NDArray[np.uint8]
    times_s: NDArray[np.float64]


@dataclass(frozen=True)
class FrameSample:
    """What was sampled.

    Attributes:
        frames: uint8 (n, height, width, 3), RGB, upright; 1 <= n <= the number asked for.
        times_s: float64 (n,), ascending, from the start of the video.
        bursts: Short runs for motion, ascending; empty only for a single decodable frame.
        decoded: Frames that the decoder put out for it.
        distinct: Different frames among ``frames`` (they are never repeated, so ``n``).
        method: ``forward``, ``keyframes``, ``keyframes+forward``, ``seeks`` or ``rescue``.
        warnings: ``sparse_keyframes``, ``corrupt_frames``, ``decode_time_limit``.
    """

    frames: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    bursts: tuple[Burst, ...]
    decoded: int
    distinct: int
    method: str
    warnings: tuple[str, ...] = ()


def sample(
    info: MediaInfo,
    limits: MediaLimits | None = None,
    frames: int = 8,
    bursts: int = 4,
    long_side: int = 448,
    share: float = SHARE,
) -> FrameSample:
    """Take up to ``frames`` frames spread over the video, and short bursts for motion.

    Args:
        info: From ``probe``.
        limits: Bounds; decoding stops at ``max_decode_s`` with what there is by then.
        frames: Distinct frames wanted. Fewer come back where keyframes are sparse and more
            would cost more than ``share``, or where the video has fewer.
        bursts: Places to watch motion at; a clip of up to 3.5 s is one burst.
        long_side: Longer side of the frames at most, pixels; they are never enlarged.
        share: Part of the cost of decoding every frame that may be spent; 1.0 decodes all.

    Returns:
        The sample.

    Raises:
        MediaError: ``no_frames`` or ``decode_timeout`` if not one frame came out in time, or
            the codes of ``open_container`` if the file has changed since the probe.
    """
    limits = limits or MediaLimits()
    with open_media(info.path, limits) as media:
        stream = video_stream(media, info.path)
        collector = Collector(media, stream, info, long_side)
        if media.source.size <= SCAN_BYTES:
            method = _sample_scanned(collector, scan(media, stream), frames, bursts, share)
        else:
            method = _sample_sought(collector, info, frames, bursts)
        if not collector.frames:
            raise _nothing(info, media)
        return _finish(collector, method, frames)


def _sample_scanned(
    collector: Collector, timeline: Timeline, frames: int, bursts: int, share: float
) -> str:
    if not timeline.packets:
        return "none"
    pixels = collector.stream.width * collector.stream.height
    table = Table(timeline.times_s, timeline.sizes, timeline.keys, timeline.end_s, max(pixels, 1))
    # A GIF flags every picture as a keyframe, but draws it over the one before.
    plan = make_plan(table, frames, bursts, 1.0 if collector.stream.name == "gif" else share)
    collector.use_threads(sum(run.last - run.first + 1 for run in plan.runs))
    decode_runs(collector, timeline.packets, timeline.times_s, plan.runs)
    if collector.frames or collector.out_of_time:
        return plan.method
    return _rescue(collector, timeline, frames)


def _rescue(collector: Collector, timeline: Timeline, frames: int) -> str:
    """The chosen keyframes were all damaged: take whatever decodes."""
    last = len(timeline.packets) - 1
    step = max(1, last // frames)
    wanted = tuple(np.unique(timeline.times_s)[::step][:frames].tolist())
    decode_runs(collector, timeline.packets, timeline.times_s, [Run(0, last, last, wanted)])
    return "rescue"


def _sample_sought(collector: Collector, info: MediaInfo, frames: int, bursts: int) -> str:
    every = max(1, frames // max(bursts, 1))
    sought = seek_runs(collector.media, collector.stream, info.duration_s, frames)
    for number, (packets, times) in enumerate(sought):
        plan = _sought_plan(times, burst=bursts > 0 and number % every == 0)
        decode_runs(collector, packets, times, plan.runs)
        if collector.out_of_time:
            break
    return "seeks"


def _sought_plan(times_s: NDArray[np.float64], burst: bool) -> Plan:
    last = len(times_s) - 1 if burst else 0
    start = float(times_s[0])
    return Plan("seeks", (Run(0, last, last, (start,), (start,) if burst else ()),))


def _finish(collector: Collector, method: str, frames: int) -> FrameSample:
    times, pictures = collector.ordered()
    warnings = list(collector.warnings)
    if len(pictures) < min(frames, 4) and method != "forward":
        warnings.append("sparse_keyframes")
    return FrameSample(
        frames=np.stack(pictures),
        times_s=np.array(times, np.float64),
        bursts=tuple(_burst(*parts) for parts in collector.bursts),
        decoded=collector.decoded,
        distinct=len(pictures),
        method=method,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _burst(times: Sequence[float], pictures: Sequence[NDArray[np.uint8]]) -> Burst:
    return Burst(np.stack(pictures), np.array(times, np.float64))


def _nothing(info: MediaInfo, media: OpenMedia) -> MediaError:
    if media.out_of_time:
        return MediaError(
            f"{shown(info.path)}: no frame was decoded in the time allowed. Re-encode the video "
            "at a smaller size, or raise COEFVQ_MAX_DECODE_S.",
            code="decode_timeout",
        )
    return MediaError(
        f"{shown(info.path)}: not one frame can be decoded. Upload the video again.",
        code="no_frames",
    )
