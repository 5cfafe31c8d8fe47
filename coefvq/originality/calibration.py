"""The probability that what was found is a copy: a logistic model of the evidence.

The weights come from a logistic regression over 1,644 alignments of edited clips with right and
wrong originals (16 + 12 sources, each left out in turn), rounded. The weight of the speed was then
raised to what the hardest pair there asks for, two short clips of one signer: with a freely chosen
speed, one short movement follows many others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coefvq.originality.ways import Tried

THRESHOLD = 0.5
_BIAS = -9.1
_CHANGE, _AGREEMENT, _LENGTH, _SPEED, _COVER = 3.0, 1.0, 1.6, -15.0, 2.5
_NOISE = 0.5  # grey levels of change that a codec makes by itself
_SURE = 0.99
_LONG = 2.5  # log(1 + seconds) from which on more of them add nothing
_SAME_SPEED = 0.02
_FEW = 3  # frames: too few to see changes
_FEW_BITS, _FEW_AGREE = 10.0, 0.9


def probability(tried: Tried) -> float:
    """Probability 0..1 that the query is copied from this original.

    The changes count where there are any, else the pictures: the correlation enters by Fisher's
    z, so that 0.98 is much more than 0.9.
    """
    evidence = tried.evidence
    if evidence.frames < _FEW:
        return _of_few(tried)
    moving = evidence.power**2 / (evidence.power**2 + _NOISE**2)
    still = max(0.0, evidence.agreement)
    correlation = moving * evidence.change + (1 - moving) * still
    length = float(np.log1p(evidence.length_s))
    speed = abs(float(np.log(tried.line.speed)))
    total = (
        _BIAS
        + _CHANGE * float(np.arctanh(np.clip(correlation, -0.5, _SURE)))
        + _AGREEMENT * evidence.agreement
        + _LENGTH * min(length, _LONG)
        + _COVER * evidence.cover
    )
    if speed > _SAME_SPEED:
        total += _SPEED * speed / (0.3 + length)
    return float(1.0 / (1.0 + np.exp(-total)))


def _of_few(tried: Tried) -> float:
    """A video of a frame or two proves a copy only by a picture that is as good as the same."""
    evidence = tried.evidence
    same = tried.bits <= _FEW_BITS and min(tried.spatial, evidence.agreement) >= _FEW_AGREE
    return 0.9 if same and evidence.share >= _FEW_AGREE else 0.0


def explained_away(tried: Tried, better: Tried) -> bool:
    """Whether a match is but a look-alike of a better one.

    What is on the screen at a time comes from one take. Where another original follows the
    query's changes far more closely, this one only moves alike.
    """
    mine, theirs = tried.evidence, better.evidence
    common = min(mine.query_end_s, theirs.query_end_s) - max(
        mine.query_start_s, theirs.query_start_s
    )
    if common < 0.5 * max(mine.length_s, 1e-6):
        return False
    rest, left = 1.0 - mine.change, 1.0 - theirs.change
    return mine.power > _NOISE and rest > 0.05 and rest > 3.0 * left
