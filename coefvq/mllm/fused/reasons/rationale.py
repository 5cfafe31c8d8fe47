"""From the points that the model picked to a rationale: traced, measured, verified.

The model picks; what it picked is then measured: the item is scored again without each picked
part, and the change is told. A point whose change contradicts its side changes sides, and the
rationale says so. Where it picked nothing for a score, every line is left out in turn. Quotes
are shown as they stand in the original.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq import taxonomy
from coefvq.domain import Assessment, Evidence, Modality, PolicyScore, Rationale
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.processing import FusedProcessor
from coefvq.mllm.fused.reasons import notes
from coefvq.mllm.fused.reasons.decode import decode
from coefvq.mllm.fused.reasons.lines import PromptLine, reserved_words
from coefvq.mllm.fused.reasons.original import Original, original_quote
from coefvq.mllm.fused.reasons.search import FOUND, strongest_lines
from coefvq.mllm.fused.reasons.shown import Shown, shown
from coefvq.mllm.fused.reasons.target import facts
from coefvq.mllm.fused.reasons.text import MOST_POINTS, TEXT_PLACES, Point, Reason
from coefvq.mllm.fused.reasons.variants import without_line, without_place, without_sense
from coefvq.mllm.rationale import DECISION, EXPLAIN_FROM, SMALLEST_CHANGE, verify_quotes

Measure = Callable[[Sequence[FusedItem]], Mapping[str, NDArray[np.floating]]]
"""Probabilities by policy, float (items,), of several variants of one item."""
_MODALITIES = {
    "title": Modality.CAPTION,
    "caption": Modality.CAPTION,
    "speech": Modality.SPEECH,
    "screen text": Modality.SCREEN_TEXT,
    "pictures": Modality.VISUAL,
    "sound": Modality.AUDIO,
}
_IN_WORDS = {Modality.CAPTION: "title or caption", Modality.SCREEN_TEXT: "screen text"}
_IN_WORDS |= {Modality.VISUAL: "pictures", Modality.AUDIO: "sound", Modality.SPEECH: "speech"}
_LOST = "Points left out because their words could not be found in the original: {}."
_MOVED = {
    1: "The model took this for harmless, but without it the score falls: {}.",
    -1: "The model took this for a sign of a violation, but without it the score rises: {}.",
}


@dataclass(frozen=True)
class Case:
    """What is being explained.

    Attributes:
        item: As the backend got it; quotes are verbatim from here.
        fused: The same as the model's item.
        assessment: Of this item.
        shown: What the prompt showed of it.
        policies: Of the prompt's layout.
    """

    item: MllmInput
    fused: FusedItem
    assessment: Assessment
    shown: Shown
    policies: tuple[str, ...]


@dataclass(frozen=True)
class _Picked:
    """A point of the model; ``sign`` is 1 for a violation and -1 against one."""

    sign: int
    point: Point
    line: PromptLine | None = None
    source: Original | None = None
    whole_place: bool = False


def explain(
    model: FusedForConditionalGeneration,
    processor: FusedProcessor,
    item: MllmInput,
    fused: FusedItem,
    assessment: Assessment,
    measure: Measure,
    *,
    inputs: Mapping[str, Any] | None = None,
    cache: Any = None,
) -> Rationale:
    """Explain an assessment: the model picks, the picks are measured, quotes are verified.

    Args:
        fused: The item that was scored; without frames in memory it can hold feature maps.
        measure: Scores variants of ``fused`` exactly as the assessment was made.
        inputs: Of the scoring pass, one item; ``None``: made here.
        cache: Of that pass, left as it was; ``None``: filled here.
    """
    policies = processor.writer.layout.policies
    inputs = processor(fused) if inputs is None else inputs
    top = likeliest(assessment)
    if top is None:
        case = Case(item, fused, assessment, shown(fused, processor, inputs), policies)
        return write_rationale(case, Reason(None), measure)
    found = decode(
        model, processor, fused,
        inputs=inputs, cache=cache,
        policies=policies_to_explain(top), close=notes.is_close(probability_of(top)),
    )  # fmt: skip
    case = Case(item, fused, assessment, found.shown, policies)
    return write_rationale(case, found.reason, measure)


def likeliest(assessment: Assessment) -> PolicyScore | None:
    """The covered policy with the highest probability."""
    covered = [score for score in assessment.scores.values() if score.probability is not None]
    return max(covered, key=probability_of, default=None)


def policies_to_explain(top: PolicyScore) -> tuple[str | None, ...]:
    """What the model may name: the likeliest policy, or "none" where it is not violated."""
    probability = probability_of(top)
    if probability >= DECISION:
        return (top.policy,)
    return (top.policy, None) if notes.is_close(probability) else (None,)


def write_rationale(case: Case, reason: Reason, measure: Measure) -> Rationale:
    """Trace, measure and verify what a reason names."""
    top = likeliest(case.assessment)
    if top is None:
        why = {str(score.why_not).replace("_", " ") for score in case.assessment.scores.values()}
        summary = f"Nothing was scored: {', '.join(sorted(why)) or 'no policy is covered'}."
        return Rationale(summary, uncertain=tuple(_uncertain(case, None)))
    score = case.assessment.scores.get(reason.policy or top.policy, top)
    score = score if score.probability is not None else top
    picked, lost = _trace(case, reason)
    searched = _searched(case, picked, score, measure)
    found, moved = _measured(case, picked + searched, score, measure)
    verified = verify_quotes(Rationale("", evidence=tuple(e for _, e in found)), case.item)
    kept = [(sign, one) for sign, one in found if one in verified.evidence]
    lost += len(found) - len(kept)
    said = [_LOST.format(lost)] if lost else []
    said += [FOUND] if searched else []
    return Rationale(
        summary=_summary(case, score, kept),
        points_for=tuple(_told(one) for sign, one in kept if sign > 0),
        points_against=tuple(_told(one) for sign, one in kept if sign < 0),
        uncertain=tuple(_uncertain(case, score) + moved + said),
        evidence=tuple(one for _, one in kept),
    )


def _trace(case: Case, reason: Reason) -> tuple[list[_Picked], int]:
    """The first ``MOST_POINTS`` points that can be shown, and how many were lost."""
    rows = zip_longest(reason.points_for, reason.points_against)
    points = [(sign, point) for row in rows for sign, point in zip((1, -1), row, strict=True)]
    found = [_picked(case, sign, point) for sign, point in points if point is not None]
    shown = [one for one in found if one is not None]
    return shown[:MOST_POINTS], len(found) - len(shown)


def _picked(case: Case, sign: int, point: Point) -> _Picked | None:
    if point.place not in TEXT_PLACES:
        return _Picked(sign, point)
    line = next((line for line in case.shown.lines if _holds(line, point)), None)
    if line is None or point.quote is None:
        return None
    reserved = reserved_words(case.policies)
    source = original_quote(point.quote, line, case.item, reserved)
    return _Picked(sign, point, line, source) if source is not None else None


def _searched(
    case: Case, picked: Sequence[_Picked], score: PolicyScore, measure: Measure
) -> list[_Picked]:
    """What carries a score for which the model named nothing."""
    probability = probability_of(score)
    if probability < EXPLAIN_FROM or any(one.sign > 0 for one in picked):
        return []
    lines = [line for line in case.shown.lines if line not in [one.line for one in picked]]
    found = strongest_lines(case.fused, lines, score.policy, probability, measure)
    traced = [(_picked(case, 1, point), whole) for point, whole in found]
    return [replace(one, whole_place=whole) for one, whole in traced if one is not None]


def _holds(line: PromptLine, point: Point) -> bool:
    here = (line.place, line.at_s) == (point.place, point.at_s)
    return here and point.quote is not None and line.holds(point.quote)


def _measured(
    case: Case, picked: Sequence[_Picked], score: PolicyScore, measure: Measure
) -> tuple[list[tuple[int, Evidence]], list[str]]:
    """Evidence with its side as measured, and what is to be said of points that changed sides."""
    if not picked:
        return [], []
    found, moved = [], []
    full, measured = probability_of(score), measure([_without(case, one) for one in picked])
    for one, without in zip(picked, map(float, measured[score.policy]), strict=True):
        sign, evidence = one.sign, _evidence(case, one, score, without)
        if (full - without) * sign <= -SMALLEST_CHANGE:
            sign = -sign
            moved.append(_MOVED[sign].format(_told(evidence)))
        found.append((sign, evidence))
    return found, moved


def _without(case: Case, one: _Picked) -> FusedItem:
    if one.line is None:
        return without_sense(case.fused, one.point.place)
    if one.whole_place:
        return without_place(case.fused, one.point.place)
    return without_line(case.fused, one.line)


def _evidence(case: Case, one: _Picked, score: PolicyScore, without: float) -> Evidence:
    full, name = probability_of(score), taxonomy.policy(score.policy).name
    change = full - without
    gone = f"any {one.point.place}" if one.whole_place else "it"
    detail = f"{name} {full:.2f}, without {gone} {without:.2f}"
    start_s, end_s = _span(case, one)
    return Evidence(
        modality=_MODALITIES[one.point.place],
        start_s=start_s,
        end_s=end_s,
        quote=one.source.text if one.source else None,
        detail=detail if abs(change) >= SMALLEST_CHANGE else f"{detail}: hardly a change",
        policy=score.policy,
        weight=change,
    )


def _span(case: Case, one: _Picked) -> tuple[float, float]:
    """Seconds inside the video; posted text stands at 0."""
    length = case.item.duration_s
    last = length if length is not None and math.isfinite(length) else math.inf
    if one.source is not None:
        span = (one.source.start_s, one.source.end_s)
    elif one.point.place == "pictures":
        times = case.fused.frame_times_s
        seconds = [float(at) for at in times] if times is not None else []
        span = (min(seconds, default=0.0), max(seconds, default=0.0))
    else:
        span = (0.0, last)
    start, end = (min(max(0.0, at), last) if math.isfinite(at) else 0.0 for at in span)
    return start, max(start, end)


def _told(one: Evidence) -> str:
    what = f"“{one.quote}”" if one.quote is not None else f"The {_IN_WORDS[one.modality]}"
    return f"{what} ({one.detail})"


def _summary(case: Case, score: PolicyScore, kept: Sequence[tuple[int, Evidence]]) -> str:
    probability = probability_of(score)
    side = "at or above" if probability >= DECISION else "below"
    name = taxonomy.policy(score.policy).name
    text = f"The video scores {probability:.2f} for {name}, {side} {DECISION:.2f}"
    also = [
        f"{taxonomy.policy(s.policy).name} {probability_of(s):.2f}" for s in _others(case, score)
    ]
    text += f" (also {', '.join(also)})" if also else ""
    strong = [e for sign, e in kept if sign > 0 and (e.weight or 0.0) >= SMALLEST_CHANGE]
    if not strong:
        return f"{text}; no single part carries it."
    most = max(strong, key=lambda one: one.weight or 0.0)
    return f"{text}; what counts most is in the {_IN_WORDS[most.modality]}."


def _others(case: Case, score: PolicyScore) -> list[PolicyScore]:
    """Other policies that are not clearly fine, likeliest first."""
    covered = (s for s in case.assessment.scores.values() if s.probability is not None)
    near = [s for s in covered if s is not score and probability_of(s) >= EXPLAIN_FROM]
    return sorted(near, key=probability_of, reverse=True)


def _uncertain(case: Case, score: PolicyScore | None) -> list[str]:
    found = notes.sentences(facts(case.fused, case.shown.lines, case.shown.cut))
    if case.item.expensive.speech_understood is False:
        found.append("The speech was not understood.")
    for one in [score, *_others(case, score)] if score is not None else []:
        found += notes.doubts(one)
    return found + notes.not_covered(case.assessment)


def probability_of(score: PolicyScore) -> float:
    """Its probability; -1 where there is none."""
    return score.probability if score.probability is not None else -1.0
