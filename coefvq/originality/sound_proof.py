"""What the sound adds to copies found by their picture, and copies that only the sound shows.

Sound that two videos share proves no re-upload: songs and voices are laid under millions of
videos. So the sound alone counts only where the picture tells nothing: black, one flat colour, a
still card.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.edits import in_order
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.sound_index import SoundIndex
from coefvq.originality.sound_match import SoundFound, sound_matches

if TYPE_CHECKING:
    from coefvq.originality.match import Found

_SAME_OFFSET_S = 1.0
_HINT = 0.2  # a doubtful sound is enough to say that the sound of a proven copy is the same
_ENOUGH = 20  # landmarks in a stretch, without which its sound is not called replaced
_LEAST_QUALITY = 50
_TELLING = 0.2  # share of looks with a usable hash, below which a picture tells nothing
_STILL = 3.0  # grey levels that every part of a still picture stays within, over time
_SPEED, _WHOLE = 0.03, 0.75  # from here on a tempo is another, a stretch is the whole
_ALONE_S, _ALONE_SHARE = 5.0, 0.6  # of the query; shorter are jingles and effects


def with_sound(found: Found, query: Fingerprint, reference: Fingerprint) -> Found:
    """A copy found by its picture, with what the sound says of it.

    The two are compared with one another, not through the index: a song that is in thousands of
    videos crowds out the one that is asked about.

    Args:
        found: Found by its picture.
        query: The video asked about.
        reference: The original.

    Returns:
        ``found``, also by sound where the same stretch sounds alike; with ``sound_replaced``
        where both have sound there and it does not.
    """
    if any(_same_stretch(found, sound) for sound in _compared(query, reference)):
        return replace(found, by=("picture", "sound"))
    mine = _count(query, found.query_start_s, found.query_end_s)
    theirs = _count(reference, found.reference_start_s, found.reference_end_s)
    if min(mine, theirs) < _ENOUGH:
        return found
    return replace(found, transform=in_order([*found.transform, "sound_replaced"]))


def alone(query: Fingerprint, index: SoundIndex, exclude: Collection[int] = ()) -> list[SoundFound]:
    """Stretches that count without any picture: the surest of each original, best first.

    None where the query's own picture tells something: it would have been found by that.
    """
    if query.landmarks is None or picture_tells(query):
        return []
    least_s = min(_ALONE_S, _ALONE_SHARE * query.duration_s)
    best: dict[int, SoundFound] = {}
    for sound in sound_matches(query.landmarks, index, exclude=exclude):
        if sound.query_end_s - sound.query_start_s >= least_s:
            best.setdefault(sound.key, sound)
    return list(best.values())


def _compared(query: Fingerprint, reference: Fingerprint) -> list[SoundFound]:
    """Stretches that sound alike in both, doubtful ones included."""
    if query.landmarks is None or reference.landmarks is None:
        return []
    index = SoundIndex()
    index.add(0, reference.landmarks)
    return sound_matches(query.landmarks, index, threshold=_HINT)


def sound_edits(query: Fingerprint, reference: Fingerprint, sound: SoundFound) -> tuple[str, ...]:
    """Names of the edits between a query and the original that only its sound shows."""
    mine, theirs = sound.query_end_s - sound.query_start_s, reference.duration_s
    names = {"picture_replaced"} | ({"speed"} if abs(sound.speed - 1.0) > _SPEED else set())
    part = mine < _WHOLE * query.duration_s or mine * sound.speed < _WHOLE * theirs
    return in_order(names | ({"excerpt"} if part else set()))


def picture_tells(fingerprint: Fingerprint) -> bool:
    """Whether the picture is more than black, flat or one still card."""
    if float(np.mean(fingerprint.quality >= _LEAST_QUALITY)) < _TELLING:
        return False
    small = fingerprint.motion if len(fingerprint.motion) > 1 else fingerprint.thumbs
    return _unrest(small) > _STILL


def _unrest(pictures: NDArray[np.uint8]) -> float:
    """Standard deviation over time of the part of the picture that changes most."""
    if len(pictures) < 2:
        return 0.0
    return float(pictures.astype(np.float32).std(axis=0).max())


def _same_stretch(found: Found, sound: SoundFound) -> bool:
    """Whether both say the same of where the original's seconds are."""
    start = max(found.query_start_s, sound.query_start_s)
    end = min(found.query_end_s, sound.query_end_s)
    if end <= start:
        return False
    middle = (start + end) / 2
    by_picture = found.reference_start_s + found.speed * (middle - found.query_start_s)
    by_sound = sound.reference_start_s + sound.speed * (middle - sound.query_start_s)
    return abs(by_picture - by_sound) <= _SAME_OFFSET_S


def _count(fingerprint: Fingerprint, start_s: float, end_s: float) -> int:
    """Landmarks of a stretch."""
    if fingerprint.landmarks is None:
        return 0
    times = fingerprint.landmarks[:, 1] / 100
    return int(((times >= start_s) & (times <= end_s)).sum())
