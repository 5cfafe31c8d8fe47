"""Reasons in the model's own words, asked for as JSON and kept only where a quote proves them.

Unlike the embedded model's, these reasons are written, not measured. A point counts only if its
quote is verbatim in the title, the caption, the speech or the screen text; the rest is dropped.
Remarks on pictures cannot be checked in that way and are not asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coefvq import taxonomy
from coefvq.domain import Assessment, Evidence, Modality, PolicyScore, Rationale, TimedText
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.endpoint.content import SYSTEM, Texts, messages
from coefvq.mllm.endpoint.dialects import Attached
from coefvq.mllm.endpoint.labels import spoken
from coefvq.mllm.prompt import lines_of
from coefvq.mllm.rationale import EXPLAIN_FROM, MAX_POINTS, MAX_QUOTE, verify_quotes
from coefvq.mllm.sanitise import sanitise

MAX_TOKENS = 512
MAX_REMARK = 200
MIN_QUOTE = 3
UNCALIBRATED = "The probabilities are the model's own; they were not calibrated."
WRITTEN = "The remarks are the model's own words; only the quotes were checked."
DROPPED = "Points dropped because their quote is not in the video's texts: {}."


@dataclass(frozen=True)
class Asked:
    """What is explained: the item and the covered policies worth it, likeliest first."""

    item: MllmInput
    chosen: tuple[PolicyScore, ...]

    @property
    def policies(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(score.policy for score in self.chosen)


def asked(item: MllmInput, assessment: Assessment) -> Asked:
    """Choose the policies to explain: those that are not clearly fine, else the likeliest."""
    covered = [score for score in assessment.scores.values() if score.probability is not None]
    ranked = sorted(covered, key=_probability, reverse=True)
    near = [score for score in ranked if _probability(score) >= EXPLAIN_FROM]
    return Asked(item, tuple(near or ranked[:1]))


def schema(policies: Sequence[str]) -> dict[str, Any]:
    """JSON schema of the answer."""
    point = _object(
        {
            "policy": {"type": "string", "enum": list(policies)},
            "quote": {"type": "string"},
            "remark": {"type": "string"},
        }
    )
    points = {"type": "array", "items": point, "maxItems": MAX_POINTS}
    return _object({"for": points, "against": points, "summary": {"type": "string"}})


def rationale_messages(texts: Texts, attached: Attached, policies: Sequence[str]) -> list[dict]:
    """Ask for reasons for and against a violation of these policies."""
    rules = "\n".join(f"{name}: {sanitise(taxonomy.policy(name).guideline)}" for name in policies)
    ask = (
        f"Rules:\n{rules}\n"
        "Say what speaks for and what against a violation of these rules. Each point copies a "
        "quote of the video's texts letter by letter, without its time. Answer as JSON: "
        '{"for": [{"policy", "quote", "remark"}], "against": [the same], "summary"}. '
        "The summary is one sentence."
    )
    return messages(SYSTEM, texts, attached, ask)


def read_rationale(answer: dict[str, Any], asked: Asked, truncated: bool = False) -> Rationale:
    """Turn a chat completion into a rationale with checked quotes.

    Raises:
        EndpointError: If the answer is not a chat completion.
        ValueError: If it holds no JSON object.
    """
    found = _json_object(spoken(answer))
    points_for, evidence_for, lost_for = _points(found.get("for"), asked)
    points_against, evidence_against, lost_against = _points(found.get("against"), asked)
    remark = _clean(found.get("summary"))
    lost = lost_for + lost_against
    notes = [UNCALIBRATED, WRITTEN]
    notes += [DROPPED.format(lost)] if lost else []
    notes += ["The text was too long; parts of it were not read."] if truncated else []
    rationale = Rationale(
        summary=scores_in_words(asked) + (f" The model: {remark}" if remark else ""),
        points_for=points_for,
        points_against=points_against,
        uncertain=tuple(notes),
        evidence=evidence_for + evidence_against,
    )
    return verify_quotes(rationale, asked.item)


def no_rationale(asked: Asked, why: str) -> Rationale:
    """What is said where there are no reasons: the scores and why there is nothing more."""
    notes = (UNCALIBRATED,) if asked.chosen else ()
    return Rationale(f"{scores_in_words(asked)} No reasons: {why}", uncertain=notes)


def scores_in_words(asked: Asked) -> str:
    """The chosen scores as one sentence."""
    rows = [f"{taxonomy.policy(s.policy).name} {_probability(s):.2f}" for s in asked.chosen]
    return f"Scores: {', '.join(rows)}." if rows else "Nothing was scored."


def _points(rows: Any, asked: Asked) -> tuple[tuple[str, ...], tuple[Evidence, ...], int]:
    evidence: list[Evidence] = []
    lost = 0
    for row in rows if isinstance(rows, list) else []:
        one = _evidence(row, asked) if isinstance(row, dict) else None
        if one is None:
            lost += 1
        elif one not in evidence:
            evidence.append(one)
    kept = tuple(evidence[:MAX_POINTS])
    return tuple(f"“{one.quote}” ({one.detail})" for one in kept), kept, lost


def _evidence(row: dict[str, Any], asked: Asked) -> Evidence | None:
    quote, policy = row.get("quote"), row.get("policy")
    if not isinstance(quote, str) or policy not in asked.policies:
        return None
    quote = quote.strip()
    place = _place(quote, asked.item) if MIN_QUOTE <= len(quote) <= MAX_QUOTE else None
    if place is None:
        return None
    modality, start_s, end_s = place
    name = taxonomy.policy(str(policy)).name
    remark = _clean(row.get("remark"))
    detail = f"{name}: {remark}" if remark else name
    return Evidence(modality, start_s, end_s, quote, detail, policy=str(policy))


def _place(quote: str, item: MllmInput) -> tuple[Modality, float, float] | None:
    """Where a quote is verbatim: its modality and seconds; posted text stands at 0."""
    signals = item.expensive
    timed: tuple[tuple[Modality, tuple[TimedText, ...]], ...] = (
        (Modality.SPEECH, signals.speech or ()),
        (Modality.SCREEN_TEXT, signals.screen_text or ()),
    )
    for modality, lines in timed:
        for line in lines:
            if quote in line.text:
                return modality, line.start_s, line.end_s
    if any(text and quote in text for text in (item.posted.title, item.posted.caption)):
        return Modality.CAPTION, 0.0, 0.0
    # Short neighbouring lines were shown as one: a quote may run over their border.
    for shown in lines_of(item):
        if quote in shown.raw:
            return shown.modality, shown.start_s, shown.end_s
    return None


def _json_object(text: str) -> dict[str, Any]:
    """The first JSON object in a text, whatever stands around it (code fences, a preface)."""
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        try:
            found = decoder.raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
        else:
            return found
    raise ValueError("there is no JSON object in the answer")


def _clean(text: Any) -> str:
    return sanitise(text)[:MAX_REMARK].strip() if isinstance(text, str) else ""


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _probability(score: PolicyScore) -> float:
    return score.probability if score.probability is not None else -1.0
