"""Where footage comes from: copies and bars in the first stage's answer, marks in the second's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from coefvq.domain import (
    Assessment,
    CascadeResult,
    CheapSignals,
    CopyMatch,
    ExpensiveSignals,
    MediaInfo,
    PolicyScore,
)
from coefvq.errors import FingerprintError, MediaError
from coefvq.signals.origin_marks import POLICY as WATERMARK
from coefvq.signals.origin_marks import handle_score, origin_evidence

Finder = Callable[[MediaInfo, CheapSignals], Sequence[CopyMatch] | None]
"""Looks for earlier footage in a file, given what is known of it anyway."""
Copies = Sequence[CopyMatch] | Finder | None
"""Earlier footage in a video, or what looks for it; ``None``: nobody looked."""
NOT_COMPARED = "not_compared"
"""Warning of a video that could not be looked at for copies."""


def look_up(
    copies: Copies, info: MediaInfo, cheap: CheapSignals
) -> tuple[Sequence[CopyMatch] | None, tuple[str, ...]]:
    """The matches of a video, and a warning where looking for them failed."""
    if not callable(copies):
        return copies, ()
    try:
        return copies(info, cheap), ()
    except (MediaError, FingerprintError):
        return None, (NOT_COMPARED,)


def with_bars(first: Assessment, cheap: CheapSignals, duration_s: float) -> Assessment:
    """The first stage's assessment with measured bars as evidence; they move no score."""
    return replace(first, evidence=(*first.evidence, *origin_evidence(cheap, None, duration_s)))


def with_marks(first: Assessment, second: Assessment, expensive: ExpensiveSignals) -> Assessment:
    """The second stage's assessment with the foreign marks that the screen text shows.

    The policy ``watermark`` gets the largest of the mark's probability and the second stage's, or
    where that does not cover it the first stage's. Screen text without times of frames does not
    tell how long a mark was there: it is evidence then, and no score.
    """
    evidence = (*second.evidence, *origin_evidence(None, expensive, 0.0))
    score = handle_score(expensive) if expensive.frame_times_s else None
    if score is None or WATERMARK not in second.scores:
        return replace(second, evidence=evidence)
    own = second.scores[WATERMARK]
    known = own if own.covered else first.scores[WATERMARK]
    likely = PolicyScore(WATERMARK, max(score, known.probability or 0.0), label_mass=own.label_mass)
    return replace(second, evidence=evidence, scores=second.scores | {WATERMARK: likely})


def joined(result: CascadeResult, marked: Assessment | None) -> CascadeResult:
    """A result whose second stage also says what its screen text says of foreign marks."""
    if result.mllm is None or marked is None:
        return result
    evidence = tuple(dict.fromkeys((*result.mllm.evidence, *marked.evidence)))
    return replace(result, mllm=replace(result.mllm, scores=marked.scores, evidence=evidence))
