"""How a query can lie over an original: turned, cut, shifted in time; and what each way shows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from coefvq.originality.align import Changes, Line, best_lines, changes
from coefvq.originality.calibration import probability
from coefvq.originality.candidates import Pairs, Searched, candidates
from coefvq.originality.fingerprint import MOTION_SIDE, Fingerprint
from coefvq.originality.hashing import turned
from coefvq.originality.proof import Evidence, Overlaid, Small, examine, overlay
from coefvq.originality.register import Box, register

Floats = NDArray[np.float32]

_VARIANTS = 3
"""Ways to turn the query that are tried of a candidate, the likeliest."""
_REGISTERED = 5
_LONG_S = 150.0
_POOR = 0.25  # correlation of the thumbs below which nothing more is tried
_WORSE = 0.15
_MOST_OF = 0.85
_UNSURE = (0.02, 0.9)
"""Probabilities between which a better line is worth climbing to."""
_STEPS = ((0.0, 0.16), (0.0, 0.08), (0.04, 0.0), (0.0, 0.04), (0.02, 0.0), (0.0, 0.02), (0.01, 0.0))
"""Of speed and seconds, one after the other."""


@dataclass(frozen=True)
class Tried:
    """One way to lay a query over an original, and what it shows.

    Attributes:
        key: Of the original.
        variant: How the query is turned; see ``hashing.turned``.
        box: Where the turned query's picture lies in the original's.
        spatial: Correlation of their thumbs so laid, -1..1.
        line: When in the original the query's frames were.
        evidence: What agrees along the line.
        bits: Median distance of the hashes of look-alike frames on the line; 256 without any.
    """

    key: int
    variant: int
    box: Box
    spatial: float
    line: Line
    evidence: Evidence
    bits: float


def examined(
    query: Fingerprint,
    index: Searched,
    fingerprint_of: Callable[[int], Fingerprint],
    *,
    exclude: Collection[int] = (),
) -> list[Tried]:
    """Return the best way found for each candidate, whatever its score."""
    best: list[Tried] = []
    turns: dict[int, _Side] = {}
    for group in candidates(query, index, exclude):
        reference = _Side(fingerprint_of(group[0].key))
        if not len(reference.fingerprint.thumbs):
            continue  # only its hashes are known: nothing to lay the query over
        for pairs in group[:_VARIANTS]:
            if pairs.variant not in turns:
                turns[pairs.variant] = _Side(query, pairs.variant)
        ways = _tried(turns, reference, group[:_VARIANTS])
        if ways:
            best.append(max(ways, key=probability))
    return best


@dataclass(frozen=True)
class _Side:
    """A fingerprint turned one way, its small pictures prepared once."""

    fingerprint: Fingerprint
    variant: int = 0

    @cached_property
    def small(self) -> Small:
        """Its small pictures."""
        held = self.fingerprint
        times, pictures = held.motion_times_s, held.motion
        if not len(pictures):  # made without: a look a second has to do
            size = (MOTION_SIDE, MOTION_SIDE)
            resized = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in held.thumbs]
            times, pictures = held.times_s, np.asarray(np.stack(resized), np.uint8)
        return Small.of(times, np.asarray(turned(pictures, self.variant), np.uint8))

    def thumbs(self, times_s: Floats) -> NDArray[np.uint8]:
        """The thumbs nearest to these times."""
        rows = nearest(self.fingerprint.times_s, times_s)
        return np.asarray(turned(self.fingerprint.thumbs[rows], self.variant), np.uint8)


def _tried(turns: dict[int, _Side], reference: _Side, group: list[Pairs]) -> list[Tried]:
    """Register every way round on look-alike frames; go on with those that fit about as well."""
    fits = []
    for pairs in group:
        rows = _distinct(pairs)
        mine = turns[pairs.variant].thumbs(pairs.query_s[rows])
        fits.append((pairs, *register(mine, reference.thumbs(pairs.reference_s[rows]))))
    floor = max(_POOR, max(spatial for _, _, spatial in fits) - _WORSE)
    return [
        way
        for pairs, box, spatial in fits
        if spatial >= floor
        for way in _ways(turns[pairs.variant], reference, pairs, box, spatial)
    ]


def _ways(query: _Side, reference: _Side, pairs: Pairs, box: Box, spatial: float) -> list[Tried]:
    """Align, register again on frames that the alignment pairs, and align again."""
    tried = _examined(query, reference, pairs, box, spatial)
    if not tried:
        return []
    best = max(tried, key=probability)
    mine, theirs = _aligned_times(query.fingerprint, reference.fingerprint, best)
    if len(mine):
        sharper, closer = register(query.thumbs(mine), reference.thumbs(theirs), box)
        if closer > _POOR and sharper != box:
            tried += _examined(query, reference, pairs, sharper, closer)
    return tried


def _distinct(pairs: Pairs) -> list[int]:
    """The best pair of each of a few frames of the query."""
    seen: dict[float, int] = {}
    for row, time_s in enumerate(pairs.query_s.tolist()):
        seen.setdefault(time_s, row)
        if len(seen) == _REGISTERED:
            break
    return list(seen.values())


def nearest(times_s: Floats, wanted_s: Floats) -> NDArray[np.intp]:
    """Rows of ``times_s``, ascending, that are nearest to the wanted times."""
    right = np.clip(np.searchsorted(times_s, wanted_s), 0, len(times_s) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(times_s[left] - wanted_s) < np.abs(times_s[right] - wanted_s)
    return np.where(closer, left, right)


def _examined(
    query: _Side, reference: _Side, pairs: Pairs, box: Box, spatial: float
) -> list[Tried]:
    """Look along the line on which changes agree best, and where look-alike frames say."""
    seen = overlay(query.small, reference.small, box)
    voted = _voted(pairs)
    part, hints = _near_votes(seen, pairs, voted)
    lines = best_lines(part, seen.reference_changes, hints, most=1)

    def at(line: Line) -> Tried | None:
        evidence = examine(seen, line)
        if evidence is None:
            return None
        bits = _bits(pairs, line)
        return Tried(pairs.key, pairs.variant, box, spatial, line, evidence, bits)

    found = [at(near) for line in [*lines, voted] for near in _sharpened(seen, line)]
    tried = [way for way in found if way is not None]
    if not tried or not _UNSURE[0] < probability(best := max(tried, key=probability)) < _UNSURE[1]:
        return tried
    return [*tried, _climbed(best, at)]


def _climbed(best: Tried, at: Callable[[Line], Tried | None]) -> Tried:
    """Step by step to the best line near one that is unsure, and near it at true speed.

    Fast movement follows itself only within a frame or so: the search over offsets and speeds
    can pass the one line on which it does.
    """
    middle_s = (best.evidence.query_start_s + best.evidence.query_end_s) / 2
    level = at(_through(best.line, middle_s, 1.0 - best.line.speed, 0.0))
    starts = [best] if level is None else [best, level]
    for speed, offset_s in _STEPS:
        for number, start in enumerate(starts):
            ways = [
                at(_through(start.line, middle_s, sign * speed, sign * offset_s))
                for sign in (-1.0, 1.0)
            ]
            starts[number] = max(
                [start, *(way for way in ways if way is not None)], key=probability
            )
    return max(starts, key=probability)


def _through(line: Line, middle_s: float, faster: float, later_s: float) -> Line:
    """The line turned about the middle of the query, and moved."""
    return Line(line.speed + faster, line.offset_s - faster * middle_s + later_s, line.score)


def _near_votes(seen: Overlaid, pairs: Pairs, voted: Line) -> tuple[Changes, Floats | None]:
    """The query's changes to align and pairs to stay near to: all and none in short videos.

    A short original in a long query, or the other way round, is looked for only where look-alike
    frames say.
    """
    mine, theirs = seen.query_changes, seen.reference_s
    if not len(theirs) or max(mine.times_s[-1], theirs[-1]) <= _LONG_S:
        return mine, None
    slack = 2.0 + 0.35 * float(theirs[-1] - theirs[0])
    places = voted.at(mine.times_s)
    rows = (places >= theirs[0] - slack) & (places <= theirs[-1] + slack)
    part = Changes(mine.times_s[rows], mine.rows[rows], mine.power[rows])
    on_line = np.abs(voted.at(pairs.query_s) - pairs.reference_s) < slack
    hints = np.stack([pairs.query_s[on_line], pairs.reference_s[on_line]], axis=1)
    return part, hints


def _sharpened(seen: Overlaid, line: Line) -> list[Line]:
    """The line, and the best near it for the stretch that agrees, where that is only a part."""
    evidence = examine(seen, line)
    times = seen.query_s
    if evidence is None or evidence.length_s > _MOST_OF * float(times[-1] - times[0]):
        return [line]
    rows = (times >= evidence.query_start_s - 0.3) & (times <= evidence.query_end_s + 0.3)
    part = changes(times[rows], seen.query_plain[rows])
    middle = float(times[rows].mean())
    hint = np.array([[middle, line.offset_s + line.speed * middle]], np.float32)
    return [line, *best_lines(part, seen.reference_changes, hint, most=1)]


def _bits(pairs: Pairs, line: Line) -> float:
    on_line = np.abs(line.at(pairs.query_s) - pairs.reference_s) < 1.0
    hashed = pairs.bits[on_line & (pairs.bits < 256)]
    return float(np.median(hashed)) if len(hashed) else 256.0


def _voted(pairs: Pairs) -> Line:
    """The offset at true speed for which most pairs speak."""
    offsets = pairs.reference_s - pairs.query_s
    near = np.abs(offsets[:, None] - offsets[None, :]) < 0.6
    support = near @ pairs.weight
    best = near[int(support.argmax())]
    return Line(1.0, float(np.average(offsets[best], weights=pairs.weight[best])), 0.0)


def _aligned_times(query: Fingerprint, reference: Fingerprint, way: Tried) -> tuple[Floats, Floats]:
    """Looks of the query that fall nearest to looks of the reference, and those."""
    times = query.times_s
    inside = (times >= way.evidence.query_start_s) & (times <= way.evidence.query_end_s)
    times = times[inside]
    wanted = way.line.at(times)
    keep = (wanted >= -0.3) & (wanted <= reference.times_s[-1] + 0.3)
    times, wanted = times[keep], wanted[keep]
    if not len(times):
        return times, wanted
    looked = reference.times_s[nearest(reference.times_s, wanted)]
    rows = np.sort(np.argsort(np.abs(looked - wanted), kind="stable")[:_REGISTERED])
    return times[rows], looked[rows]
