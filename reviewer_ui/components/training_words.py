"""The Training page's words: stages, states, options, and how figures are written."""

from __future__ import annotations

from typing import Any

from coefvq import taxonomy
from reviewer_ui.markup import Markup, h

STAGES = {"prefilter": "Prefilter", "mllm": "MLLM"}
STATES = {
    "queued": "waits",
    "running": "in training",
    "done": "done",
    "cancelled": "stopped",
    "failed": "failed",
}
MEASURES = {
    "auc": "AUC",
    "f1": "F1",
    "miss_rate": "Miss rate",
    "brier": "Brier",
    "ece": "Calibration error",
}
"""Measures of the gate's table, in its order."""
TASK_MEASURES = {
    "auc": "AUC",
    "miss_rate": "Miss rate",
    "false_removal_rate": "False removals",
    "escalation_rate": "MLLM calls",
    "human_rate": "To people",
}
SHARES = frozenset({"miss_rate", "false_removal_rate", "escalation_rate", "human_rate"})
LESS_IS_BETTER = frozenset({"miss_rate", "brier", "ece", "false_removal_rate"})
STATUSES = {
    "better": "better",
    "held": "held",
    "worse": "worse",
    "unknown": "cannot be told",
    "unchanged": "unchanged",
    "new": "new",
    "lost": "lost",
}
OPTIONS = {
    "seed": "Seed: makes a run repeatable",
    "folds": "Folds of the cross-validation that chooses the strength",
    "anchor": "How much the training texts of the parent still count",
    "emphasis": "A correction counts so many times a confirmed answer, at most",
    "distance": "Largest distance from the traffic's own mixture, bits",
    "heaviest": "Heaviest weight of a rare draw",
    "novices": "Labels of each kind to learn a new policy",
    "fewest": "Labels of each kind to adjust a known policy",
    "items": "Videos to learn from, at most",
    "held_items": "Videos of the validation split, at most",
    "item_steps": "Passes of a video through the network, at most",
    "epochs": "Times that a video is seen, at most",
    "batch": "Videos a step",
    "adapter_rate": "Learning rate of LoRA",
    "head_rate": "Learning rate of the heads",
    "prefer": "Weight of preferring the correction",
    "beta": "Sharpness of that preference",
    "keep": "Weight of the answers it gave before",
    "threads": "CPU threads; 0: as they are",
}


def option(name: str) -> str:
    """What an option is; its name where nothing better is known."""
    return OPTIONS.get(name, name.replace("_", " "))


def policy_name(policy_id: str) -> str:
    """What people call a policy; its id where the taxonomy has it no more."""
    known = taxonomy.policies().get(policy_id)
    return known.name if known is not None else policy_id


def short(version: str) -> str:
    """A version that fits a table; the whole one is in its title."""
    return version if len(version) <= 28 else f"{version[:25]}…"


def named(version: str) -> Markup:
    """A version with its whole name to point at."""
    return h('<b class="version" title="{}">{}</b>', version, short(version))


def number(value: Any, measure: str, *, sign: bool = False) -> str:
    """A figure: shares in percent, the rest with three decimals; an en dash where unknown."""
    if not isinstance(value, int | float):
        return "–"
    plus = "+" if sign else ""
    if measure in SHARES:
        return f"{value * 100:{plus}.1f} %"
    return f"{value:{plus}.3f}"


def figure(found: Any, measure: str, *, sign: bool = False) -> Markup:
    """A figure and its 95 % interval."""
    if not isinstance(found, dict) or found.get("value") is None:
        return h("–")
    value = number(found["value"], measure, sign=sign)
    low, high = (number(found.get(end), measure, sign=sign) for end in ("low", "high"))
    ends = "" if "–" in (low, high) else f"{low.removesuffix(' %')} to {high}"
    return h('<span class="value">{}</span> <span class="ends muted">{}</span>', value, ends)


def left(seconds: float | None) -> str:
    """``about 4 min left``; empty where it is not known."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    return f"about {round(seconds / 60)} min left"
