"""One policy from its decisions to an adjustment: chosen, fitted, calibrated, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from coefvq.learning.measures import auc, brier, debiased_ece
from coefvq.learning.refit.choose import Floats, Plan, choose, design, fit
from coefvq.learning.refit.lesson import Teaching, parent_log_odds, sides_of
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.rows import WORDS, Rows
from coefvq.learning.refit.solve import Solution, log_loss
from coefvq.prefilter.adjust import PICTURES, TEXT, Adjustment
from coefvq.prefilter.features import BLOCKS
from coefvq.prefilter.weights import Trained
from coefvq.routing.calibration import (
    ISOTONIC_FROM,
    Calibrator,
    fit_isotonic,
    fit_platt,
    log_odds,
    sigmoid,
)

STEADY = 2.0
"""Pull of the recalibration to the parent's own, in items' worth of information."""
SURE = 0.5
"""Standard errors by which the held-out log-loss must fall before the parent is changed."""
CHANCE_SIGMAS = 1.96
SMALLEST = 1e-3
"""Log-odds below which an n-gram's weight is not kept."""


@dataclass(frozen=True)
class Learnt:
    """What was fitted, as it is kept on disk between two runs of one refit.

    Attributes:
        plan: What is read, and the pulls.
        solution: Fitted on all training decisions.
        logits: float64 (m,), held out; then those of the validation part.
        rows: int64 (m,), which rows of the refit these are.
        gain: Fall of the held-out log-loss against the parent; ``gain_error`` its error.
        by_group: Whether the folds kept groups together.
    """

    plan: Plan
    solution: Solution
    logits: Floats
    rows: Floats
    gain: float
    gain_error: float
    by_group: bool


def learn(
    teaching: Teaching,
    rows: Rows,
    root: Trained,
    options: RefitOptions,
    tried: Callable[[float, float], None],
) -> Learnt:
    """Choose the pulls on held-out groups, then fit on all training decisions."""
    chosen = choose(teaching.lesson, options.folds, options.seed, tried)
    solution = fit(teaching.lesson, chosen.plan)
    places = teaching.validation
    sides = sides_of(rows, root, teaching.policy, places, chosen.plan.reads)
    parent = parent_log_odds(rows, root, teaching.policy)[places]
    logits = solution.logits(design(sides, chosen.plan, len(places)), parent)
    return Learnt(
        chosen.plan, solution, np.concatenate([chosen.logits, logits]),
        np.concatenate([teaching.train[chosen.places], places]),
        chosen.gain, chosen.gain_error, chosen.by_group,
    )  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A learnt policy on what it was not fitted on.

    Attributes:
        why_not: Why the parent's answer stays; ``None`` where the new one is better.
        figures: Plain JSON.
    """

    calibration: Calibrator
    why_not: str | None
    figures: dict[str, Any]


def judge(teaching: Teaching, learnt: Learnt, rows: Rows, root: Trained) -> Judged:
    """Calibrate on held-out answers and validation, and compare with the parent."""
    places = learnt.rows.astype(int)
    labels = np.asarray([float(rows.items[at].labels[teaching.policy]) for at in places])
    order = np.concatenate([teaching.train, teaching.validation])
    natural = dict(zip(order.tolist(), teaching.natural.tolist(), strict=True))
    weights = np.asarray([natural[int(at)] for at in places])
    weights = weights / max(float(weights.mean()), 1e-9)
    # mistakes alone do not say how often the machine is right: its own calibration stays
    keep = Calibrator() if teaching.lesson.picked else None
    calibration = keep or recalibrated(learnt.logits, labels, weights)
    before = parent_log_odds(rows, root, teaching.policy)[places]
    figures = _figures(teaching, learnt, labels, weights, before, calibration)
    return Judged(calibration, _why_not(teaching, learnt, labels, calibration), figures)


def recalibrated(logits: Floats, labels: Floats, weights: Floats) -> Calibrator:
    """Platt, held near to the parent's calibration; isotonic from 1,000 items of each class."""
    if min((labels == 1).sum(), (labels == 0).sum()) >= ISOTONIC_FROM:
        return fit_isotonic(logits, labels, weights)
    return fit_platt(logits, labels, weights, ridge=STEADY)


