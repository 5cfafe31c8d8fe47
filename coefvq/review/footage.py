"""A part of a video's fingerprint, as if it were a video of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.fingerprint import Fingerprint

_HUNDREDTHS = 100


Spans = Sequence[tuple[float, float]]


def cut(whole: Fingerprint, start_s: float, end_s: float, only: Spans = ()) -> Fingerprint:
    """Return what a fingerprint holds of some seconds; they count from 0 in it.

    Args:
        start_s: From this second on.
        end_s: To this second, with it.
        only: Spans of the whole outside of which pictures are left out; none: all are kept.
    """
    looks = _within(whole.times_s, only or [(start_s, end_s)])
    coded = _within(whole.code_times_s, only or [(start_s, end_s)])
    moved = _within(whole.motion_times_s, only or [(start_s, end_s)])
    start = np.float32(start_s)
    return replace(
        whole,
        duration_s=max(0.0, min(end_s, whole.duration_s) - start_s),
        times_s=whole.times_s[looks] - start,
        hashes=whole.hashes[looks],
        quality=whole.quality[looks],
        thumbs=whole.thumbs[looks] if len(whole.thumbs) else whole.thumbs,
        colour=whole.colour[looks] if len(whole.colour) else whole.colour,
        code_times_s=whole.code_times_s[coded] - start,
        codes=whole.codes[coded],
        motion_times_s=whole.motion_times_s[moved] - start,
        motion=whole.motion[moved],
        landmarks=_sound(whole.landmarks, start_s, end_s),
    )


def _within(times: NDArray[np.float32], spans: Spans) -> NDArray[np.bool_]:
    inside = np.zeros(len(times), bool)
    for start_s, end_s in spans:
        inside |= (times >= start_s - 1e-3) & (times <= end_s + 1e-3)
    return inside


def _sound(
    landmarks: NDArray[np.uint32] | None, start_s: float, end_s: float
) -> NDArray[Any] | None:
    if landmarks is None:
        return None
    first, last = round(start_s * _HUNDREDTHS), round(end_s * _HUNDREDTHS)
    part = landmarks[(landmarks[:, 1] >= first) & (landmarks[:, 1] <= last)].copy()
    part[:, 1] -= np.uint32(first)
    return part
