"""What the MLLM stage answers on items that it was not trained on, and how good that is.

A probability has three parts: the adapter's log-odds at the answer slot, a linear head on the
mean lower state of the text, and a head on its words. Each is predicted for each fold by a model
without that fold. A logistic model joins them; for figures it is fitted on the other folds.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import normalize

from coefvq.learning.measures import auc, bootstrap, debiased_ece
from coefvq.learning.mllm_mix import ALWAYS, POLICIES, Example
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.checkpoint import PARTS, Readout
from coefvq.mllm.lexical import BUCKETS, Sparse, WordHead

Floats = NDArray[np.float64]
_RAREST = 4
_WORD_STRENGTH = 10.0
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
    words: Floats

    @property
    def parts(self) -> Floats:
        """(items, parts) in the order of ``checkpoint.PARTS``."""
        return np.stack([self.margin, self.head, self.words], axis=1)

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
    column, rows = POLICIES.index(policy), _head_rows(examples, policy, held)
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


def fit_words(
    examples: Sequence[Example], counted: Sequence[Sparse], policy: str, held: int | None
) -> WordHead:
    """Fit the word head without fold ``held``: TF-IDF, logistic regression, balanced classes."""
    column, rows = POLICIES.index(policy), _head_rows(examples, policy, held)
    matrix = _matrix([counted[index] for index in rows])
    seen = np.asarray((matrix > 0).sum(0)).ravel()
    idf = np.where(seen >= _RAREST, np.log((1 + len(rows)) / (1 + seen)) + 1, 0.0)
    idf = idf.astype(np.float32)
    y = np.array([examples[index].targets[column] for index in rows])
    weight = np.array([examples[index].weights[column] for index in rows])
    model = LogisticRegression(C=_WORD_STRENGTH, class_weight="balanced", max_iter=200)
    model.fit(normalize(matrix.multiply(idf[None, :]).tocsr()), y, weight)
    return WordHead(idf, model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def _matrix(counted: Sequence[Sparse]) -> csr_matrix:
    keys = np.concatenate([one[0] for one in counted])
    values = np.concatenate([one[1] for one in counted])
    ends = np.cumsum([0, *(len(one[0]) for one in counted)])
    return csr_matrix((values, keys, ends), shape=(len(counted), BUCKETS))


def _head_rows(examples: Sequence[Example], policy: str, held: int | None) -> list[int]:
    column = POLICIES.index(policy)
    return [
        index
        for index, row in enumerate(examples)
        if row.part in HEAD_PARTS[policy]
        and row.targets[column] is not None
        and (row.fold == ALWAYS or row.fold != held)
    ]


def fit_readout(parts: Floats, label: Any) -> Readout:
    """Join the parts by a logistic model; a part that would count negatively is left out."""
    mean, spread = parts.mean(0), parts.std(0) + 1e-9
    used = np.ones(parts.shape[1], dtype=bool)
    while True:
        model = LogisticRegression(C=1.0).fit(((parts - mean) / spread)[:, used], label)
        if (model.coef_[0] >= 0).all() or used.sum() == 1:
            break
        used[np.flatnonzero(used)[int(np.argmin(model.coef_[0]))]] = False
    weights = np.zeros(parts.shape[1])
    weights[used] = np.maximum(model.coef_[0], 0.0) / spread[used]
    return Readout(tuple(map(float, weights)), float(model.intercept_[0] - mean @ weights))


def readout_of(answers: HeldOut) -> Readout:
    """The joint model of all held-out answers of the primary part."""
    rows = answers.part(PRIMARY[answers.policy])
    return fit_readout(answers.parts[rows], answers.label[rows])


def cross_fitted(answers: HeldOut) -> Floats:
    """Probabilities of all examples, each joined by a model without the example's fold."""
    primary, folds = answers.part(PRIMARY[answers.policy]), np.array(answers.fold)
    result = np.zeros(len(folds))
    for fold in np.unique(folds):
        rows = primary & (folds != fold)
        if len(set(answers.label[rows])) < 2:
            rows = primary
        readout = fit_readout(answers.parts[rows], answers.label[rows])
        result[folds == fold] = readout.probability(answers.parts[folds == fold])
    return result


def figures(answers: HeldOut, groups: Sequence[str]) -> dict[str, Any]:
    """AUC with intervals, calibration error and slices of one policy."""
    probability, label = cross_fitted(answers), answers.label
    rows = answers.part(PRIMARY[answers.policy])
    fold = [f for f, keep in zip(answers.fold, rows, strict=True) if keep]
    kept = [group for group, keep in zip(groups, rows, strict=True) if keep]
    return {
        "policy": answers.policy,
        "positives": int(label[rows].sum()),
        **_estimate(label[rows], probability[rows], kept),
        "auc_label_tokens_only": auc(label[rows], answers.margin[rows]),
        "auc_text_state_only": auc(label[rows], answers.head[rows]),
        "auc_words_only": auc(label[rows], answers.words[rows]),
        "debiased_ece": debiased_ece(label[rows], probability[rows]),
        "mean_label_mass": float(answers.mass[rows].mean()),
        "auc_by_fold": _by_fold(probability[rows], label[rows], fold),
        "slices": {
            name: _slice(answers, probability, name, groups) for name in SLICES[answers.policy]
        },
    }


def _estimate(label: Any, score: Floats, groups: Sequence[str]) -> dict[str, Any]:
    found = bootstrap(auc, label, score, groups=groups)
    return {"n": found.n, "auc": found.value, "auc_interval": [found.low, found.high]}


def _by_fold(score: Floats, label: Any, fold: Sequence[int]) -> dict[str, float]:
    folds = np.asarray(fold)
    return {str(f): auc(label[folds == f], score[folds == f]) for f in sorted(set(fold))}


def _slice(
    answers: HeldOut, probability: Floats, part: str, groups: Sequence[str]
) -> dict[str, Any]:
    rows = answers.part(part)
    if len(set(answers.label[rows])) < 2:
        return {"n": int(rows.sum()), "auc": None}
    kept = [group for group, keep in zip(groups, rows, strict=True) if keep]
    return _estimate(answers.label[rows], probability[rows], kept)


def write_predictions(path: Path, answers: Sequence[HeldOut]) -> None:
    """Write held-out predictions; ``probability`` is calibrated without the row's fold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            ("item_id", "part", "policy", "fold", "label", *PARTS, "mass", "probability")
        )
        for one in answers:
            numbers = np.column_stack([one.parts, one.mass, cross_fitted(one)])
            for example, label, row in zip(one.examples, one.label, numbers, strict=True):
                known = (example.id, example.part, one.policy, example.fold, label)
                writer.writerow([*known, *(f"{number:.6f}" for number in row)])
