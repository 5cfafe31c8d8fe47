"""Rationales of the fused model: their text, the targets to learn, and how they are decoded."""

from coefvq.mllm.fused.reasons.decode import Decoded, decode_reason, prefill
from coefvq.mllm.fused.reasons.lines import PromptLine, item_lines
from coefvq.mllm.fused.reasons.rationale import Case, Measure, explain, write_rationale
from coefvq.mllm.fused.reasons.shown import Shown, shown_lines
from coefvq.mllm.fused.reasons.target import Known, facts, target
from coefvq.mllm.fused.reasons.text import Point, Reason, parse, write

__all__ = [
    "Case",
    "Decoded",
    "Known",
    "Measure",
    "Point",
    "PromptLine",
    "Reason",
    "Shown",
    "decode_reason",
    "explain",
    "facts",
    "item_lines",
    "parse",
    "prefill",
    "shown_lines",
    "target",
    "write",
    "write_rationale",
]
