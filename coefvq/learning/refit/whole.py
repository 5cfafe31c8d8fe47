"""The refitted model put together: adjustments, base rates without text, the tasks' own answers."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from coefvq import taxonomy
from coefvq.learning.measures import brier
from coefvq.learning.refit.choose import Floats
from coefvq.learning.refit.learn import Learnt
from coefvq.learning.refit.lesson import answerable, parent_log_odds
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.replay import per_video, trust
from coefvq.learning.refit.rows import Rows
from coefvq.prefilter.adjust import TEXT, Adjustment
from coefvq.prefilter.model import POLICIES, TEXT_POLICIES
from coefvq.prefilter.weights import Root, Trained
from coefvq.routing.calibration import Calibrator, fit_platt, log_odds, sigmoid

ASSUMED = 20.0
"""Videos without a word that the root's assumed base rate counts as."""
TASK_FROM = 50
"""Violations and harmless videos needed, each, before a task gets a recalibration of its own."""


def put_together(
    root: Trained,
    version: str,
    adjustments: Mapping[str, Adjustment],
    calibration: Mapping[str, Calibrator],
    without_text: Mapping[str, float],
    tasks: Mapping[str, Calibrator],
    facts: dict[str, Any],
) -> Trained:
    """The root with what was learnt beside it."""
    return replace(
        root,
        adjustments=dict(sorted(adjustments.items())),
        calibration={**root.calibration, **dict(sorted(calibration.items()))},
        without_text=dict(sorted({**root.without_text, **without_text}.items())),
        tasks={**root.tasks, **dict(sorted(tasks.items()))},
        root=Root(version, dict(root.calibration), dict(root.tasks), dict(root.without_text)),
        facts=facts,
    )


def wordless_rates(
    rows: Rows, root: Trained, adjustments: Mapping[str, Adjustment], options: RefitOptions
) -> dict[str, float]:
    """By policy that only reads text: its share of violations where nothing was typed.

    The root's rate is assumed; it counts as ``ASSUMED`` videos against those that people saw. A
    policy that the root does not know starts from its share in all its decisions.
    """
    only = {name for name, each in adjustments.items() if each.reads == {TEXT}}
    found = {}
    for policy in sorted({*TEXT_POLICIES, *(only - set(POLICIES))}):
        places = _labelled(rows, policy)
        weights, labels = _natural(rows, policy, places, options)
        silent = ~rows.worded[places] & ~np.asarray([_typed(rows, at) for at in places], dtype=bool)
        prior = root.without_text.get(policy)
        if prior is None:
            prior = float(weights @ labels) / max(float(weights.sum()), 1e-9)
        if policy not in root.without_text or silent.any():
            mass = float(weights[silent].sum())
            rate = (ASSUMED * prior + float(weights[silent] @ labels[silent])) / (ASSUMED + mass)
            found[policy] = float(np.clip(rate, 1e-4, 1 - 1e-4))
    return found


def _typed(rows: Rows, at: int) -> bool:
    posted = rows.items[at].posted
    return any(char.isalnum() for part in (posted.title, posted.caption) for char in part or "")


def _labelled(rows: Rows, policy: str) -> np.ndarray:
    return np.asarray(
        [at for at, item in enumerate(rows.items) if policy in item.labels], dtype=int
    )


def _natural(
    rows: Rows, policy: str, places: np.ndarray, options: RefitOptions
) -> tuple[Floats, Floats]:
    items = [rows.items[at] for at in places]
    labels = np.asarray([float(item.labels[policy]) for item in items])
    return trust(items, policy) * per_video(items, policy, options.heaviest), labels


def task_calibrations(
    rows: Rows,
    root: Trained,
    learnt: Mapping[str, Learnt],
    calibration: Mapping[str, Calibrator],
    options: RefitOptions,
) -> dict[str, Calibrator]:
    """By task the map from the log-odds of its largest probability to its own.

    On held-out answers. A task keeps the root's map where there are too few videos, or where a
    new one does not lower the Brier score on videos that it was not fitted on.
    """
    answers = {name: _answers(rows, root, name, learnt, calibration) for name in POLICIES}
    answers |= {name: _answers(rows, root, name, learnt, calibration) for name in learnt}
    found = {}
    for task in taxonomy.tasks().values():
        names = [policy.id for policy in task.policies if policy.id in answers]
        moved = _task(
            rows, [answers[name] for name in names], names, root.tasks.get(task.id), options
        )
        if moved is not None:
            found[task.id] = moved
    return found


def _answers(
    rows: Rows,
    root: Trained,
    policy: str,
    learnt: Mapping[str, Learnt],
    calibration: Mapping[str, Calibrator],
) -> Floats:
    """Held-out probabilities (n,); NaN where a policy was fitted on the row and not held out.

    Where the model has no answer of its own: its rate for videos without a word, or 0.
    """
    if policy not in learnt:
        found = sigmoid(parent_log_odds(rows, root, policy))
    else:
        found = np.full(len(rows.items), np.nan)
        places = learnt[policy].rows.astype(int)
        found[places] = calibration[policy](learnt[policy].logits)
    return np.where(answerable(rows, policy), found, root.without_text.get(policy, 0.0))


def _task(
    rows: Rows,
    answers: list[Floats],
    names: list[str],
    before: Calibrator | None,
    options: RefitOptions,
) -> Calibrator | None:
    if not names:
        return None
    judged = np.asarray([all(name in item.labels for name in names) for item in rows.items])
    table = np.stack(answers, axis=1)
    usable = judged & ~np.isnan(table).any(axis=1)
    places = np.flatnonzero(usable)
    labels = np.asarray([float(max(rows.items[at].labels[n] for n in names)) for at in places])
    if min((labels == 1).sum(), (labels == 0).sum()) < TASK_FROM:
        return None
    x = log_odds(table[places].max(axis=1))
    items = [rows.items[at] for at in places]
    weights = per_video(items, names[0], options.heaviest)
    halves = np.asarray([_half(item.group) for item in items])
    old = before or Calibrator()
    held = np.asarray(old(x), dtype=np.float64)
    fitted = held.copy()
    for half in (0, 1):
        mine = halves == half
        if mine.all() or not mine.any() or len(set(labels[~mine])) < 2:
            return None
        fitted[mine] = fit_platt(x[~mine], labels[~mine], weights[~mine], ridge=2.0)(x[mine])
    if brier(labels, fitted, weights) >= brier(labels, held, weights):
        return None
    return fit_platt(x, labels, weights, ridge=2.0)


def _half(group: str) -> int:
    return zlib.crc32(group.encode("utf-8", "surrogatepass")) % 2
