"""Sounds that hold the same stretch: landmarks that meet again at one speed and one offset.

Wang 2003 counts landmarks at one offset; here the tempo may have changed too, the pitch kept, as
editors and apps do it. Landmarks are then looked up with the frames between their peaks
stretched, one tempo after the other, and a line is fitted through the hits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.sound import FRAMES_A_S, MOST_GAP, Landmarks, gaps, with_gaps
from coefvq.originality.sound_index import Hits, SoundIndex

SPEEDS = (1.0, 0.8, 0.84, 0.88, 0.92, 0.96, 1.04, 1.08, 1.13, 1.19, 1.25)
"""Seconds of the reference in a second of the query that are tried; what lies between is near
enough, and the line that is fitted gives the speed itself."""
THRESHOLD = 0.5
"""Score from which a stretch counts as copied; see docs/originality.md for what it lets through."""

_SLACK = 0.021  # half the step between two speeds
_BIN = 50  # hundredths of a second of an offset that are counted together
_LEAST_VOTES = 4
_SPREAD_KEYS, _SPREAD_CELLS = 0x9E3779B1, 0x85EBCA6B  # odd numbers that scatter
_MOST_LINES = 60  # candidates that are fitted, the fullest first
_TOLERANCES = (40, 25, 15, 10, 6, 6)  # hundredths of a second off the line, fit after fit
_SAME_SPEED = 0.008  # a speed nearer to 1 than this is 1
_PAUSE = 600  # hundredths of a second without a hit that end a stretch
_AWAY, _FEW = 200, 3  # fewer hits than these, further away than that, are strays
_SHORTEST = 150  # hundredths of a second
_CELL = 25  # hundredths of a second that count as one moment
# Logistic of ln(moments) and ln(share), fitted by `python -m benchmarks.originality_sound fit` to
# as many right as wrong candidates, then moved to one right one to four wrong ones.
_WEIGHTS = (-8.7, 4.7, 0.8)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SoundFound:
    """A stretch of a sound that is in the index too.

    Attributes:
        key: Whose sound.
        query_start_s: Seconds in the sound looked up.
        reference_start_s: Seconds in the indexed one.
        speed: Seconds of the reference in a second of the query.
        score: Calibrated probability that it was copied, 0..1.
        moments: Quarters of a second in which landmarks agree.
        share: Of the query's landmarks within the stretch, how many agree, 0..1.
    """

    key: int
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    speed: float
    score: float
    moments: int
    share: float


class _Votes(NamedTuple):
    """Hits of one tempo: query and reference in 1/100 s."""

    speed: float
    row: Ints
    key: Ints
    reference: Ints


class _Line(NamedTuple):
    """Hits on one line: rows of the query, their places, and the line's slope."""

    key: int
    speed: float
    row: Ints
    reference: Ints


def sound_matches(
    landmarks: Landmarks,
    index: SoundIndex,
    *,
    exclude: Collection[int] = (),
    threshold: float = THRESHOLD,
) -> list[SoundFound]:
    """Find stretches of a sound in indexed ones, the surest first.

    Args:
        landmarks: uint32 (k, 2), as of ``sound.landmarks``.
        exclude: Keys that are left out, such as the sound's own.
        threshold: Least score.

    Returns:
        One for each sound and contiguous stretch.
    """
    if not len(landmarks):
        return []
    left_out = np.array(list(exclude), np.int64)
    votes = [_votes(landmarks, index, speed, left_out) for speed in SPEEDS]
    times = landmarks[:, 1].astype(np.int64)
    found = [
        stretch
        for line in _lines(votes, times)
        for stretch in _stretches(line, landmarks)
        if stretch.score >= threshold
    ]
    return sorted(found, key=lambda each: (-each.score, -each.moments, each.key))


