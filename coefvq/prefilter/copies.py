"""From matches of the originality search to the prefilter's answer on re-uploads.

The search is the model here: a match carries its own calibrated probability, and a search that
found nothing says how likely a copy slipped through. Where nobody looked there is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from coefvq.domain import Assessment, CopyMatch, Evidence, Modality, PolicyScore, WhyNot
from coefvq.originality.words import same_footage
from coefvq.prefilter.explain import MOST
from coefvq.routing.calibration import log_odds

POLICY = "reupload"
PRIOR = 0.1
"""Share of uploads taken to be copies of footage that is in the index. It is an assumption."""
MISSED = 0.05
"""Share of copies that the search may miss: the goal of its benchmark is to find 95 %."""
NOTHING_FOUND = PRIOR * MISSED / (PRIOR * MISSED + 1 - PRIOR)
"""Bayes' rule, with a false alarm rate near 0: 0.0055."""
CONFIRMED = 0.995
"""Least probability of a match that a person confirmed."""
NOTHING_WORDS = "no earlier footage found"


def with_copies(
    first: Assessment,
    copies: Sequence[CopyMatch] | None,
    why_not: WhyNot = WhyNot.NOT_SEARCHED,
) -> Assessment:
    """The prefilter's assessment with its answer on ``reupload``; the rest stays as it is.

    Args:
        copies: Matches of the video, the rejected ones left out; empty where a search found
            nothing; ``None`` where nobody looked.
        why_not: What to say where nobody looked.

    Returns:
        ``first`` itself where the taxonomy has no policy of this name.
    """
    if POLICY not in first.scores:
        return first
    if copies is None:
        return _answered(first, PolicyScore(POLICY, None, covered=False, why_not=why_not))
    found = sorted(copies, key=probability, reverse=True)
    score = probability(found[0]) if found else NOTHING_FOUND
    answered = _answered(first, PolicyScore(POLICY, score))
    moved = answered.contributions | {POLICY: _contributions(found)}
    evidence = tuple(evidence_of(match) for match in found)
    return replace(answered, contributions=moved, evidence=(*first.evidence, *evidence))


def probability(match: CopyMatch) -> float:
    """That a match is a copy: its calibrated score, or more where a person confirmed it."""
    least = CONFIRMED if match.confirmed else 1e-4
    return float(np.clip(match.score, least, 1 - 1e-4))


def evidence_of(match: CopyMatch) -> Evidence:
    """A match as evidence: its seconds in the video, and what it is in words."""
    return Evidence(
        Modality.COPY,
        match.query_start_s,
        match.query_end_s,
        quote=None,
        detail=same_footage(match),
        policy=POLICY,
        weight=round(probability(match) - PRIOR, 4),
    )


def _contributions(found: Sequence[CopyMatch]) -> tuple[tuple[str, float], ...]:
    """In log-odds against ``PRIOR``; a second match proves nothing that the first has not."""
    if not found:
        return ((NOTHING_WORDS, _moved(NOTHING_FOUND)),)
    words = dict.fromkeys(same_footage(match) for match in found)
    parts = [(line, 0.0) for line in words][:MOST]
    return ((parts[0][0], _moved(probability(found[0]))), *parts[1:])


def _moved(score: float) -> float:
    return round(float(log_odds(score) - log_odds(PRIOR)), 3)


def _answered(first: Assessment, score: PolicyScore) -> Assessment:
    return replace(first, scores=first.scores | {POLICY: score})
