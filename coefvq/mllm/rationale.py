"""Reasons that are measured, not written by the model.

The item is scored again with each line left out. A line whose removal lowers the probability
speaks for a violation, one whose removal raises it speaks against. Nothing is generated: the
prose of a 135M-parameter model is not trustworthy, a measured change is. Every quote is
compared with its source before it leaves; a quote that is not there is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from coefvq import taxonomy
from coefvq.domain import Assessment, Evidence, Modality, PolicyScore, Rationale, TimedText, WhyNot
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.prompt import Line

MAX_VARIANTS = 16
EXPLAIN_FROM = 0.25
SMALLEST_CHANGE = 0.02
MAX_POINTS = 5
MAX_QUOTE = 200
DECISION = 0.5
THIN_MARGIN = 0.15
LOW_MASS = 0.5

ScoreLines = Callable[[Sequence[Sequence[Line]]], dict[str, np.ndarray]]
_PLACES = {
    Modality.CAPTION: "title or caption",
    Modality.SPEECH: "speech",
    Modality.SCREEN_TEXT: "screen text",
}


@dataclass(frozen=True)
class Reading:
    """What is being explained: an item, its assessment, and the lines that were read."""

    item: MllmInput
    assessment: Assessment
    lines: tuple[Line, ...]
    truncated: bool


def write_rationale(reading: Reading, score: ScoreLines) -> Rationale:
    """Explain an assessment.

    Args:
        score: Probabilities by policy, float (sets,), of several sets of lines.
    """
    covered = [s for s in reading.assessment.scores.values() if s.probability is not None]
    uncertain = tuple(_uncertain(reading, covered))
    if not covered or not reading.lines:
        return Rationale(summary=_nothing_scored(reading), uncertain=uncertain)
    chosen = _to_explain(covered)
    evidence = _measured(reading.lines, chosen, score)
    rationale = Rationale(
        summary=_summary(chosen, evidence), uncertain=uncertain, evidence=tuple(evidence)
    )
    return _with_points(verify_quotes(rationale, reading.item))


def _to_explain(covered: Sequence[PolicyScore]) -> list[PolicyScore]:
    ranked = sorted(covered, key=_probability, reverse=True)
    near = [score for score in ranked if _probability(score) >= EXPLAIN_FROM]
    return near or ranked[:1]


def _measured(
    lines: Sequence[Line], chosen: Sequence[PolicyScore], score: ScoreLines
) -> list[Evidence]:
    tried = variants(lines)
    sets = [list(lines)] + [[x for i, x in enumerate(lines) if i not in gone] for gone in tried]
    probabilities = score(sets)
    evidence = []
    for policy in (chosen_score.policy for chosen_score in chosen):
        full = float(probabilities[policy][0])
        for gone, without in zip(tried, probabilities[policy][1:], strict=True):
            if abs(full - without) >= SMALLEST_CHANGE:
                evidence.append(_evidence([lines[i] for i in gone], policy, full, float(without)))
    return _strongest(evidence)


def variants(lines: Sequence[Line]) -> list[tuple[int, ...]]:
    """Which lines are left out together: at most ``MAX_VARIANTS`` sets of neighbours.

    Neighbours of one field are merged, the pair with the fewest characters first, until few
    enough are left. Where fields alone are too many (never with four), the longest stay.
    """
    sets: list[tuple[int, ...]] = [(index,) for index in range(len(lines))]
    while len(sets) > MAX_VARIANTS:
        pairs = [
            (_length(lines, a + b), position)
            for position, (a, b) in enumerate(pairwise(sets))
            if lines[a[0]].field == lines[b[0]].field
        ]
        if not pairs:
            return sorted(sets, key=lambda gone: -_length(lines, gone))[:MAX_VARIANTS]
        position = min(pairs)[1]
        sets[position : position + 2] = [sets[position] + sets[position + 1]]
    return sets


def _length(lines: Sequence[Line], indices: Sequence[int]) -> int:
    return sum(len(lines[index].raw) for index in indices)


def _strongest(evidence: Sequence[Evidence]) -> list[Evidence]:
    ranked = sorted(evidence, key=lambda one: -abs(one.weight or 0.0))
    kept: list[Evidence] = []
    for sign in (1, -1):
        kept += [one for one in ranked if (one.weight or 0.0) * sign > 0][:MAX_POINTS]
    return kept


def _evidence(gone: Sequence[Line], policy: str, full: float, without: float) -> Evidence:
    what = "it" if len(gone) == 1 else f"these {len(gone)} lines"
    name = taxonomy.policy(policy).name
    return Evidence(
        modality=gone[0].modality,
        start_s=gone[0].start_s,
        end_s=max(line.end_s for line in gone),
        quote=_shortened(gone[0].raw),
        detail=f"{name} {full:.2f}, without {what} {without:.2f}",
        policy=policy,
        weight=full - without,
    )


def _shortened(text: str) -> str:
    text = text.strip()
    if len(text) <= MAX_QUOTE:
        return text
    return text[:MAX_QUOTE].rsplit(" ", 1)[0]


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


def _with_points(rationale: Rationale) -> Rationale:
    def points(sign: int) -> tuple[str, ...]:
        rows = [one for one in rationale.evidence if (one.weight or 0.0) * sign > 0]
        return tuple(f"“{one.quote}” ({one.detail})" for one in rows)

    return replace(rationale, points_for=points(1), points_against=points(-1))


def _summary(chosen: Sequence[PolicyScore], evidence: Sequence[Evidence]) -> str:
    top = chosen[0]
    name, probability = taxonomy.policy(top.policy).name, _probability(top)
    side = "at or above" if probability >= DECISION else "below"
    text = f"The text scores {probability:.2f} for {name}, {side} {DECISION:.2f}"
    also = [f"{taxonomy.policy(s.policy).name} {_probability(s):.2f}" for s in chosen[1:]]
    if also:
        text += f" (also {', '.join(also)})"
    own = [one for one in evidence if one.policy == top.policy and (one.weight or 0) > 0]
    if own:
        return f"{text}; what counts most is in the {_PLACES[own[0].modality]}."
    return f"{text}; no single line carries it."


def _nothing_scored(reading: Reading) -> str:
    reasons = {s.why_not for s in reading.assessment.scores.values()} - {WhyNot.NOT_TRAINED, None}
    words = ", ".join(sorted(str(reason).replace("_", " ") for reason in reasons))
    return f"Nothing was scored: {words or 'no policy is covered'}."


def _uncertain(reading: Reading, covered: Sequence[PolicyScore]) -> list[str]:
    notes = ["Pictures and sounds were not looked at: this model reads text only."]
    notes += _absent(reading.item)
    if reading.truncated:
        notes.append("The text was too long; parts of it were not read.")
    notes += [note for score in covered for note in _doubts(score)]
    missing = [s for s in reading.assessment.scores.values() if not s.covered]
    for reason in sorted({str(score.why_not) for score in missing}):
        names = [taxonomy.policy(s.policy).name for s in missing if s.why_not == reason]
        notes.append(f"Not covered ({reason.replace('_', ' ')}): {'; '.join(names)}.")
    return notes


def _absent(item: MllmInput) -> list[str]:
    signals = item.expensive
    absent = {
        "no title": not item.posted.title,
        "no caption": not item.posted.caption,
        "no speech track": signals.speech is None,
        "no spoken words": signals.speech is not None and not signals.speech,
        "screen text not looked for": signals.screen_text is None,
        "no screen text": signals.screen_text is not None and not signals.screen_text,
    }
    found = [what for what, is_so in absent.items() if is_so]
    notes = [f"Missing: {', '.join(found)}."] if found else []
    if signals.speech_understood is False:
        notes.append("The speech was not understood.")
    return notes


def _doubts(score: PolicyScore) -> list[str]:
    name, probability = taxonomy.policy(score.policy).name, _probability(score)
    notes = []
    if abs(probability - DECISION) < THIN_MARGIN:
        notes.append(f"The score for {name} is close to {DECISION:.2f} ({probability:.2f}).")
    if score.label_mass is not None and score.label_mass < LOW_MASS:
        notes.append(
            f"The model put only {score.label_mass:.2f} of its probability on a yes or no "
            f"for {name}: the text is unlike what it was trained on."
        )
    return notes


def _probability(score: PolicyScore) -> float:
    return score.probability if score.probability is not None else -1.0