def _why_not(
    teaching: Teaching, learnt: Learnt, labels: Floats, calibration: Calibrator
) -> str | None:
    if calibration.kind == "platt" and calibration.a <= 0.02:
        return "what was learnt does not tell violations apart on decisions that were held out"
    if teaching.lesson.known:
        if learnt.gain <= SURE * learnt.gain_error:
            return "it was no better than the parent on decisions that were held out"
        return None
    positives, negatives = float(labels.sum()), float((1 - labels).sum())
    chance = np.sqrt((len(labels) + 1) / (12 * positives * negatives))
    if auc(labels, learnt.logits) <= 0.5 + CHANCE_SIGMAS * chance:
        return "it was no better than chance on decisions that were held out"
    return None


def _figures(
    teaching: Teaching, learnt: Learnt, labels: Floats, weights: Floats, before: Floats,
    calibration: Calibrator,
) -> dict[str, Any]:  # fmt: skip
    known = teaching.lesson.known
    new = np.asarray(calibration(learnt.logits), dtype=np.float64)

    def measured(probabilities: Floats) -> dict[str, float]:
        return {
            "auc": _number(auc(labels, probabilities)),
            "log_loss": _number(log_loss(labels, log_odds(probabilities), weights)),
            "brier": _number(brier(labels, probabilities, weights)),
            "debiased_ece": _number(debiased_ece(labels, probabilities, 5, weights)),
        }

    return {
        "new": not known,
        "train": len(teaching.train),
        "validation": len(teaching.validation),
        "positives": int(labels.sum()),
        "measured_on": len(labels),
        "reads": learnt.plan.words(),
        "slope": round(learnt.solution.slope, 4),
        "gain": round(learnt.gain, 5),
        "gain_error": round(learnt.gain_error, 5),
        "picked_mistakes": teaching.lesson.picked,
        "folds_by": "group" if learnt.by_group else "video",
        "replay": teaching.replay.to_json(),
        "before": measured(sigmoid(before)) if known else None,
        "after": measured(new),
    }


def _number(value: float) -> float:
    return round(float(value), 4)


def adjustment_of(teaching: Teaching, learnt: Learnt, root: Trained) -> Adjustment:
    """The learnt numbers as the model keeps them: for each unit of what the prefilter reads."""
    parts = _parts(learnt, root)
    text, pictures = parts.get(TEXT), parts.get(PICTURES)
    slope, shift = teaching.straight
    words = np.zeros(0) if text is None else text[:WORDS]
    kept = np.flatnonzero(np.abs(words) >= SMALLEST)
    blocks, absent = {}, {}
    if pictures is not None:
        start = 0
        widths = [len(root.scaling[name].mean) for name in BLOCKS]
        for place, (name, width) in enumerate(zip(BLOCKS, widths, strict=True)):
            part = pictures[start : start + width] / np.sqrt(width)
            missing = float(pictures[sum(widths) + place])
            if part.any() or missing:
                blocks[name], absent[name] = part.astype(np.float32), missing
            start += width
    return Adjustment(
        reads=learnt.plan.reads,
        slope=learnt.solution.slope * slope,
        shift=learnt.solution.shift + learnt.solution.slope * shift,
        buckets=kept.astype(np.int64),
        words=words[kept].astype(np.float32),
        surface=None if text is None else text[WORDS:].astype(np.float32),
        blocks=blocks,
        absent=absent,
    )


def _parts(learnt: Learnt, root: Trained) -> dict[str, Floats]:
    widths = {TEXT: None, PICTURES: sum(len(root.scaling[name].mean) + 1 for name in BLOCKS)}
    found, rest = {}, learnt.solution.delta
    for name, _ in learnt.plan.pulls:
        # "pictures" sorts before "text", so whatever is left after it is the text
        size = widths[name] or len(rest)
        found[name], rest = rest[:size], rest[size:]
    return found