def _votes(landmarks: Landmarks, index: SoundIndex, speed: float, left_out: Ints) -> _Votes:
    """Places of the query's landmarks, as they would be had it been played at ``speed``."""
    rows, hashes = _stretched(landmarks[:, 0], speed)
    hits: Hits = index.lookup(hashes)
    keep = ~np.isin(hits.key, left_out)
    return _Votes(speed, rows[hits.row[keep]], hits.key[keep], hits.hundredths[keep])


def _stretched(hashes: Landmarks, speed: float) -> tuple[Ints, Landmarks]:
    """Hashes with the gaps of another tempo, and a frame or two to either side of them."""
    gap = gaps(hashes)
    slack = 1 + (np.round(_SLACK * gap).astype(np.int64) if speed != 1.0 else 0 * gap)
    rows, changed = [], []
    for step in range(-int(slack.max()), int(slack.max()) + 1):
        wanted = np.round(gap * speed).astype(np.int64) + step
        row = np.nonzero((abs(step) <= slack) & (wanted >= 1) & (wanted <= MOST_GAP))[0]
        rows.append(row)
        changed.append(with_gaps(hashes[row], wanted[row]))
    return np.concatenate(rows), np.concatenate(changed)


def _lines(votes: list[_Votes], times: Ints) -> Iterator[_Line]:
    """Lines through the fullest bins of offset; hits belong to one line only."""
    taken: dict[int, list[_Line]] = {}
    for _, tempo, key, offset in _candidates(votes, times):
        of_key = votes[tempo].key == key
        row, reference = votes[tempo].row[of_key], votes[tempo].reference[of_key]
        free = ~_on_lines(times[row], reference, taken.get(key, []), times)
        line = _fitted(key, votes[tempo].speed, offset, row[free], reference[free], times)
        if line is not None:
            taken.setdefault(key, []).append(line)
            yield line


def _candidates(votes: list[_Votes], times: Ints) -> list[tuple[int, int, int, float]]:
    """(votes, which tempo, key, offset), the most votes first."""
    found: list[tuple[int, int, int, float]] = []
    for tempo, each in enumerate(votes):
        if not len(each.row):
            continue
        offset = (each.reference - each.speed * times[each.row]) / _BIN
        for shift in (0.0, 0.5):  # bins that overlap by half
            cells = np.floor(offset + shift).astype(np.int64)
            kept = _crowded(each.key, cells)
            if not kept.any():
                continue
            some = _Votes(each.speed, each.row[kept], each.key[kept], each.reference[kept])
            count, key, cell = _counted(some, cells[kept], len(times))
            found += [
                (int(n), tempo, int(of), (float(at) - shift + 0.5) * _BIN)
                for n, of, at in zip(count, key, cell, strict=True)
            ]
    return sorted(found, key=lambda each: (-each[0], each[1]))[:_MOST_LINES]


def _crowded(key: Ints, cells: Ints) -> NDArray[np.bool_]:
    """Hits whose key and bin may hold enough votes: a table of counts drops the rest unsorted."""
    size = 1 << max(12, int(4 * len(key)).bit_length())
    place = (key * _SPREAD_KEYS + cells * _SPREAD_CELLS) & (size - 1)
    return np.asarray(np.bincount(place, minlength=size)[place] >= _LEAST_VOTES)


