"""How a query can lie over an original: turned, cut, shifted in time; and what each way shows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.align import Changes, Line, best_lines, changes
from coefvq.originality.calibration import probability
from coefvq.originality.candidates import MOST_CANDIDATES, Pairs, Searched, candidates
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.placing import REGISTERED, Placed, Side, nearest, place
from coefvq.originality.proof import Evidence, Overlaid, detail, examine, overlay
from coefvq.originality.register import HOPELESS, Box, refined

Floats = NDArray[np.float32]

_VARIANTS = 3
"""Ways to turn the query that are tried of a candidate, the likeliest."""
_DETAILED = 8  # looks in which fine detail is compared
_TOGETHER_S = 0.08  # what moves is elsewhere in two looks further apart
_LONG_S = 150.0
_POOR = 0.25  # correlation of the thumbs below which nothing more is tried
_WORSE = 0.15
_FAR_WORSE = 0.4  # than the original that fits best
_FITS = 0.9  # correlation of thumbs that leaves nothing to look for among the less likely
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
        detail: How well fine detail agrees, -1..1; ``None`` where no two looks are of one
            moment.
        pairs: Look-alike frames of the two, this way round.
    """

    key: int
    variant: int
    box: Box
    spatial: float
    line: Line
    evidence: Evidence
    bits: float
    detail: float | None = None
    pairs: Pairs | None = None


def examined(
    query: Fingerprint,
    index: Searched,
    fingerprint_of: Callable[[int], Fingerprint],
    *,
    exclude: Collection[int] = (),
) -> list[Tried]:
    """Return the best way found for each candidate, whatever its score.

    Originals that fit far worse than the one that fits best are not looked at more closely, and
    less likely ones only where no likely one fits well.
    """
    turns: dict[int, Side] = {}
    placings: list[list[Placed]] = []
    for number, group in enumerate(candidates(query, index, exclude)):
        if number == MOST_CANDIDATES and _best(placings) >= _FITS:
            break
        reference = Side(fingerprint_of(group[0].key))
        if not len(reference.fingerprint.thumbs):
            continue  # only its hashes are known: nothing to lay the query over
        for pairs in group[:_VARIANTS]:
            if pairs.variant not in turns:
                turns[pairs.variant] = Side(query, pairs.variant)
        placings.append([place(turns[p.variant], reference, p) for p in group[:_VARIANTS]])
    floor = _best(placings) - _FAR_WORSE
    found = [tried([one for one in group if one.score >= floor]) for group in placings]
    return [best for best in found if best is not None]


def _best(placings: list[list[Placed]]) -> float:
    return max((one.score for group in placings for one in group), default=0.0)


def tried(group: list[Placed]) -> Tried | None:
    """The best way to lay a query over one original, of those about as good at first sight."""
    fits = [
        (one, *refined(one.mine, one.theirs, one.box)) for one in group if one.score >= HOPELESS
    ]
    floor = max(_POOR, max((spatial for _, _, spatial in fits), default=0.0) - _WORSE)
    ways = [
        (way, one)
        for one, box, spatial in fits
        if spatial >= floor
        for way in _ways(one.query, one.reference, one.pairs, box, spatial)
    ]
    if not ways:
        return None
    best, one = max(ways, key=lambda pair: probability(pair[0]))
    return in_detail(one.query, one.reference, best)


def in_detail(query: Side, reference: Side, way: Tried) -> Tried:
    """The way, with how well fine detail agrees, where both were looked at at one moment."""
    times = aligned_times(query.fingerprint, reference.fingerprint, way, _DETAILED)
    together = np.abs(way.line.at(times[0]) - times[1]) <= _TOGETHER_S
    if not together.any():
        return way
    times = times[0][together], times[1][together]
    mine, theirs = (side.thumbs(at) for side, at in zip((query, reference), times, strict=True))
    return replace(way, detail=detail(mine, theirs, way.box))


def _ways(query: Side, reference: Side, pairs: Pairs, box: Box, spatial: float) -> list[Tried]:
    """Align, register again on frames that the alignment pairs, and align again."""
    tried = along(query, reference, pairs, box, spatial)
    if not tried:
        return []
    best = max(tried, key=probability)
    mine, theirs = aligned_times(query.fingerprint, reference.fingerprint, best, REGISTERED)
    if len(mine):
        sharper, closer = refined(query.thumbs(mine), reference.thumbs(theirs), box)
        if closer > _POOR and sharper != box:
            tried += along(query, reference, pairs, sharper, closer)
    return tried


def along(query: Side, reference: Side, pairs: Pairs, box: Box, spatial: float) -> list[Tried]:
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
        return Tried(pairs.key, pairs.variant, box, spatial, line, evidence, bits, pairs=pairs)

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


def aligned_times(
    query: Fingerprint, reference: Fingerprint, way: Tried, most: int
) -> tuple[Floats, Floats]:
    """At most so many looks of the query that fall nearest to looks of the reference, and those."""
    times = query.times_s
    inside = (times >= way.evidence.query_start_s) & (times <= way.evidence.query_end_s)
    times = times[inside]
    wanted = way.line.at(times)
    keep = (wanted >= -0.3) & (wanted <= reference.times_s[-1] + 0.3)
    times, wanted = times[keep], wanted[keep]
    if not len(times):
        return times, wanted
    looked = reference.times_s[nearest(reference.times_s, wanted)]
    rows = np.sort(np.argsort(np.abs(looked - wanted), kind="stable")[:most])
    return times[rows], looked[rows]
