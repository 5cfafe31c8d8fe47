"""Which packets to decode for a few good frames: arithmetic on times and sizes, no decoding.

Decoding every frame costs 4 to 14 times what its keyframes cost, so the packet table is read
first (milliseconds) and the cheapest way that still covers the video in time is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BURST_PACKETS = 5
_SHORT_BURST_FRAMES = 64
# One burst of a short clip is the whole clip: there, motion is most of what is to be seen.
SHORT_S = 3.5
# Clips up to this long may always cost this much: a quarter of little shows too little.
_BRIEF_S, _BRIEF_MS = 10.0, 60.0
# No clip costs more than this beyond its keyframes, unless everything is asked for.
_MOST_MS = 250.0
# Milliseconds a pixel and a byte on one core, measured on H.264; only their ratio matters much.
_MS_PER_PIXEL = 1.5e-6
_MS_PER_BYTE = 1.0e-4
# A frame nearer than this to one already chosen shows nothing new, seconds.
_SAME_S = 0.2


@dataclass(frozen=True)
class Run:
    """Packets to decode from one keyframe on.

    Attributes:
        first: Index of the keyframe packet.
        full: Last packet decoded with everything; those after it only if referenced.
        last: Last packet to decode.
        wanted_s: Times of the frames to keep, ascending.
        bursts_s: Times at which a burst of frames for motion begins, ascending.
        burst_frames: Frames in a burst, neighbours unless ``burst_stride`` is more than 1.
        burst_stride: Every how many frames a burst takes one.
    """

    first: int
    full: int
    last: int
    wanted_s: tuple[float, ...]
    bursts_s: tuple[float, ...] = ()
    burst_frames: int = BURST_PACKETS
    burst_stride: int = 1


@dataclass(frozen=True)
class Plan:
    """What to decode.

    Attributes:
        method: ``forward`` (every packet), ``keyframes`` or ``keyframes+forward`` (runs into
            long groups of pictures).
    """

    method: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Table:
    """What planning needs to know of a stream.

    Attributes:
        times_s: float64 (packets,), presentation times in decoding order.
        sizes: int64 (packets,), bytes.
        keys: int64 (keyframes,), ascending indices; the first is the first decodable packet.
        end_s: Where the last picture ends.
        pixels: Of one frame.
    """

    times_s: NDArray[np.float64]
    sizes: NDArray[np.int64]
    keys: NDArray[np.int64]
    end_s: float
    pixels: int

    def costs_ms(self) -> NDArray[np.float64]:
        """Estimated decoding time of each packet, milliseconds, float64 (packets,)."""
        return np.asarray(self.pixels * _MS_PER_PIXEL + self.sizes * _MS_PER_BYTE, np.float64)


def targets(count: int, end_s: float) -> NDArray[np.float64]:
    """Return the middles of ``count`` equal parts of 0..``end_s``, float64 (count,)."""
    return np.asarray((np.arange(count) + 0.5) * (end_s / count), np.float64)


def make_plan(table: Table, frames: int, bursts: int, share: float) -> Plan:
    """Choose what to decode.

    Args:
        table: The stream's packets, at least one.
        frames: Distinct frames wanted, at least 1.
        bursts: Places to watch motion at.
        share: Part of the cost of decoding everything that may be spent, 0..1, up to a
            quarter of a second. Keyframes are always affordable; 1.0 decodes everything.

    Returns:
        Runs in ascending order that hold at most ``frames`` wanted times in all.
    """
    costs = table.costs_ms()
    full_ms = float(costs.sum())
    budget_ms = full_ms * share if share >= 1.0 else min(full_ms * share, _MOST_MS)
    if table.end_s <= _BRIEF_S:
        budget_ms = max(budget_ms, _BRIEF_MS)
    if table.end_s <= SHORT_S or len(costs) <= 2 * frames or budget_ms >= full_ms:
        return _everything(table, frames, bursts)
    return _Chooser(table, costs, budget_ms, frames).plan(bursts)


def _everything(table: Table, frames: int, bursts: int) -> Plan:
    first, last = int(table.keys[0]), len(table.times_s) - 1
    shown = np.unique(table.times_s[first:])
    near = {int(np.abs(shown - t).argmin()) for t in targets(frames, table.end_s)}
    wanted = tuple(float(shown[i]) for i in sorted(near))
    if table.end_s <= SHORT_S:
        stride = -(-len(shown) // _SHORT_BURST_FRAMES)
        starts, count = (float(shown[0]),) * min(bursts, 1), _SHORT_BURST_FRAMES
    else:
        stride, count = 1, BURST_PACKETS
        starts = tuple(targets(bursts, table.end_s).tolist()) if bursts else ()
    return Plan("forward", (Run(first, last, last, wanted, starts, count, stride),))


@dataclass
class _Chooser:
    """Spends a budget: keyframes near the targets, then bursts, then runs into long groups."""

    table: Table
    costs: NDArray[np.float64]
    budget_ms: float
    frames: int
    chosen: dict[float, int] = field(default_factory=dict)  # time -> its keyframe's index
    reach: dict[int, int] = field(default_factory=dict)  # keyframe -> last packet decoded
    full: dict[int, int] = field(default_factory=dict)  # keyframe -> last packet of its burst

    def plan(self, bursts: int) -> Plan:
        self._take_keyframes()
        self._take_bursts(bursts)
        self._reach_targets()
        extended = any(last > self.full.get(key, key) for key, last in self.reach.items())
        self._fill()
        return Plan("keyframes+forward" if extended else "keyframes", self._runs())

    def _time(self, index: int) -> float:
        return float(self.table.times_s[index])

    def _take(self, key: int, time_s: float) -> None:
        self.chosen[time_s] = key
        if key not in self.reach:
            self.reach[key] = key
            self.budget_ms -= float(self.costs[key])

    def _take_keyframes(self) -> None:
        times = self.table.times_s[self.table.keys]
        for target in targets(self.frames, self.table.end_s):
            key = int(self.table.keys[np.abs(times - target).argmin()])
            self._take(key, self._time(key))

    def _take_bursts(self, bursts: int) -> None:
        keys = sorted(self.reach)
        places = np.linspace(0, len(keys) - 1, min(bursts, len(keys))).round().astype(int)
        for key in [keys[i] for i in dict.fromkeys(places.tolist())]:
            last = burst_end(self.table.times_s, key)
            cost = float(self.costs[key + 1 : last + 1].sum())
            if last > key and (cost <= self.budget_ms or not self.full):
                self.full[key] = self.reach[key] = last
                self.budget_ms -= cost

    def _reach_targets(self) -> None:
        """Decode on from a keyframe to targets that no keyframe is near, best value first."""
        part = self.table.end_s / self.frames
        left = [t for t in targets(self.frames, self.table.end_s) if self._gap(t) > part / 2]
        while left and len(self.chosen) < self.frames:
            ways = [(self._gap(t), t, *self._way(t)) for t in left]
            _, target, cost, key, last = max(ways, key=lambda way: way[0] / max(way[2], 1e-9))
            left.remove(target)
            if cost <= self.budget_ms:
                self.reach[key] = max(self.reach.get(key, key), last)
                self.budget_ms -= cost
                self.chosen[self._time(last)] = key

    def _gap(self, time_s: float) -> float:
        return min(abs(time_s - known) for known in self.chosen)

    def _way(self, target: float) -> tuple[float, int, int]:
        """Cost of getting to ``target``, its keyframe, and the packet that shows it."""
        before = self.table.keys[self.table.times_s[self.table.keys] <= target]
        key = int(before[-1]) if before.size else int(self.table.keys[0])
        later = self.table.keys[self.table.keys > key]
        stop = int(later[0]) if later.size else len(self.costs)
        last = key + int(np.abs(self.table.times_s[key:stop] - target).argmin())
        start = self.reach[key] + 1 if key in self.reach else key
        return self._run_cost(key, start, last), key, last

    def _run_cost(self, key: int, start: int, last: int) -> float:
        """Frames shown before one decoded earlier are mostly unreferenced: count half."""
        times = self.table.times_s[key : last + 1]
        backward = times < np.maximum.accumulate(times)
        weights = np.where(backward, 0.5, 1.0) * self.costs[key : last + 1]
        return float(weights[start - key :].sum())

    def _fill(self) -> None:
        """Add what is decoded anyway, then unused keyframes, farthest from the chosen first."""
        while len(self.chosen) < self.frames:
            places, keys = self._options()
            known = np.array(sorted(self.chosen))
            times = self.table.times_s[places]
            gaps = np.abs(times[:, None] - known[None, :]).min(axis=1)
            best = int(gaps.argmax())
            if gaps[best] < _SAME_S:
                return
            self._take(int(keys[best]), float(times[best]))

    def _options(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Packets that could still be shown, and the keyframe that each is decoded from."""
        spans = [np.arange(key, last + 1) for key, last in self.reach.items()]
        owners = [np.full(last - key + 1, key) for key, last in self.reach.items()]
        unused = np.setdiff1d(self.table.keys, np.array(list(self.reach)))
        unused = unused[self.costs[unused] <= self.budget_ms]
        return np.concatenate([*spans, unused]), np.concatenate([*owners, unused])

    def _runs(self) -> tuple[Run, ...]:
        runs = []
        for key in sorted(self.reach):
            wanted = tuple(sorted(t for t, owner in self.chosen.items() if owner == key))
            full = self.full.get(key, key)
            starts = (self._time(key),) if key in self.full else ()
            runs.append(Run(key, full, self.reach[key], wanted, starts, full - key + 1))
        return tuple(runs)


def burst_end(times_s: NDArray[np.float64], key: int, packets: int = BURST_PACKETS) -> int:
    """Return the last packet of the shortest run from ``key`` whose pictures follow each other.

    Decoding order is not showing order, so five packets may show frames 0, 1, 2, 4 and 8. The
    run grows until its pictures are neighbours; where that takes too long, it stays short.
    """
    window = times_s[key : key + 4 * packets]
    window = np.where(window < times_s[key], np.inf, window)  # leading pictures are not decoded
    for count in range(min(packets, len(window)), min(2 * packets, len(window)) + 1):
        near = np.sort(window)[:count]
        if np.array_equal(np.sort(window[:count]), near):
            return key + count - 1
    return min(key + packets, len(times_s)) - 1
