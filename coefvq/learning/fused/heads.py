"""The readout's heads and weights, fitted by penalised likelihood on frozen states.

Small data carry a regularised linear model further than a trained network: each head is a
logistic regression whose strength is chosen by inner folds of the training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.example import Example
from coefvq.learning.fused.runs import may_train
from coefvq.learning.measures import auc
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.fused.readout import LIMIT, PolicyReadout, StateHead
from coefvq.mllm.fused.words import BLOCKS, BUCKETS, Sparse, WordHead, blocks_of_length_one

Floats = NDArray[np.float64]
States = Mapping[str, NDArray[np.float32]]
_RAREST = 2
_WORD_STRENGTH = 3.0
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""Tried for a mean state of hundreds of numbers; smaller is a stronger penalty."""
TEXTS = ("speech", "screen_text", "caption")


@dataclass(frozen=True)
class Plan:
    """How one policy's heads are fitted.

    Attributes:
        inputs: Pooled states of the state head.
        parts: Parts of the mixture that the heads learn from, with their weights.
        primary: Part that figures, weights and calibration come from.
        words: Whether there is a word head.
        needs: Modalities of which one must be there.
        strengths: Of the state head, tried on inner folds.
    """

    inputs: tuple[str, ...]
    parts: Mapping[str, float]
    primary: str
    words: bool
    needs: tuple[str, ...]
    strengths: tuple[float, ...] = STRENGTHS


_TWEETS = {"composed_speech": 0.3, "composed_screen_text": 0.3, "composed_caption": 0.3}
PLANS = {
    VIOLENCE: Plan(
        ("motion",), {"fights": 1.0, "scenes": 0.2, "gradio": 0.2}, "fights", False,
        ("visual", "motion"), strengths=(1.0,),
    ),
    HATE: Plan(
        ("text",), {"video": 1.0, "video_moved": 0.5, **_TWEETS}, "video", True, TEXTS
    ),
    SCAM: Plan(
        ("text",),
        {"comment": 1.0, "comment_moved": 1.0, "video": 0.3, "headline": 1.0,
         "composed_speech": 0.5, "composed_screen_text": 0.5, "composed_caption": 0.5},
        "comment", True, TEXTS,
    ),
}  # fmt: skip


def rows_of(examples: Sequence[Example], policy: str, held: int | None) -> list[int]:
    """Examples that a policy's heads learn from when fold ``held`` is left out."""
    plan = PLANS[policy]
    return [
        index
        for index, one in enumerate(examples)
        if one.part in plan.parts and policy in one.targets and may_train(one, held)
    ]


def _labels(
    examples: Sequence[Example], rows: Sequence[int], policy: str
) -> tuple[NDArray[np.int64], Floats]:
    plan = PLANS[policy]
    label = np.array([examples[index].targets[policy] for index in rows])
    weight = [plan.parts[examples[i].part] * examples[i].weights.get(policy, 1.0) for i in rows]
    return label, np.array(weight)


def fit_states(
    examples: Sequence[Example], states: Sequence[States], policy: str, held: int | None, seed: int
) -> StateHead:
    """Fit the state head of one policy without fold ``held``."""
    plan, rows = PLANS[policy], rows_of(examples, policy, held)
    rows = [index for index in rows if any(name in states[index] for name in plan.inputs)]
    sizes = tuple((n, len(next(states[i][n] for i in rows if n in states[i]))) for n in plan.inputs)
    blank = StateHead(sizes, *(np.full(sum(s for _, s in sizes), v, np.float32)
                               for v in (np.nan, 1.0, 0.0)), bias=0.0)  # fmt: skip
    x = np.stack([blank.joined(states[index]) for index in rows]).astype(np.float64)
    label, weight = _labels(examples, rows, policy)
    mean, spread = np.nanmean(x, 0), np.nanstd(x, 0) + 1e-4
    scaled = np.nan_to_num(np.clip((x - mean) / spread, -LIMIT, LIMIT))
    strength = _strength(
        plan.strengths, scaled, label, weight, [examples[i].group for i in rows], seed
    )
    model = LogisticRegression(C=strength, max_iter=400).fit(scaled, label, weight)
    arrays = (np.asarray(a, np.float32) for a in (mean, spread, model.coef_[0]))
    return StateHead(sizes, *arrays, bias=float(model.intercept_[0]))


def _strength(
    strengths: Sequence[float],
    x: Floats,
    label: NDArray[np.int64],
    weight: Floats,
    groups: Sequence[str],
    seed: int,
) -> float:
    if len(strengths) == 1:
        return strengths[0]
    splitter = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
    splits = list(splitter.split(x, label, groups))
    found = {}
    for strength in strengths:
        score = np.zeros(len(label))
        for train, test in splits:
            model = LogisticRegression(C=strength, max_iter=200)
            score[test] = model.fit(x[train], label[train], weight[train]).decision_function(
                x[test]
            )
        found[strength] = auc(label, score)
    return max(found, key=lambda strength: (found[strength], -strength))


def fit_words(
    examples: Sequence[Example], counted: Sequence[Sparse], policy: str, held: int | None
) -> WordHead | None:
    """Fit the word head without fold ``held``: TF-IDF, logistic regression, balanced classes."""
    if not PLANS[policy].words:
        return None
    rows = rows_of(examples, policy, held)
    matrix = _matrix([counted[index] for index in rows])
    seen = np.asarray((matrix > 0).sum(0)).ravel()
    idf = np.where(seen >= _RAREST, np.log((1 + len(rows)) / (1 + seen)) + 1, 0.0)
    idf = idf.astype(np.float32)
    weighted = [
        (counted[i][0], blocks_of_length_one(counted[i][1] * idf[counted[i][0]], counted[i][0]))
        for i in rows
    ]
    label, weight = _labels(examples, rows, policy)
    model = LogisticRegression(C=_WORD_STRENGTH, class_weight="balanced", max_iter=200)
    model.fit(_matrix(weighted), label, weight)
    return WordHead(idf, model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def _matrix(counted: Sequence[Sparse]) -> csr_matrix:
    keys = np.concatenate([one[0] for one in counted])
    values = np.concatenate([one[1] for one in counted])
    ends = np.cumsum([0, *(len(one[0]) for one in counted)])
    return csr_matrix((values, keys, ends), shape=(len(counted), BLOCKS * BUCKETS))


def fit_weights(parts: Floats, label: NDArray[np.int64]) -> tuple[tuple[float, ...], float]:
    """Join parts (n, 4) by a logistic model; one that would count negatively is left out.

    Returns:
        A weight for each part, on its own scale, and the intercept.
    """
    mean, spread = parts.mean(0), parts.std(0) + 1e-9
    used = parts.std(0) > 1e-9
    while True:
        model = LogisticRegression(C=1.0).fit(((parts - mean) / spread)[:, used], label)
        if (model.coef_[0] >= 0).all() or used.sum() == 1:
            break
        used[np.flatnonzero(used)[int(np.argmin(model.coef_[0]))]] = False
    weights = np.zeros(parts.shape[1])
    weights[used] = np.maximum(model.coef_[0], 0.0) / spread[used]
    return tuple(map(float, weights)), float(model.intercept_[0] - mean @ weights)


def readout_of(
    policy: str,
    states: StateHead,
    words: WordHead | None,
    joined: tuple[tuple[float, ...], float],
) -> PolicyReadout:
    """Put one policy's readout together."""
    return PolicyReadout(*joined, states=states, words=words, needs=PLANS[policy].needs)
