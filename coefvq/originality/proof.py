"""The proof of a match, frame by frame: what agrees, from when to when, and how well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.align import Changes, Line, changes, resampled
from coefvq.originality.register import Box, normalised, sampled
from coefvq.originality.stretch import longest, smooth, trimmed

Floats = NDArray[np.float32]

_SIDE = 16
_DETAIL_SIDE = 24
_FINE = 1.0  # cells around each in which fine contrast is taken
_CELL = 4
_CHANGE_SIDES = (12, 8)
"""Cells along a side in which changes are compared, where both show enough, and where not."""
_ENOUGH = 18.0  # cells of a small picture along a side of the common part
_AGREES = 0.45
_MOVES = 1.5  # grey levels of change from which on it must agree
_TEXTURE = 0.12
_FOLLOWS = 0.2
_LEAST_PARTS = 3
_DISAGREES = 0.3
_AROUND_S = 0.4
_MOST_COVERED = 5  # of 16 parts


@dataclass(frozen=True)
class Evidence:
    """What one alignment of a query with an original shows.

    Attributes:
        query_start_s: Of the longest stretch that agrees, in the query.
        query_end_s: Likewise.
        agreement: Median correlation of the frames' parts there, -1..1.
        change: Correlation of the changes there, -1..1; 0 where nothing moves.
        moving_s: Seconds there in which something moves.
        power: Mean change there, grey levels.
        share: Of the query's frames on the line that agree, 0..1.
        frames: Compared frames in the stretch.
        spoilt: Share of the parts that disagree while the others agree: overlays, 0..1.
        cover: Share of what the shorter of the two videos could match, 0..1.
    """

    query_start_s: float
    query_end_s: float
    agreement: float
    change: float
    moving_s: float
    power: float
    share: float
    frames: int
    spoilt: float
    cover: float

    @property
    def length_s(self) -> float:
        """Seconds of the query."""
        return self.query_end_s - self.query_start_s


@dataclass(frozen=True)
class Small:
    """A video's small pictures.

    Attributes:
        times_s: float32 (n,).
        plain: float32 (n, 24, 24), grey levels.
    """

    times_s: Floats
    plain: Floats

    @classmethod
    def of(cls, times_s: Floats, pictures: NDArray[np.uint8]) -> Small:
        """Prepare pictures uint8 (n, 24, 24)."""
        return cls(times_s, pictures.astype(np.float32))


@dataclass(frozen=True)
class Overlaid:
    """Two videos' small pictures, the common part of both cut out.

    Attributes:
        query_s: float32 (n,), times of the query's pictures.
        reference_s: float32 (m,).
        query: float32 (n, 16, 16), even local contrast.
        reference: float32 (m, 16, 16).
        query_plain: float32 (n, 12, 12), or 8 x 8 where one side shows it small; grey levels.
        reference_plain: float32 (m, 12, 12) or 8 x 8.
        query_changes: Of the query.
        reference_changes: Of the reference.
    """

    query_s: Floats
    reference_s: Floats
    query: Floats
    reference: Floats
    query_plain: Floats
    reference_plain: Floats
    query_changes: Changes
    reference_changes: Changes


def overlay(query: Small, reference: Small, box: Box) -> Overlaid:
    """Cut the common part out of two videos' small pictures, the query's turned."""
    area = box.common()
    theirs = box.in_reference(area)
    side = _change_side(area, theirs, query.plain.shape[-1])
    plain = sampled(query.plain, area, side)
    original = sampled(reference.plain, theirs, side)
    return Overlaid(
        query.times_s,
        reference.times_s,
        normalised(sampled(query.plain, area, _SIDE)),
        normalised(sampled(reference.plain, theirs, _SIDE)),
        plain,
        original,
        changes(query.times_s, plain),
        changes(reference.times_s, original),
    )


def _change_side(area: tuple[float, ...], theirs: tuple[float, ...], size: int) -> int:
    """Fewer cells where the common part is small in one of the two: finer ones differ anyway."""
    least = min(side[i + 2] - side[i] for side in (area, theirs) for i in (0, 1))
    return _CHANGE_SIDES[0] if least * size >= _ENOUGH else _CHANGE_SIDES[1]


def examine(seen: Overlaid, line: Line) -> Evidence | None:
    """Compare frame by frame along a line; ``None`` where no two frames agree.

    First the longest stretch is found whose pictures agree; then the changes within it are
    compared, so that what was joined before or after it does not count.
    """
    wanted = line.at(seen.query_s)
    edge = min(0.6, 2.0 * _step_s(seen.reference_s, alone=0.25))
    inside = (wanted >= seen.reference_s[0] - edge) & (wanted <= seen.reference_s[-1] + edge)
    if not inside.any():
        return None
    other = resampled(seen.reference_s, seen.reference, wanted)
    parts = _parts(seen.query, other)
    agreement = _summed(parts)
    alike = inside & (agreement > _AGREES)
    run = longest(seen.query_s, alike)
    if run is None:
        return None
    stretch = slice(run[0], run[1] + 1)
    clear = _clear(parts[stretch], seen.query_plain.shape[-1])
    held = _changes(seen, wanted, stretch, clear)
    good = np.zeros_like(alike)
    good[run[0] : run[1] + 1] = held.agrees
    final = longest(seen.query_s, good & alike)
    if final is None:
        return None
    inner = _inner(seen, wanted, final)
    if inner != final:
        final = run = inner
        stretch = slice(run[0], run[1] + 1)
        held = _changes(seen, wanted, stretch, clear)
    step = _step_s(seen.query_s, alone=0.0)
    start_s, end_s = float(seen.query_s[final[0]]), float(seen.query_s[final[1]]) + step
    length_s = end_s - start_s
    part = slice(final[0], final[1] + 1)
    within = slice(final[0] - run[0], final[1] + 1 - run[0])
    return Evidence(
        query_start_s=start_s,
        query_end_s=end_s,
        agreement=float(np.median(agreement[part])),
        change=held.correlation(within),
        moving_s=float(held.moving[within].sum() * step),
        power=held.power(within),
        share=float((good & alike)[inside].mean()),
        frames=int((good & alike)[part].sum()),
        spoilt=_spoilt(parts[part]),
        cover=min(1.0, length_s / max(0.1, _shared_s(seen, line))),
    )


def detail(query: NDArray[np.uint8], reference: NDArray[np.uint8], box: Box) -> float:
    """How well fine detail agrees, part by part, in thumbs of the same moments.

    A copy has the edges of its original where the original has them. The same movement shown
    again, by another actor or from another angle, has not.

    Args:
        query: uint8 (n, 48, 48), turned.
        reference: uint8 (n, 48, 48).
        box: Where the query's picture lies in the reference's.

    Returns:
        The median over the pairs of the median over the parts, -1..1; 0 where all is flat.
    """
    area = box.common()
    parts = _parts(
        normalised(sampled(query, area, _DETAIL_SIDE), _FINE),
        normalised(sampled(reference, box.in_reference(area), _DETAIL_SIDE), _FINE),
    )
    return float(np.median(_summed(parts))) if len(parts) else 0.0


def _inner(seen: Overlaid, wanted: Floats, rows: tuple[int, int]) -> tuple[int, int]:
    part = slice(rows[0], rows[1] + 1)
    theirs = resampled(seen.reference_s, seen.reference_plain, wanted[part])
    first, last = trimmed(seen.query_s[part], seen.query_plain[part], theirs)
    return rows[0] + first, rows[0] + last


def _step_s(times_s: Floats, alone: float) -> float:
    """Usual seconds between pictures; ``alone`` for a single one."""
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else alone


@dataclass(frozen=True)
class _Held:
    """Changes of both along a stretch of the line, one row a compared picture."""

    dots: Floats
    one: Floats
    two: Floats
    moving: NDArray[np.bool_]
    agrees: NDArray[np.bool_]

    def correlation(self, part: slice) -> float:
        """Of the changes, -1..1."""
        power = float(np.sqrt(self.one[part].sum() * self.two[part].sum()))
        return float(self.dots[part].sum()) / power if power > 1e-6 else 0.0

    def power(self, part: slice) -> float:
        """Mean change of both, grey levels."""
        return float(np.sqrt(np.sqrt(self.one[part].mean() * self.two[part].mean())))


def _changes(seen: Overlaid, wanted: Floats, part: slice, clear: NDArray[np.bool_]) -> _Held:
    times = seen.query_s[part]
    mine = changes(times, seen.query_plain[part]).rows[:, clear]
    original = resampled(seen.reference_s, seen.reference_plain, wanted[part])
    theirs = changes(times, original).rows[:, clear]
    dots = (mine * theirs).mean(axis=1)
    one, two = (mine * mine).mean(axis=1), (theirs * theirs).mean(axis=1)
    step_s = _step_s(times, alone=1.0)
    reach = max(3, round(_AROUND_S / max(step_s, 1e-3)))
    both_s, one_s, two_s = (smooth(values, reach) for values in (dots, one, two))
    near = both_s / np.sqrt((one_s + 0.5) * (two_s + 0.5))
    moving = np.sqrt(np.maximum(one_s, two_s)) > _MOVES
    return _Held(dots, one, two, moving, ~moving | (near > _FOLLOWS))


def _shared_s(seen: Overlaid, line: Line) -> float:
    """Seconds of the query that the shorter of the two videos lasts."""
    mine = float(seen.query_s[-1] - seen.query_s[0])
    theirs = float(seen.reference_s[-1] - seen.reference_s[0]) / line.speed
    return min(mine, theirs)


def _parts(one: Floats, other: Floats) -> Floats:
    """Correlation of the parts of each pair of pictures; NaN for flat parts.

    Parts are 4 x 4 cells: (n, 16) of pictures of 16 x 16, (n, 36) of 24 x 24.
    """
    count = one.shape[-1] // _CELL
    shape = (-1, count, _CELL, count, _CELL)
    a, b = (
        p.reshape(shape).transpose(0, 1, 3, 2, 4).reshape(len(p), count * count, -1)
        for p in (one, other)
    )
    a, b = a - a.mean(axis=2, keepdims=True), b - b.mean(axis=2, keepdims=True)
    first, second = (a * a).mean(axis=2), (b * b).mean(axis=2)
    known = np.maximum(first, second) > _TEXTURE**2
    found = (a * b).mean(axis=2) / np.maximum(np.sqrt(first * second), _TEXTURE**2)
    return np.asarray(np.where(known, found, np.nan), np.float32)


def _summed(parts: Floats) -> Floats:
    """Median of the parts of each picture; 0 where most are flat."""
    enough = (~np.isnan(parts)).sum(axis=1) >= _LEAST_PARTS
    middle = np.zeros(len(parts), np.float32)
    middle[enough] = _median(parts[enough].T)
    return middle


def _median(values: Floats) -> Floats:
    """Median of each column's known values; at least one of each is known."""
    ordered = np.sort(values, axis=0)  # what is not known comes last
    count = (~np.isnan(values)).sum(axis=0)
    columns = np.arange(values.shape[1])
    low, high = ordered[(count - 1) // 2, columns], ordered[count // 2, columns]
    return np.asarray((low + high) / 2, np.float32)


def _clear(parts: Floats, cells: int) -> NDArray[np.bool_]:
    """Cells of the changes that no logo or text covers: whose part does not always disagree."""
    known = (~np.isnan(parts)).mean(axis=0) > 0.5
    middle = np.ones(parts.shape[1], np.float32)
    middle[known] = _median(parts[:, known])
    covered = middle < _DISAGREES
    if covered.sum() > _MOST_COVERED:
        covered[:] = False
    count = _SIDE // _CELL
    grid = (~covered).reshape(count, count)
    side = cells // count
    return np.repeat(np.repeat(grid, side, axis=0), side, axis=1).ravel()


def _spoilt(parts: Floats) -> float:
    """Share of the parts that disagree most of the time."""
    known = ~np.isnan(parts)
    often = known.mean(axis=0) > 0.5
    if not often.any():
        return 0.0
    middle = _median(parts[:, often])
    return float((middle < _DISAGREES).mean())
