"""The question sets: when is the large model worth asking, by the accuracy of the whole system?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.routing_data import Questions, questions
from benchmarks.routing_splits import MAIN, halves, run_split
from coefvq.routing.fit import fit_policy
from coefvq.routing.objective import Objective
from coefvq.routing.request import FitRequest

RULES = {
    "entropy": ("entropy", "f1"),
    "least sure first": ("bayes_risk", "ap"),
    "learned": ("learned", "ap"),
    "auto": ("auto", "ap"),
}
"""Rule and objective. For one probability of "the base model is wrong", the Bayes risk of a
ranking is that probability: the base model's least sure answers go first, as in the paper."""
SHARES = np.linspace(0, 1, 51)
PUBLISHED = {
    "Llama 1B → 8B, ARC-Easy": (0.670, 0.935, 0.872, 0.417),
    "Qwen 1.5B → 7B, ARC-Challenge": (0.693, 0.906, 0.855, 0.550),
}
"""Accuracy of base, of large, of the cascade, and the cascade's cost over the large model's; from
the released results of arXiv 2506.11887."""


def run_questions(folder: str, name: str, gate: str, split: int) -> dict[str, Any]:
    """Deferral curves of accuracy against relative cost on one split."""
    everything = questions(Path(folder), name, gate)
    fit_rows, held_rows = halves(len(everything.items), split)
    fitted, held = everything.items.take(fit_rows), everything.take(held_rows)
    curves = {}
    for shown, (rule, objective) in RULES.items():
        request = FitRequest(rule=rule, objective=Objective.named(objective), budget=0.3)
        policy = fit_policy(fitted, request)
        matrix = held.items.feature_matrix(policy.features)
        score = policy.score(policy.first.know(held.items.prefilter, matrix))
        curves[shown] = accuracy_curve(held, score)
    curves["oracle"] = accuracy_curve(held, held.large_right.astype(float) - held.base_right)
    return {
        "name": name, "gate": gate, "split": split, "curves": curves,
        "base": float(held.base_right.mean()), "large": float(held.large_right.mean()),
    }  # fmt: skip


def run_verdicts(folder: str, name: str, split: int, objective: str) -> list[dict[str, Any]]:
    """How well the cascade tells wrong answers of the base model, on one split."""
    items = questions(Path(folder), name, "base").items
    rules = ("entropy", "bayes_risk", "auto")
    rows = run_split(items, split, objective, MAIN[objective], rules)
    return [row | {"set": name} for row in rows]


def accuracy_curve(held: Questions, score: NDArray[np.float64]) -> dict[str, list[float]]:
    """Accuracy and relative cost with the highest scores sent to the large model.

    The cost is the first stage's on every question and the second's on those sent, over that of
    the large model's answers alone.
    """
    order = np.argsort(-score, kind="stable")
    gained = np.cumsum((held.large_right.astype(int) - held.base_right.astype(int))[order])
    spent = np.cumsum(held.items.mllm_cost[order])
    counts = np.round(SHARES * len(score)).astype(int)
    right = held.base_right.sum() + np.append(0, gained)[counts]
    cost = held.items.prefilter_cost.sum() + np.append(0.0, spent)[counts]
    return {
        "accuracy": (right / len(score)).tolist(),
        "cost": (cost / held.large_alone.sum()).tolist(),
    }