def _counted(votes: _Votes, cells: Ints, rows: int) -> tuple[Ints, Ints, Ints]:
    """How many landmarks of the query vote for a key and an offset: the fullest of them."""
    keys, which = np.unique(votes.key, return_inverse=True)
    lowest, width = int(cells.min()), int(cells.max() - cells.min()) + 1
    once = np.unique((which * width + (cells - lowest)) * rows + votes.row) // rows
    places, count = np.unique(once, return_counts=True)
    best = np.nonzero(count >= _LEAST_VOTES)[0]
    best = best[np.argsort(-count[best], kind="stable")][:_MOST_LINES]
    return count[best], keys[places[best] // width], places[best] % width + lowest


def _on_lines(query: Ints, reference: Ints, lines: list[_Line], times: Ints) -> NDArray[np.bool_]:
    """Which hits lie within a second of a line that was found before, where it has hits."""
    on = np.zeros(len(query), bool)
    for line in lines:
        at = times[line.row]
        expected = line.reference[0] + line.speed * (query - at[0])
        near = (query >= at[0] - _PAUSE) & (query <= at[-1] + _PAUSE)
        on |= near & (np.abs(reference - expected) <= 100)
    return on


def _fitted(
    key: int, speed: float, offset: float, row: Ints, reference: Ints, times: Ints
) -> _Line | None:
    """Fit speed and offset to the hits near a first guess, closer and closer."""
    query = times[row].astype(np.float64)
    off = np.abs(reference - (offset + speed * query))
    for tolerance in _TOLERANCES:
        on = off <= tolerance
        if len(np.unique(query[on])) < _LEAST_VOTES:
            return None
        fit = _slope(query[on], reference[on])
        # Few hits in a short time say little about the tempo: it stays near what was tried.
        fit = 1.0 if abs(fit - 1) < _SAME_SPEED else float(np.clip(fit, 0.95 * speed, 1.05 * speed))
        offset = float(np.median(reference[on] - fit * query[on]))
        off = np.abs(reference - (offset + fit * query))
    on = off <= _TOLERANCES[-1]
    order = np.lexsort((off[on], row[on]))
    _, first = np.unique(row[on][order], return_index=True)
    return _Line(key, fit, row[on][order][first], reference[on][order][first])


def _slope(query: NDArray[np.float64], reference: Ints) -> float:
    """Of the least squares line."""
    centred = query - query.mean()
    spread = float(centred @ centred)
    return float(centred @ (reference - reference.mean())) / spread if spread > 0 else 1.0


def _stretches(line: _Line, landmarks: Landmarks) -> Iterator[SoundFound]:
    """Parts of a line without a long pause."""
    times = landmarks[:, 1].astype(np.int64)
    ends = times + np.round(gaps(landmarks[:, 0]) * (100 / FRAMES_A_S)).astype(np.int64)
    breaks = np.nonzero(np.diff(times[line.row]) > _PAUSE)[0] + 1
    for part in np.split(np.arange(len(line.row)), breaks):
        rows = line.row[part[_dense(times[line.row[part]])]]
        first = int(np.searchsorted(line.row, rows[0]))
        start, end = int(times[rows[0]]), int(ends[rows].max())
        if times[rows[-1]] - start < _SHORTEST:
            continue
        inside = times[(times >= start) & (times <= times[rows[-1]])]
        moments = len(np.unique(times[rows] // _CELL))
        share = moments / len(np.unique(inside // _CELL))
        began = int(line.reference[first])
        yield SoundFound(
            key=line.key,
            query_start_s=start / 100,
            query_end_s=end / 100,
            reference_start_s=began / 100,
            reference_end_s=(began + line.speed * (end - start)) / 100,
            speed=round(line.speed, 3),
            score=_score(moments, share),
            moments=moments,
            share=share,
        )


def _dense(times: Ints) -> slice:
    """Without the one or two hits at either end that chance put there, away from the others."""
    breaks = np.nonzero(np.diff(times) > _AWAY)[0] + 1
    edges = [0, *breaks.tolist(), len(times)]
    first, last = 0, len(edges) - 1
    while first < last and edges[first + 1] - edges[first] < _FEW:
        first += 1
    while last > first and edges[last] - edges[last - 1] < _FEW:
        last -= 1
    # Sparse all over: then these are no strays.
    return slice(edges[first], edges[last]) if first < last else slice(0, len(times))


def _score(moments: int, share: float) -> float:
    constant, of_moments, of_share = _WEIGHTS
    logit = constant + of_moments * np.log(moments) + of_share * np.log(share)
    return float(1 / (1 + np.exp(-logit)))
