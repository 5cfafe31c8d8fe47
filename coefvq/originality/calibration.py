"""The probability that what was found is a copy: a logistic model of the evidence.

The weights come from a logistic regression over alignments of edited clips with right and wrong
originals (``python -m benchmarks.originality calibrate``), rounded; docs/originality.md says of
which, and how far the scores can be believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from coefvq.originality.ways import Tried

THRESHOLD = 0.5
FEATURES = ("change", "detail", "length", "speed", "cover", "small", "turning")
"""What the evidence is summed up in; ``features`` says how."""
_BIAS = -14.4
_WEIGHTS = np.array([4.6, 2.1, 1.8, -2.0, 0.5, 5.2, -10.2])
_NOISE = 0.5  # grey levels of change that a codec makes by itself
_SURE = 0.99
_LONG = 2.5  # log(1 + seconds) from which on more of them add nothing
_SAME_SPEED = 0.02
_UNEVEN = 0.06  # stretch along one axis that counts in full
_CLOSELY = 2.0  # Fisher's z of changes that leave no doubt
_WHOLE = 0.12  # of ``small``: more than 89 % of a side is shown
_FEW = 3  # frames: too few to see changes
_FEW_BITS, _FEW_AGREE = 10.0, 0.9


def probability(tried: Tried) -> float:
    """Probability 0..1 that the query is copied from this original."""
    if tried.evidence.frames < _FEW:
        return _of_few(tried)
    return float(1.0 / (1.0 + np.exp(-(_BIAS + features(tried) @ _WEIGHTS))))


def features(tried: Tried) -> NDArray[np.float64]:
    """Sum the evidence up, float64 (7,), in the order of ``FEATURES``.

    The changes count where there are any, else the pictures; correlations enter by Fisher's z, so
    that 0.98 is much more than 0.9. With a freely chosen speed one short movement follows many
    others, so the distance from true speed counts more the shorter it is. ``small`` is by how much
    the common part is shrunk in one of the two: the detail of a small part cannot agree as well.
    ``turning`` is a slight stretch along one axis of a picture shown nearly whole, where the
    changes do not follow each other closely: what is seen from another side is narrower or wider.
    """
    evidence = tried.evidence
    moving = evidence.power**2 / (evidence.power**2 + _NOISE**2)
    still = max(0.0, evidence.agreement)
    correlation = moving * evidence.change + (1 - moving) * still
    length = float(np.log1p(evidence.length_s))
    speed = abs(float(np.log(tried.line.speed)))
    detail = evidence.agreement if tried.detail is None else tried.detail
    left, top, right, bottom = area = tried.box.common()
    theirs = tried.box.in_reference(area)
    least = min(right - left, bottom - top, theirs[2] - theirs[0], theirs[3] - theirs[1])
    small = -float(np.log(max(least, 0.1)))
    uneven = min(1.0, abs(float(np.log(tried.box.width / tried.box.height))) / _UNEVEN)
    change = _fisher(correlation)
    return np.array(
        [
            change,
            _fisher(detail),
            min(length, _LONG),
            speed / (0.3 + length) if speed > _SAME_SPEED else 0.0,
            evidence.cover,
            small,
            uneven * max(0.0, _CLOSELY - change) if small < _WHOLE else 0.0,
        ]
    )


def _fisher(correlation: float) -> float:
    return float(np.arctanh(np.clip(correlation, -0.5, _SURE)))


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
