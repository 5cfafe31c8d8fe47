"""Copies of a video in an index: candidates, then the proof for each, then a score."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.calibration import THRESHOLD, explained_away, probability
from coefvq.originality.candidates import Searched
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.names import edit_names, encoded_again
from coefvq.originality.sound_match import SoundFound
from coefvq.originality.sound_proof import alone, sound_edits, with_sound
from coefvq.originality.spans import stretches
from coefvq.originality.ways import Tried, examined

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """A copied stretch of an original.

    Attributes:
        key: Of the original in the index.
        score: Calibrated probability that it is a copy, 0..1.
        query_start_s: Seconds in the video asked about.
        query_end_s: Likewise.
        reference_start_s: Seconds in the original.
        reference_end_s: Likewise.
        transform: Names from ``edits.EDITS``, in their order.
        speed: Seconds of the original in a second of the query.
        by: ``picture``, ``sound`` or both.
        frames: Small pictures that were compared there, about four a second.
    """

    key: int
    score: float
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    transform: tuple[str, ...]
    speed: float
    by: tuple[str, ...]
    frames: int


def find_copies(
    query: Fingerprint,
    index: Searched,
    fingerprint_of: Callable[[int], Fingerprint],
    *,
    exclude: Collection[int] = (),
) -> list[Found]:
    """Find the originals that a video is copied from.

    Args:
        query: The video asked about.
        index: Originals' frames.
        fingerprint_of: Gives an original's fingerprint by its key.
        exclude: Keys to leave out.

    Returns:
        One per original and contiguous stretch, only above the decision threshold, best first.
    """
    found = []
    for first in _proven(query, index, fingerprint_of, exclude):
        reference = fingerprint_of(first.key)
        for tried in stretches(query, reference, first):
            seen = _found(query, reference, tried)
            found.append(_told(with_sound(seen, query, reference), query, reference, tried))
    shown = {one.key for one in found}
    for sound in alone(query, index.sound, exclude):
        if sound.key not in shown:
            found.append(_by_sound(query, fingerprint_of(sound.key), sound))
    return sorted(found, key=lambda one: -one.score)


def _proven(
    query: Fingerprint,
    index: Searched,
    fingerprint_of: Callable[[int], Fingerprint],
    exclude: Collection[int],
) -> list[Tried]:
    """What is above the threshold, look-alikes of better matches left out."""
    ways = examined(query, index, fingerprint_of, exclude=exclude)
    good = [way for way in ways if probability(way) >= THRESHOLD]
    return [
        way
        for way in good
        if not any(explained_away(way, other) for other in good if other is not way)
    ]


def _told(found: Found, query: Fingerprint, reference: Fingerprint, tried: Tried) -> Found:
    """A copy to which nothing else was done was encoded again, unless it is the same footage."""
    if found.transform or not encoded_again(query, reference, tried):
        return found
    return replace(found, transform=("re_encode",))


def _found(query: Fingerprint, reference: Fingerprint, tried: Tried) -> Found:
    evidence, line = tried.evidence, tried.line
    span = np.array([evidence.query_start_s, evidence.query_end_s], np.float32)
    inside = np.clip(line.at(span), 0.0, max(reference.duration_s, 0.0))
    return Found(
        key=tried.key,
        score=probability(tried),
        query_start_s=float(span[0]),
        query_end_s=min(float(span[1]), max(query.duration_s, float(span[0]))),
        reference_start_s=float(inside[0]),
        reference_end_s=float(inside[1]),
        transform=edit_names(query, reference, tried),
        speed=round(line.speed, 3),
        by=("picture",),
        frames=evidence.frames,
    )


def _by_sound(query: Fingerprint, reference: Fingerprint, sound: SoundFound) -> Found:
    """A copy that only its sound shows."""
    return Found(
        key=sound.key,
        score=sound.score,
        query_start_s=sound.query_start_s,
        query_end_s=min(sound.query_end_s, query.duration_s),
        reference_start_s=sound.reference_start_s,
        reference_end_s=min(sound.reference_end_s, reference.duration_s),
        transform=sound_edits(query, reference, sound),
        speed=sound.speed,
        by=("sound",),
        frames=0,
    )
