"""The readout's heads and weights, fitted by penalised likelihood on frozen states.

Small data carry a regularised linear model further than a trained network: each head is a
logistic regression whose strength is chosen by inner folds of the training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from coefvq.mllm.fused.readout import LIMIT, PARTS, PolicyReadout, StateHead
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
        word_parts: Further parts that only the word head learns from, with their weights.
        used: Parts of the readout that may count. Those that no training taught a policy, and
            those that were seen to add nothing, are left out.
    """

    inputs: tuple[str, ...]
    parts: Mapping[str, float]
    primary: str
    words: bool
    needs: tuple[str, ...]
    strengths: tuple[float, ...] = STRENGTHS
    word_parts: Mapping[str, float] = field(default_factory=dict)
    used: tuple[str, ...] = PARTS


_TWEETS = {"composed_speech": 0.3, "composed_screen_text": 0.3, "composed_caption": 0.3}
PLANS = {
    VIOLENCE: Plan(
        ("motion",), {"fights": 1.0, "scenes": 1.0, "gradio": 1.0}, "fights", False,
        ("visual", "motion"), strengths=(1.0,), used=("pooled_states",),
    ),
    HATE: Plan(
        ("text",), {"video": 1.0, "video_moved": 0.5, **_TWEETS}, "video", True, TEXTS,
        word_parts={"tweet": 0.1, "tweet_heard": 0.3},
    ),
    SCAM: Plan(
        ("text",),
        {"comment": 1.0, "comment_moved": 1.0, "video": 0.3, "headline": 1.0,
         "composed_speech": 0.5, "composed_screen_text": 0.5, "composed_caption": 0.5},
        "comment", True, TEXTS,
    ),
}  # fmt: skip


def rows_of(
    examples: Sequence[Example], policy: str, held: int | None, parts: Mapping[str, float]
) -> list[int]:
    """Examples of some parts that a policy may learn from when fold ``held`` is left out."""
    return [
        index
        for index, one in enumerate(examples)
        if one.part in parts and policy in one.targets and may_train(one, held)
    ]


def _labels(
    examples: Sequence[Example], rows: Sequence[int], policy: str, parts: Mapping[str, float]
) -> tuple[NDArray[np.int64], Floats]:
    label = np.array([examples[index].targets[policy] for index in rows])
    weight = [parts[examples[i].part] * examples[i].weights.get(policy, 1.0) for i in rows]
    return label, np.array(weight)


def fit_states(
    examples: Sequence[Example], states: Sequence[States], policy: str, held: int | None, seed: int
) -> StateHead:
    """Fit the state head of one policy without fold ``held``."""
    plan = PLANS[policy]
    rows = rows_of(examples, policy, held, plan.parts)
    rows = [index for index in rows if any(name in states[index] for name in plan.inputs)]
    sizes = tuple((n, len(next(states[i][n] for i in rows if n in states[i]))) for n in plan.inputs)
    unknown = np.full(sum(size for _, size in sizes), np.nan, np.float32)
    blank = StateHead(sizes, unknown, np.ones_like(unknown), np.zeros_like(unknown), bias=0.0)
    x = np.stack([blank.joined(states[index]) for index in rows]).astype(np.float64)
    label, weight = _labels(examples, rows, policy, plan.parts)
    mean, spread = np.nanmean(x, 0), np.nanstd(x, 0)
    spread = np.maximum(spread, 0.05 * np.median(spread)) + 1e-6
    scaled = np.nan_to_num(np.clip((x - mean) / spread, -LIMIT, LIMIT))
    strength = _strength(
        plan.strengths, scaled, label, weight, [examples[i].group for i in rows], seed
    )
    model = LogisticRegression(C=strength, max_iter=400).fit(scaled, label, weight)
    mean32, spread32, weights = (
        np.asarray(values, np.float32) for values in (mean, spread, model.coef_[0])
    )
    return StateHead(sizes, mean32, spread32, weights, bias=float(model.intercept_[0]))


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
    parts = {**PLANS[policy].parts, **PLANS[policy].word_parts}
    rows = rows_of(examples, policy, held, parts)
    matrix = _matrix([counted[index] for index in rows])
    seen = np.asarray((matrix > 0).sum(0)).ravel()
    idf = np.where(seen >= _RAREST, np.log((1 + len(rows)) / (1 + seen)) + 1, 0.0)
    idf = idf.astype(np.float32)
    weighted = [
        (counted[i][0], blocks_of_length_one(counted[i][1] * idf[counted[i][0]], counted[i][0]))
        for i in rows
    ]
    label, weight = _labels(examples, rows, policy, parts)
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
    if not used.any():  # nothing tells items apart: the base rate is all there is
        share = float(np.clip(label.mean(), 1e-6, 1 - 1e-6))
        return (0.0,) * parts.shape[1], float(np.log(share / (1 - share)))
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
