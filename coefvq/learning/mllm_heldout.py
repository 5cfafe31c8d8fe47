"""What the MLLM stage answers on items that it was not trained on, and how good that is.

A probability has two parts: the adapter's log-odds at the answer slot, and a linear head on the
mean lower state of the text. Both are predicted for each fold by a run without that fold. They
are scaled to equal spread, added, and calibrated on the other folds' answers.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from coefvq.learning.measures import auc, bootstrap, debiased_ece
from coefvq.learning.mllm_mix import ALWAYS, POLICIES, Example
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.calibration import Platt, cross_fitted, fit_platt
from coefvq.mllm.checkpoint import Readout

Floats = NDArray[np.float64]
STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2)
# The part of the mixture that a policy's figures and calibration come from.
PRIMARY = {HATE: "video", SCAM: "comment"}
HEAD_PARTS = {
    HATE: ("video", "video_moved", "video_posted"),
    SCAM: ("video", "comment", "comment_moved", "overlay", "headline"),
}
SLICES = {
    HATE: ("video", "video_moved", "video_posted", "overlay"),
    SCAM: ("comment", "comment_moved", "overlay"),
}


@dataclass(frozen=True)
class Head:
    """A linear head on unscaled states: ``states @ weights + bias``."""

    weights: Floats
    bias: float

    def __call__(self, states: NDArray[Any]) -> Floats:
        """Log-odds (items,) of states (items, hidden)."""
        return np.asarray(states @ self.weights + self.bias, dtype=np.float64)


@dataclass(frozen=True)
class HeldOut:
    """Held-out answers for one policy, arrays in the order of ``examples``."""

    policy: str
    examples: tuple[Example, ...]
    margin: Floats
    mass: Floats
    head: Floats

    @property
    def label(self) -> NDArray[np.int64]:
        """0/1 (items,); only labelled examples are kept."""
        column = POLICIES.index(self.policy)
        return np.array([example.targets[column] for example in self.examples], dtype=np.int64)

    @property
    def fold(self) -> list[int]:
        """Fold of each example."""
        return [example.fold for example in self.examples]

    def part(self, *names: str) -> NDArray[np.bool_]:
        """Which examples belong to the named parts of the mixture."""
        return np.array([example.part in names for example in self.examples])


def fit_head(
    examples: Sequence[Example],
    states: NDArray[Any],
    policy: str,
    held: int | None,
    *,
    groups: Sequence[str],
    seed: int = 0,
) -> Head:
    """Fit a regularised logistic head without fold ``held``; its strength by inner folds."""
    column, parts = POLICIES.index(policy), HEAD_PARTS[policy]
    rows = [
        index
        for index, row in enumerate(examples)
        if row.part in parts
        and row.targets[column] is not None
        and (row.fold == ALWAYS or row.fold != held)
    ]
    x = np.asarray(states[rows], dtype=np.float64)
    y = np.array([examples[index].targets[column] for index in rows])
    weight = np.array([examples[index].weights[column] for index in rows])
    mean, spread = x.mean(0), x.std(0) + 1e-6
    scaled = (x - mean) / spread
    strength = _strength(scaled, y, weight, [groups[index] for index in rows], seed)
    model = LogisticRegression(C=strength, max_iter=300).fit(scaled, y, weight)
    weights = model.coef_[0] / spread
    return Head(weights, float(model.intercept_[0] - mean @ weights))


def _strength(x: Floats, y: Any, weight: Floats, groups: Sequence[str], seed: int) -> float:
    splitter = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
    splits = list(splitter.split(x, y, groups))
    found = {}
    for strength in STRENGTHS:
        scores = []
        for train, test in splits:
            model = LogisticRegression(C=strength, max_iter=200)
            model.fit(x[train], y[train], weight[train])
            scores.append(auc(y[test], model.decision_function(x[test])))
        found[strength] = float(np.nanmean(scores))
    return max(found, key=lambda strength: (found[strength], -strength))


def readout_of(answers: HeldOut) -> Readout:
    """Scales and calibration from the primary part of the held-out answers."""
    rows = answers.part(PRIMARY[answers.policy])
    scales = [float(part[rows].std()) or 1.0 for part in (answers.margin, answers.head)]
    blend = answers.margin[rows] / scales[0] + answers.head[rows] / scales[1]
    return Readout(scales[0], scales[1], fit_platt(blend, answers.label[rows]))


def blended(answers: HeldOut, readout: Readout) -> Floats:
    """The sum that is calibrated, (items,)."""
    return answers.margin / readout.margin_scale + answers.head / readout.head_scale


def figures(answers: HeldOut, groups: Sequence[str]) -> dict[str, Any]:
    """AUC with intervals, calibration error and slices of one policy."""
    readout = readout_of(answers)
    blend, label, rows = (
        blended(answers, readout),
        answers.label,
        answers.part(PRIMARY[answers.policy]),
    )
    fold = [f for f, keep in zip(answers.fold, rows, strict=True) if keep]
    probability = _calibrated(blend[rows], label[rows], fold)
    kept = [group for group, keep in zip(groups, rows, strict=True) if keep]
    return {
        "policy": answers.policy,
        "positives": int(label[rows].sum()),
        **_estimate(label[rows], blend[rows], kept),
        "auc_label_tokens_only": auc(label[rows], answers.margin[rows]),
        "auc_text_state_only": auc(label[rows], answers.head[rows]),
        "debiased_ece": debiased_ece(label[rows], probability),
        "mean_label_mass": float(answers.mass[rows].mean()),
        "auc_by_fold": _by_fold(blend[rows], label[rows], fold),
        "slices": {name: _slice(answers, blend, name, groups) for name in SLICES[answers.policy]},
    }


def _estimate(label: Any, score: Floats, groups: Sequence[str]) -> dict[str, Any]:
    found = bootstrap(auc, label, score, groups=groups)
    return {"n": found.n, "auc": found.value, "auc_interval": [found.low, found.high]}


def _calibrated(blend: Floats, label: Any, fold: Sequence[int]) -> Floats:
    if len(set(fold)) < 2:
        return fit_platt(blend, label)(blend)
    return cross_fitted(blend, label, fold)


def _by_fold(score: Floats, label: Any, fold: Sequence[int]) -> dict[str, float]:
    folds = np.asarray(fold)
    return {str(f): auc(label[folds == f], score[folds == f]) for f in sorted(set(fold))}


def _slice(answers: HeldOut, blend: Floats, part: str, groups: Sequence[str]) -> dict[str, Any]:
    rows = answers.part(part)
    if len(set(answers.label[rows])) < 2:
        return {"n": int(rows.sum()), "auc": None}
    kept = [group for group, keep in zip(groups, rows, strict=True) if keep]
    return _estimate(answers.label[rows], blend[rows], kept)


def write_predictions(path: Path, answers: Sequence[HeldOut]) -> None:
    """Write held-out predictions; ``probability`` is calibrated without the row's fold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            ["item_id", "part", "policy", "fold", "label", "margin", "head", "mass", "probability"]
        )
        for one in answers:
            blend = blended(one, readout_of(one))
            primary = one.part(PRIMARY[one.policy])
            for index, example in enumerate(one.examples):
                platt = _without(blend, one, primary, example.fold)
                numbers = (
                    one.margin[index],
                    one.head[index],
                    one.mass[index],
                    float(platt(blend[index])),
                )
                writer.writerow(
                    [
                        example.id,
                        example.part,
                        one.policy,
                        example.fold,
                        one.label[index],
                        *(f"{number:.6f}" for number in numbers),
                    ]
                )


def _without(blend: Floats, answers: HeldOut, primary: Any, fold: int) -> Platt:
    rows = primary & (np.array(answers.fold) != fold)
    if len(set(answers.label[rows])) < 2:
        rows = primary
    return fit_platt(blend[rows], answers.label[rows])
