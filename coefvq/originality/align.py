"""When in the original the query's frames were: speed, offset and the span that truly matches.

A copy changes as its original does. What stays the same in a picture (the scene, a logo, a bar)
is taken away as the mean of the second around, and what is left is correlated at every offset and
speed. Another take of the same scene has other changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEEDS = tuple(round(float(speed), 4) for speed in np.geomspace(0.75, 1.34, 25))
"""Seconds of the reference in a second of the query that are tried; refined afterwards."""
_WINDOW_S = 1.0
_QUIET = 0.7
"""Changes in grey levels that a codec makes by itself."""
_MOST_ROWS = 160
_OFFSET_STEP_S = 0.25
_LEAST_ROWS = 3
_REAL_SPEED_BONUS = 1.03

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Changes:
    """How a part of a video's picture changes.

    Attributes:
        times_s: float32 (n,), ascending.
        rows: float32 (n, cells), grey levels off the mean of the second around.
        power: float32 (n,), the length of each row, in grey levels of one cell.
    """

    times_s: Floats
    rows: Floats
    power: Floats


@dataclass(frozen=True)
class Line:
    """reference time = offset_s + speed x query time.

    Attributes:
        speed: Seconds of the reference in a second of the query.
        offset_s: Of the reference at second 0 of the query.
        score: Sum of the rows' correlations, the larger the better.
    """

    speed: float
    offset_s: float
    score: float

    def at(self, query_s: Floats) -> Floats:
        """Reference times of query times."""
        return np.asarray(self.offset_s + self.speed * query_s, np.float32)


def changes(times_s: Floats, pictures: Floats) -> Changes:
    """Take what stays away from pictures float32 (n, side, side)."""
    flat = pictures.reshape(len(pictures), int(np.prod(pictures.shape[1:])))
    flat = flat - flat.mean(axis=1, keepdims=True)
    total = np.concatenate(
        [np.zeros((1, flat.shape[1])), np.cumsum(flat, axis=0, dtype=np.float64)]
    )
    reach = _WINDOW_S + 1e-3
    first = np.searchsorted(times_s, times_s - reach)
    last = np.searchsorted(times_s, times_s + reach)
    mean = (total[last] - total[first]) / np.maximum(last - first, 1)[:, None]
    rows = (flat - mean).astype(np.float32)
    power = np.sqrt((rows * rows).mean(axis=1))
    return Changes(times_s, rows, np.asarray(power, np.float32))


def best_lines(
    query: Changes, reference: Changes, hints: Floats | None = None, most: int = 1
) -> list[Line]:
    """Find the speed and offset at which the changes agree best.

    Args:
        query: Changes of the query's common part.
        reference: Changes of the reference's, of the same cells.
        hints: Pairs of times float32 (n, 2) of query and reference to stay near to, for long
            references; ``None``: look everywhere.
        most: How many lines to return, apart from each other by a second or more.

    Returns:
        Best first, then the best at true speed where that is another; empty where there is too
        little to compare.
    """
    if len(query.times_s) < _LEAST_ROWS or len(reference.times_s) < _LEAST_ROWS:
        return []
    chosen = np.unique(np.linspace(0, len(query.times_s) - 1, _MOST_ROWS).round().astype(int))
    part = Changes(query.times_s[chosen], query.rows[chosen], query.power[chosen])
    compared = _Compared(part, reference)
    found: list[Line] = []
    for speed in SPEEDS:
        offsets = _offsets(part, reference, speed, hints)
        scores = compared.scores(speed, offsets) * (_REAL_SPEED_BONUS if speed == 1.0 else 1.0)
        for row in np.argsort(-scores)[: 2 * most]:
            found.append(Line(speed, float(offsets[row]), float(scores[row])))
    found.sort(key=lambda line: -line.score)
    kept: list[Line] = []
    middle = float(query.times_s.mean())
    for line in found:
        place = line.offset_s + line.speed * middle
        if all(abs(place - old.offset_s - old.speed * middle) > 1.0 for old in kept):
            kept.append(line)
        if len(kept) == most:
            break
    # A short stretch fits at many speeds: the true one must be among those that are judged.
    kept += [line for line in found if line.speed == 1.0 and line not in kept][:1]
    return [compared.refined(line) for line in kept]


def _offsets(part: Changes, reference: Changes, speed: float, hints: Floats | None) -> Floats:
    first = float(reference.times_s[0] - speed * part.times_s[-1])
    last = float(reference.times_s[-1] - speed * part.times_s[0])
    offsets = np.arange(first, last + _OFFSET_STEP_S, _OFFSET_STEP_S, dtype=np.float32)
    if hints is None:
        return offsets
    wanted = np.sort(hints[:, 1] - speed * hints[:, 0])
    place = np.searchsorted(wanted, offsets)
    near = np.minimum(
        np.abs(offsets - wanted[np.maximum(place - 1, 0)]),
        np.abs(offsets - wanted[np.minimum(place, len(wanted) - 1)]),
    )
    return offsets[near < 2.0]


class _Compared:
    """Every row of the query against every row of the reference, once."""

    def __init__(self, query: Changes, reference: Changes):
        self._query, self._reference = query, reference
        cells = query.rows.shape[1]
        self._dots = query.rows @ reference.rows.T / cells
        self._square = reference.power**2
        following = (reference.rows[:-1] * reference.rows[1:]).sum(axis=1) / cells
        self._next = np.append(following, 0.0)

    def cosines(self, speed: float, offsets: Floats) -> Floats:
        """Correlation of each row at each offset, float32 (offsets, rows); NaN outside."""
        times = self._reference.times_s
        wanted = offsets[:, None] + speed * self._query.times_s[None, :]
        right = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
        left = right - 1
        gap = np.maximum(times[right] - times[left], 1e-6)
        share = np.clip((wanted - times[left]) / gap, 0.0, 1.0)
        rows = np.arange(len(self._query.times_s))[None, :]
        dots = (1 - share) * self._dots[rows, left] + share * self._dots[rows, right]
        square = (1 - share) ** 2 * self._square[left] + share**2 * self._square[right]
        square = square + 2 * share * (1 - share) * self._next[left]
        power = (np.sqrt(np.maximum(square, 0)) + _QUIET) * (self._query.power[None, :] + _QUIET)
        inside = (wanted >= times[0] - 0.15) & (wanted <= times[-1] + 0.15)
        return np.asarray(np.where(inside, dots / power, np.nan), np.float32)

    def scores(self, speed: float, offsets: Floats) -> Floats:
        """Sum over rows; rows that contradict cost little, for only a part may be copied."""
        if not len(offsets):
            return np.zeros(0, np.float32)
        cosines = self.cosines(speed, offsets)
        return np.asarray(np.nansum(np.clip(cosines, -0.2, 1.0) - 0.05, axis=1), np.float32)

    def refined(self, line: Line) -> Line:
        """Climb to hundredths of seconds."""
        middle = float(self._query.times_s.mean())
        for speed_step, offset_step in ((0.012, 0.12), (0.006, 0.06), (0.003, 0.03)):
            tried = []
            steps = (0.0,) if line.speed == 1.0 else (-speed_step, 0.0, speed_step)
            for speed in [line.speed + step for step in steps]:
                # Turn about the middle, so that speed and offset can be tried apart.
                around = line.offset_s + (line.speed - speed) * middle
                offsets = around + np.array([-2, -1, 0, 1, 2], np.float32) * offset_step
                scores = self.scores(speed, offsets.astype(np.float32))
                if abs(speed - 1.0) < 1e-6:
                    scores = scores * _REAL_SPEED_BONUS
                best = int(scores.argmax())
                tried.append(Line(speed, float(offsets[best]), float(scores[best])))
            line = max([line, *tried], key=lambda one: one.score)
        return line


def resampled(times_s: Floats, pictures: Floats, wanted_s: Floats) -> Floats:
    """Pictures (n, ...) at other times, blended from the two around each."""
    right = np.clip(np.searchsorted(times_s, wanted_s), 1, max(1, len(times_s) - 1))
    left, right = np.minimum(right - 1, len(times_s) - 1), np.minimum(right, len(times_s) - 1)
    gap = np.maximum(times_s[right] - times_s[left], 1e-6)
    share = np.clip((wanted_s - times_s[left]) / gap, 0.0, 1.0)
    share = share.reshape(-1, *(1,) * (pictures.ndim - 1))
    return np.asarray((1 - share) * pictures[left] + share * pictures[right], np.float32)
