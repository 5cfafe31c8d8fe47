"""What was done to a copy: names of edits, read from how it had to be laid over the original."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coefvq.originality.edits import in_order
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.hashing import turned
from coefvq.originality.register import overlaid

if TYPE_CHECKING:
    from coefvq.originality.ways import Tried

_SPEED = 0.03
_SHARE = 0.06  # of a side
_EXCERPT = 0.75
_COLOURLESS = 0.45
_LEAST_COLOUR = 6.0  # grey levels
_GREY = 2.0
_BRIGHTER = 0.12
_SPOILT = 0.05
_COVERING = {"crop", "letterbox", "border", "overlay", "picture_in_picture"}
_SLACK_S = 1.5
_AGREES = 0.9


def edit_names(query: Fingerprint, reference: Fingerprint, tried: Tried) -> tuple[str, ...]:
    """Name the edits that turn the original into the query, in the order of ``edits.EDITS``."""
    names = {*_turns(tried.variant), *_frames(query, tried)}
    if abs(tried.line.speed - 1.0) > _SPEED:
        names.add("speed")
    if _is_excerpt(query, reference, tried):
        names.add("excerpt")
    if tried.evidence.spoilt > _SPOILT and "picture_in_picture" not in names:
        names.add("overlay")
    names |= _looks(query, reference, tried, covered=bool(names & _COVERING))
    return in_order(names)


def encoded_again(query: Fingerprint, reference: Fingerprint, tried: Tried) -> bool:
    """Whether the picture agrees everywhere, yet is not what the original decodes to.

    For copies to which no other edit was done. Where the very same pictures come out of another
    file, only its container is another.
    """
    evidence = tried.evidence
    whole = min(evidence.agreement, tried.detail or 0.0, evidence.share) >= _AGREES
    same = np.array_equal(query.motion, reference.motion)
    return whole and not (same and np.array_equal(query.thumbs, reference.thumbs))


def _turns(variant: int) -> set[str]:
    """Mirrored up and down is a mirror image turned by 180 degrees; people call both mirrored."""
    if variant == 0:
        return set()
    if variant in (4, 6):
        return {"mirror"}
    return {"rotate"} if variant < 4 else {"mirror", "rotate"}


def _frames(query: Fingerprint, tried: Tried) -> set[str]:
    """Crop, bars, a border or a picture in a picture."""
    left, top, right, bottom = tried.box.common()
    shown = tried.box.in_reference((left, top, right, bottom))
    kept = min(shown[2] - shown[0], shown[3] - shown[1])
    names = {"crop"} if kept < 1.0 - _SHARE else set()
    across, down = 1.0 - (right - left), 1.0 - (bottom - top)
    if max(across, down) <= _SHARE:
        return names
    if not _flat_outside(query, (left, top, right, bottom)):
        return names | {"picture_in_picture"}
    both = min(across, down) > _SHARE
    return names | ({"border"} if both else {"letterbox"})


def _flat_outside(query: Fingerprint, area: tuple[float, ...]) -> bool:
    """Whether around the common part there is nothing but one colour."""
    thumbs = query.thumbs[:: max(1, len(query.thumbs) // 12)].astype(np.float32)
    size = thumbs.shape[-1]
    mask = np.ones((size, size), bool)
    left, top, right, bottom = area
    rows = slice(max(0, int(np.floor(top * size)) - 1), int(np.ceil(bottom * size)) + 1)
    columns = slice(max(0, int(np.floor(left * size)) - 1), int(np.ceil(right * size)) + 1)
    mask[rows, columns] = False
    return not mask.any() or float(np.median(thumbs[:, mask].std(axis=1))) < 14.0


def _looks(query: Fingerprint, reference: Fingerprint, tried: Tried, covered: bool) -> set[str]:
    """Recoloured, brighter or darker, by the mean colours of the common stretch.

    Where something else is in the picture too, only a loss of all colour is told.
    """
    evidence, line = tried.evidence, tried.line
    inside = (query.times_s >= evidence.query_start_s) & (query.times_s <= evidence.query_end_s)
    times = query.times_s[inside] if inside.any() else query.times_s
    wanted = line.at(times)
    rows = np.clip(np.searchsorted(reference.times_s, wanted), 0, len(reference.times_s) - 1)
    if not len(query.colour) or not len(reference.colour):
        return set()
    mine = query.colour[inside] if inside.any() else query.colour
    theirs = reference.colour[rows]
    names = set()
    cast_mine, cast_theirs = (np.median(c, axis=0) - np.median(c) for c in (mine, theirs))
    shift = float(np.abs(cast_mine - cast_theirs).max())
    grey = float(np.abs(cast_mine).max()) < _GREY
    if (
        (grey or not covered)
        and shift > _LEAST_COLOUR
        and shift > _COLOURLESS * float(np.abs(cast_theirs).max() + 3.0)
    ):
        names.add("recolour")
    gain = _gain(query, reference, tried)
    if gain is not None and abs(np.log(gain)) > _BRIGHTER:
        names.add("brightness")
    return names


def _gain(query: Fingerprint, reference: Fingerprint, tried: Tried) -> float | None:
    """How many times as bright the query's common part is."""
    evidence = tried.evidence
    inside = (query.times_s >= evidence.query_start_s) & (query.times_s <= evidence.query_end_s)
    if not inside.any():
        return None
    wanted = tried.line.at(query.times_s[inside])
    rows = np.clip(np.searchsorted(reference.times_s, wanted), 0, len(reference.times_s) - 1)
    one, other = overlaid(
        tried.box, turned(query.thumbs[inside], tried.variant), reference.thumbs[rows], 12
    )
    return float((np.median(one) + 4.0) / (np.median(other) + 4.0))


def _is_excerpt(query: Fingerprint, reference: Fingerprint, tried: Tried) -> bool:
    """A part of a longer original, or joined into a longer video."""
    evidence = tried.evidence
    mine = evidence.length_s
    theirs = mine * tried.line.speed
    return (mine < _EXCERPT * query.duration_s and query.duration_s - mine > _SLACK_S) or (
        theirs < _EXCERPT * reference.duration_s and reference.duration_s - theirs > 0.5
    )
