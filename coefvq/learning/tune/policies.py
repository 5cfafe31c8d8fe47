"""One policy of the readout: heads refitted, parts joined, calibrated, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.measures import auc, bootstrap
from coefvq.learning.refit.replay import Replay, governed
from coefvq.learning.tune.heads import (
    Rows,
    blank_states,
    blank_words,
    refit_states,
    refit_words,
)
from coefvq.learning.tune.joint import Join, best_threshold, join_parts, line, on_line
from coefvq.learning.tune.options import TuneOptions
from coefvq.learning.tune.parent import Answered
from coefvq.learning.tune.solve import log_loss
from coefvq.learning.tune.states import Kept
from coefvq.mllm.fused.configuration import TEXT_MODALITIES
from coefvq.mllm.fused.readout import PARTS, PolicyReadout
from coefvq.routing.calibration import sigmoid

Floats = NDArray[np.float64]
Labelled = list[tuple[Kept, int]]
Tuned = Callable[[Sequence[Kept]], list[Answered]]
"""What the tuned network says of videos."""
_SURE = 0.6
"""A policy is only taken up where its AUC is surely above this."""
_KINDS = ((("text",), TEXT_MODALITIES), (("visual", "motion"), ("visual", "motion")))
"""What a new policy's state head may read, and what an item then needs."""


@dataclass(frozen=True)
class Outcome:
    """A policy's new readout and its figures; no readout where it stays not covered."""

    readout: PolicyReadout | None
    threshold: float
    figures: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is known of one policy.

    Attributes:
        slot: Its column, or ``None`` where the network has no slot for it.
        parent: The parent's readout of it, or ``None``.
    """

    policy: str
    slot: int | None
    parent: PolicyReadout | None
    threshold: float
    train: Labelled
    held: Labelled


def parts_of(
    readout: PolicyReadout, slot: int | None, kept: Sequence[Kept], said: Sequence[Answered]
) -> Floats:
    """The four parts (n, 4) of videos."""
    found = []
    for one, answer in zip(kept, said, strict=True):
        both = (0.0, 0.0)
        if slot is not None:
            both = (float(answer.label_logits[slot]), float(answer.fused_logits[slot]))
        found.append(readout.parts(*both, one.pooled, one.words))
    return np.array(found, np.float64).reshape(-1, len(PARTS))


def parent_logits(task: Task, kept: Sequence[Kept]) -> Floats:
    """The parent's calibrated log-odds (n,)."""
    assert task.parent is not None
    parts = parts_of(task.parent, task.slot, kept, [one.parent for one in kept])
    return Join(np.array(task.parent.weights), task.parent.intercept).logits(parts)


def weighed(task: Task, labelled: Labelled, options: TuneOptions, emphasis: float) -> Replay:
    """Weights of labelled videos: trust and propensity, corrections kept in bounds."""
    kept = [one for one, _ in labelled]
    labels = np.array([label for _, label in labelled], np.float64)
    scores = sigmoid(parent_logits(task, kept)) if task.parent is not None else None
    return governed(
        [_came_by(one.video, task.policy) for one in kept], task.policy, labels, scores,
        emphasis=emphasis, heaviest=options.heaviest, distance=options.distance,
    )  # fmt: skip


def _came_by(video: LabelledVideo, policy: str) -> LabelledVideo:
    """The video with the probability with which this policy's case came to a person."""
    return replace(video, propensity=video.propensities.get(policy, video.propensity))


def tune_policy(task: Task, tuned: Tuned, options: TuneOptions) -> Outcome:
    """Refit one policy's readout."""
    replay = weighed(task, task.train, options, options.emphasis)
    rows = _rows(task.train, replay.weights)
    found = _of_parent(task, rows) if task.parent is not None else _of_new(task, rows)
    if isinstance(found, str):
        return Outcome(None, 0.5, {"covered": False, "why_not": found, "labels": len(task.train)})
    heads, crossed = found
    held = None
    if task.held:  # measured as the traffic is
        held = _rows(task.held, weighed(task, task.held, options, 1.0).weights)
    join = _joined(task, heads, rows, crossed, held, tuned)
    readout = PolicyReadout(
        tuple(map(float, join.weights)), join.intercept, heads.states, heads.words, heads.needs
    )
    threshold = _threshold(task, join, crossed, rows, readout, held, tuned)
    figures = _figures(task, replay, readout, join, (crossed, rows), held, tuned)
    return Outcome(readout, threshold, figures)


def _rows(labelled: Labelled, weights: Floats) -> Rows:
    labels = np.array([label for _, label in labelled], np.float64)
    return Rows([one for one, _ in labelled], labels, weights)


