"""Every stretch that a video takes from a proven original, one after the other."""

from __future__ import annotations

import numpy as np

from coefvq.originality.calibration import THRESHOLD, probability
from coefvq.originality.candidates import Pairs
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.placing import Side, place
from coefvq.originality.register import refined
from coefvq.originality.ways import Tried, along, in_detail

LEAST_S = 2.0
"""Shorter stretches beside a longer one are not looked for."""
MOST_SPANS = 12
_GAPS = 24  # gaps between stretches that are looked at

Gap = tuple[float, float]


def stretches(query: Fingerprint, reference: Fingerprint, first: Tried) -> list[Tried]:
    """Return a proven stretch and the others that the query takes from the same original.

    What lies before and after each stretch is asked about alone, where frames of it look like the
    original: laid over it as the first stretch was, and if that proves nothing, anew.

    Args:
        query: The video asked about.
        reference: The original.
        first: The stretch that is proven already.

    Returns:
        ``first``, then the others in the order in which they were found; none overlap.
    """
    found, gaps = [first], _around(first, (0.0, query.duration_s))
    for _ in range(_GAPS):
        if not gaps or len(found) == MOST_SPANS:
            break
        gap = gaps.pop(0)
        another = _in_gap(query, reference, first, gap)
        if another is not None:
            found.append(another)
            gaps += _around(another, gap)
    return found


def _around(way: Tried, gap: Gap) -> list[Gap]:
    """What a stretch leaves of a gap."""
    start, end = way.evidence.query_start_s, way.evidence.query_end_s
    return [part for part in ((gap[0], start), (end, gap[1])) if part[1] - part[0] >= LEAST_S]


def _in_gap(query: Fingerprint, reference: Fingerprint, first: Tried, gap: Gap) -> Tried | None:
    pairs = _within(first.pairs, gap)
    if pairs is None:
        return None
    mine, theirs = Side(query, first.variant, gap), Side(reference)
    if not len(mine.small.times_s):
        return None
    ways = along(mine, theirs, pairs, first.box, first.spatial)
    if not _proven(ways):
        anew = place(mine, theirs, pairs)
        box, spatial = refined(anew.mine, anew.theirs, anew.box)
        ways += along(mine, theirs, pairs, box, spatial)
    if not ways:
        return None
    best = in_detail(mine, theirs, max(ways, key=probability))
    enough = best.evidence.length_s >= LEAST_S and probability(best) >= THRESHOLD
    return best if enough else None


def _proven(ways: list[Tried]) -> bool:
    return any(probability(way) >= THRESHOLD for way in ways)


def _within(pairs: Pairs | None, gap: Gap) -> Pairs | None:
    """The look-alike frames of a gap; ``None`` without any."""
    if pairs is None:
        return None
    rows = np.nonzero((pairs.query_s >= gap[0]) & (pairs.query_s < gap[1]))[0]
    if not len(rows):
        return None
    held = (pairs.query_s, pairs.reference_s, pairs.weight, pairs.bits)
    return Pairs(pairs.key, pairs.variant, *(values[rows] for values in held))
