"""What the packets of a video stream say without decoding a frame: times, keyframes, sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from coefvq.media.container import OpenMedia

# PyAV types a packet by its stream; mixed streams come out of one container.
AnyPacket: TypeAlias = "Packet[Any]"
# Below this, reading every packet costs milliseconds; above it, the container is sought in.
SCAN_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Timeline:
    """The packets of one stream in decoding order.

    Attributes:
        packets: Undecoded packets, kept for decoding the chosen ones.
        times_s: float64 (packets,), presentation time from the start of the container.
        sizes: int64 (packets,), bytes.
        keys: int64 (keyframes,), indices of keyframe packets; at least one if any packet.
        end_s: Where the last picture ends.
        file_end_s: Where the last packet of picture or sound ends.
        damaged: Whether reading stopped at damage instead of the end.
    """

    packets: tuple[AnyPacket, ...]
    times_s: NDArray[np.float64]
    sizes: NDArray[np.int64]
    keys: NDArray[np.int64]
    end_s: float
    file_end_s: float
    damaged: bool

    @property
    def steps_s(self) -> NDArray[np.float64]:
        """Times between neighbouring pictures in presentation order, float64 (packets - 1,)."""
        return np.diff(np.unique(self.times_s))


def origin_s(container: InputContainer) -> float:
    """Return the container's own start time, which every time here is counted from."""
    start = container.start_time
    return start / av.time_base if start is not None else 0.0


def scale_of(stream: Stream) -> float:
    """Return the seconds in one tick of the stream's clock."""
    return float(stream.time_base) if stream.time_base else 1.0 / av.time_base


def stamp_of(packet: AnyPacket) -> int | None:
    """Return when a packet is shown in ticks, ``None`` where the container does not say."""
    return packet.pts if packet.pts is not None else packet.dts


def packets_of(media: OpenMedia, *streams: Stream) -> Iterator[AnyPacket | None]:
    """Yield the streams' packets; a final ``None`` where damage or time ended them early."""
    try:
        for packet in media.container.demux(*streams):
            if packet.size > 0:
                yield packet
    except FFmpegError:
        yield None
        return
    except IndexError:  # PyAV, after the last packet, where a track appeared in mid-file
        return
    if media.out_of_time:
        yield None


def scan(media: OpenMedia, stream: VideoStream, with_sound: bool = False) -> Timeline:
    """Read every packet from the current position; decode nothing.

    Args:
        media: The open file.
        stream: Whose packets to keep.
        with_sound: Whether ``file_end_s`` takes sound into account.
    """
    sounds = media.container.streams.audio if with_sound else ()
    packets: list[AnyPacket] = []
    ends = {sound.index: 0 for sound in sounds}
    damaged = False
    for packet in packets_of(media, stream, *sounds):
        if packet is None:
            damaged = True
        elif packet.stream_index == stream.index:
            packets.append(packet)
        else:
            ends[packet.stream_index] = max(ends[packet.stream_index], stamp_of(packet) or 0)
    damaged = damaged or any(packet.is_corrupt for packet in packets[-1:])
    origin = origin_s(media.container)
    sound_end_s = max((ends[s.index] * scale_of(s) - origin for s in sounds), default=0.0)
    return _timeline(packets, origin, stream, sound_end_s, damaged)


def _timeline(
    packets: list[AnyPacket],
    origin: float,
    stream: VideoStream,
    sound_end_s: float,
    damaged: bool,
) -> Timeline:
    times = _times(packets, origin, stream)
    keys = np.array([i for i, packet in enumerate(packets) if packet.is_keyframe], np.int64)
    if packets and not keys.size:
        keys = np.zeros(1, np.int64)
    end_s = max(float(times.max()) + frame_step(stream), 0.0) if packets else 0.0
    return Timeline(
        packets=tuple(packets),
        times_s=times,
        sizes=np.array([packet.size for packet in packets], np.int64),
        keys=keys,
        end_s=end_s,
        file_end_s=max(end_s, sound_end_s),
        damaged=damaged,
    )


def _times(packets: list[AnyPacket], origin: float, stream: VideoStream) -> NDArray[np.float64]:
    """Times of all packets; where the container gives none, the previous one plus a frame."""
    step, scale = frame_step(stream), scale_of(stream)
    times = np.zeros(len(packets), np.float64)
    last = -step
    for index, packet in enumerate(packets):
        stamp = stamp_of(packet)
        last = stamp * scale - origin if stamp is not None else last + step
        times[index] = last
    return times


def frame_step(stream: VideoStream) -> float:
    """Return the nominal time between frames in seconds; 1/25 where nothing is declared."""
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return float(1 / rate) if rate and 0.1 <= float(rate) <= 1000.0 else 0.04


def seek_runs(
    media: OpenMedia, stream: VideoStream, duration_s: float, count: int, packets: int = 9
) -> Iterator[tuple[list[AnyPacket], NDArray[np.float64]]]:
    """Yield a keyframe and the packets after it at up to ``count`` places of a large file.

    Each place is the keyframe before the middle of one of ``count`` equal parts; the same
    keyframe is never yielded twice.
    """
    origin = origin_s(media.container)
    seen: set[float] = set()
    for number in range(count):
        place = origin + (number + 0.5) * duration_s / count
        try:
            media.container.seek(int(place * av.time_base))
        except FFmpegError:
            continue
        found = _run_here(media, stream, packets)
        if not found:
            continue
        times = _times(found, origin, stream)
        if float(times[0]) not in seen:
            seen.add(float(times[0]))
            yield found, times


def _run_here(media: OpenMedia, stream: VideoStream, count: int) -> list[AnyPacket]:
    found: list[AnyPacket] = []
    for packet in packets_of(media, stream):
        if packet is None:
            break
        if found or packet.is_keyframe:
            found.append(packet)
        if len(found) >= count:
            break
    return found