def _of_parent(task: Task, rows: Rows) -> tuple[PolicyReadout, Floats]:
    """Refitted heads, and parts (n, 4) from fits without a row's fold; the network's parts are
    the parent's, which saw none of the rows."""
    assert task.parent is not None
    states, fitted = refit_states(task.parent.states, rows)
    crossed = parts_of(task.parent, task.slot, rows.kept, [one.parent for one in rows.kept])
    crossed[:, 2] = fitted.held
    words = task.parent.words
    if words is not None:
        words, by_words = refit_words(words, rows)
        crossed[:, 3] = by_words.held
    made = PolicyReadout(
        task.parent.weights, task.parent.intercept, states, words, task.parent.needs
    )
    return made, crossed


def _of_new(task: Task, rows: Rows) -> tuple[PolicyReadout, Floats] | str:
    """Heads for a policy that the parent does not answer, or why there are none."""
    best: tuple[float, PolicyReadout, Floats] | None = None
    for inputs, needs in _KINDS:
        if not all(any(name in one.pooled for name in inputs) for one in rows.kept):
            continue
        made, crossed = _new_heads(inputs, needs, task, rows)
        value = bootstrap(auc, rows.labels, crossed.sum(1), groups=_groups(rows), rounds=200)
        if best is None or value.low > best[0]:
            best = (value.low, made, crossed)
    if best is None:
        return "neither all of its videos have words nor all of them have pictures"
    if not best[0] > _SURE:
        return f"what was learnt is not surely better than chance (AUC from {best[0]:.2f} on)"
    return best[1], best[2]


def _new_heads(
    inputs: tuple[str, ...], needs: tuple[str, ...], task: Task, rows: Rows
) -> tuple[PolicyReadout, Floats]:
    states, fitted = refit_states(blank_states(inputs, rows.kept), rows, known=False)
    words, by_words = (None, None)
    if inputs == ("text",):
        words, by_words = refit_words(blank_words(), rows, known=False)
    weights = (0.0, 0.0, 0.5, 0.5) if words else (0.0, 0.0, 1.0, 0.0)
    made = PolicyReadout(weights, 0.0, states, words, needs)
    crossed = np.zeros((len(rows.kept), len(PARTS)))
    crossed[:, 2] = fitted.held
    if by_words is not None:
        crossed[:, 3] = by_words.held
    return made, crossed


def _joined(
    task: Task, heads: PolicyReadout, rows: Rows, crossed: Floats, held: Rows | None, tuned: Tuned
) -> Join:
    """Weights from cross-fitted rows and held-out ones, then a line on the held-out ones."""
    start = Join(np.array(heads.weights), heads.intercept)
    parts, labels, weights = crossed, rows.labels, rows.weights
    fresh = None
    if held is not None:
        fresh = parts_of(heads, task.slot, held.kept, tuned(held.kept))
        parts = np.concatenate([parts, fresh])
        labels = np.concatenate([labels, held.labels])
        weights = np.concatenate([weights, held.weights])
    join = join_parts(parts, labels, weights, start, known=task.parent is not None)
    if held is None or fresh is None:
        return join
    return on_line(join, *line(join.logits(fresh), held.labels, held.weights))


def _threshold(
    task: Task, join: Join, crossed: Floats, rows: Rows, readout: PolicyReadout,
    held: Rows | None, tuned: Tuned,
) -> float:  # fmt: skip
    logits, labels = join.logits(crossed), rows.labels
    if held is not None:
        fresh = join.logits(parts_of(readout, task.slot, held.kept, tuned(held.kept)))
        logits, labels = np.concatenate([logits, fresh]), np.concatenate([labels, held.labels])
    return best_threshold(logits, labels, task.threshold)


def _figures(
    task: Task, replay: Replay, readout: PolicyReadout, join: Join,
    crossed: tuple[Floats, Rows], held: Rows | None, tuned: Tuned,
) -> dict[str, Any]:  # fmt: skip
    """Figures of one policy; ``cross_fitted`` leaves the fold out in the heads, not in the join."""
    parts, rows = crossed
    found: dict[str, Any] = {
        "covered": True,
        "labels": len(rows.kept),
        "positives": int(rows.labels.sum()),
        "replay": replay.to_json(),
        "weights": dict(zip(PARTS, (round(float(x), 4) for x in join.weights), strict=True)),
        "cross_fitted": _compared(task, rows, join.logits(parts)),
    }
    if task.parent is None:
        found["new"] = True
    if held is not None:
        fresh = parts_of(readout, task.slot, held.kept, tuned(held.kept))
        found["validation"] = _compared(task, held, join.logits(fresh))
    return found


def _compared(task: Task, rows: Rows, logits: Floats) -> dict[str, Any]:
    """The candidate and, where it answers the policy, the parent on the same videos."""
    models = {"candidate": logits}
    if task.parent is not None:
        models["parent"] = parent_logits(task, rows.kept)
    found: dict[str, Any] = {"n": len(rows.kept), "positives": int(rows.labels.sum())}
    for name, values in models.items():
        area = auc(rows.labels, values)
        found[name] = {
            "auc": None if np.isnan(area) else round(area, 4),
            "log_loss": round(log_loss(rows.labels, values, rows.weights), 4),
        }
    return found


def _groups(rows: Rows) -> list[str]:
    return [one.video.group for one in rows.kept]
