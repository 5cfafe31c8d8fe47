"""What rationales of all backends share: their limits, and the check of every quote.

A quote is compared with its source before it leaves; a quote that is not there is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coefvq.domain import Modality, Rationale, TimedText
from coefvq.mllm.backend import MllmInput

EXPLAIN_FROM = 0.25
SMALLEST_CHANGE = 0.02
MAX_POINTS = 5
MAX_QUOTE = 200
DECISION = 0.5
THIN_MARGIN = 0.15
LOW_MASS = 0.5


def verify_quotes(rationale: Rationale, item: MllmInput) -> Rationale:
    """Drop every piece of evidence whose quote is not verbatim in its own modality."""
    sources = _sources(item)
    kept = tuple(
        one
        for one in rationale.evidence
        if one.quote is None or any(one.quote in text for text in sources.get(one.modality, ()))
    )
    return replace(rationale, evidence=kept)


def _sources(item: MllmInput) -> dict[Modality, list[str]]:
    posted = [text for text in (item.posted.title, item.posted.caption) if text]
    return {
        Modality.CAPTION: posted,
        Modality.SPEECH: _timed_sources(item.expensive.speech),
        Modality.SCREEN_TEXT: _timed_sources(item.expensive.screen_text),
    }


def _timed_sources(lines: Sequence[TimedText] | None) -> list[str]:
    """Each line, and all in a row: a quote may run over the end of a recognised line."""
    texts = [line.text.strip() for line in lines or ()]
    unrepeated = list({text.lower(): text for text in reversed(texts)}.values())[::-1]
    return [*texts, " ".join(texts), " ".join(unrepeated)]
