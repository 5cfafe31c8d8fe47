"""The readout's heads, refitted: each starts at the parent's and is pulled back to it.

A head learns ``slope * parent + shift + design @ delta`` (``solve``) and stays a head of
the same kind: its new weights are ``slope * weights + delta``. Words that the parent knows are
held as tightly as its training texts demand (elastic weight consolidation, Kirkpatrick et al.
2017, with the diagonal that follows from document counts); words that it never met are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from coefvq.learning.crossval import grouped_folds
from coefvq.learning.tune.solve import Problem, Solution, log_loss, solve
from coefvq.learning.tune.states import Kept
from coefvq.mllm.fused.readout import LIMIT, StateHead
from coefvq.mllm.fused.words import BLOCKS, BUCKETS, Sparse, WordHead, blocks_of_length_one

Floats = NDArray[np.float64]
FOLDS = 4
_NARROW = 100
_PULLS = {True: (1.0, 3.0, 10.0, 30.0, 100.0), False: (30.0, 100.0, 300.0, 1000.0, 3000.0)}
"""Of a state head's coefficients, tried on inner folds: few numbers bear less."""
_WORD_PULL = 0.3
_UNSURE = 0.1
"""p (1 - p) of an average training text."""
_RAREST = 2
_SIZE = BLOCKS * BUCKETS


@dataclass(frozen=True)
class Rows:
    """What one policy's heads learn from, in one order.

    Attributes:
        labels: float64 (n,), 0 or 1.
        weights: float64 (n,), mean 1.
    """

    kept: list[Kept]
    labels: Floats
    weights: Floats

    @property
    def folds(self) -> NDArray[np.int64]:
        """The inner fold of each, groups together."""
        groups = [one.video.group for one in self.kept]
        return grouped_folds(groups, self.labels.astype(int).tolist(), FOLDS)

    def only(self, chosen: NDArray[np.bool_]) -> Rows:
        """Some of them."""
        kept = [one for one, wanted in zip(self.kept, chosen, strict=True) if wanted]
        return Rows(kept, self.labels[chosen], self.weights[chosen])


@dataclass(frozen=True)
class Fitted:
    """A head's new numbers, and log-odds of each row from a fit without the row's fold.

    Attributes:
        loss: Weighted log-loss of ``held``.
    """

    solution: Solution
    held: Floats
    loss: float
    pull: float


def refit_states(head: StateHead, rows: Rows, *, known: bool = True) -> tuple[StateHead, Fitted]:
    """Refit a linear head on pooled states; the pull is chosen on inner folds."""
    design = sparse.csr_matrix(scaled_states(head, rows.kept))
    parent = np.array([head(one.pooled) for one in rows.kept], np.float64)
    pulls = _PULLS[design.shape[1] < _NARROW]
    width = design.shape[1]
    tried = [_crossed(design, np.full(width, pull), parent, rows, known) for pull in pulls]
    best = min(tried, key=lambda one: (round(one.loss, 6), -one.pull))
    slope, delta = best.solution.slope, best.solution.delta
    weights = (slope * head.weights + delta).astype(np.float32)
    return replace(head, weights=weights, bias=slope * head.bias + best.solution.shift), best


def refit_words(head: WordHead, rows: Rows, *, known: bool = True) -> tuple[WordHead, Fitted]:
    """Refit a head on words; words that were new in training join it."""
    counted = [one.words for one in rows.kept]
    grown, stood = _with_new_words(head, counted)
    design = _matrix(counted, grown.idf)
    parent = np.asarray(design @ head.weight.astype(np.float64)) + head.bias
    fitted = _crossed(design, _WORD_PULL + _held_tight(design, stood), parent, rows, known)
    slope, shift = fitted.solution.slope, fitted.solution.shift
    weights = as_half(slope * head.weight + fitted.solution.delta)
    return WordHead(grown.idf, weights, slope * head.bias + shift), fitted


def blank_words() -> WordHead:
    """A head that knows no word yet."""
    nothing = np.zeros(_SIZE, np.float32)
    return WordHead(nothing, nothing.copy(), 0.0)


def blank_states(inputs: Sequence[str], kept: Sequence[Kept]) -> StateHead:
    """A head of no weight, scaled to the states at hand; what nobody has is left out."""
    sizes = []
    for name in inputs:
        size = next((len(one.pooled[name]) for one in kept if name in one.pooled), 0)
        sizes += [(name, size)] if size else []
    width = sum(size for _, size in sizes)
    empty = StateHead(
        tuple(sizes), np.full(width, np.nan, np.float32), np.ones(width, np.float32),
        np.zeros(width, np.float32), 0.0,
    )  # fmt: skip
    joined = np.stack([empty.joined(one.pooled) for one in kept]).astype(np.float64)
    joined[~np.isfinite(joined)] = np.nan
    mean, spread = np.nanmean(joined, 0), np.nanstd(joined, 0)
    spread = np.maximum(spread, 0.05 * np.median(spread)) + 1e-6
    return replace(empty, mean=mean.astype(np.float32), spread=spread.astype(np.float32))


def scaled_states(head: StateHead, kept: Sequence[Kept]) -> Floats:
    """Inputs of a state head as it scales them, (n, D); what is absent or no number is 0."""
    joined = np.stack([head.joined(one.pooled) for one in kept])
    scaled = np.clip((joined - head.mean) / head.spread, -LIMIT, LIMIT)
    return np.nan_to_num(scaled).astype(np.float64)


def as_half(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Numbers as the file of the readout keeps them."""
    return np.asarray(values, np.float16).astype(np.float32)


def _crossed(
    design: sparse.csr_matrix, pull: Floats, parent: Floats, rows: Rows, known: bool
) -> Fitted:
    held = np.zeros(len(rows.kept))
    folds = rows.folds
    for fold in np.unique(folds):
        inside = folds != fold
        problem = Problem(
            design[inside], pull, parent[inside], rows.labels[inside], rows.weights[inside], known
        )
        held[~inside] = solve(problem).logits(design[~inside], parent[~inside])
    whole = solve(Problem(design, pull, parent, rows.labels, rows.weights, known))
    return Fitted(whole, held, log_loss(rows.labels, held, rows.weights), float(pull[0]))


def _with_new_words(head: WordHead, counted: Sequence[Sparse]) -> tuple[WordHead, Floats]:
    """The head with an idf for words that are new, and in how many old texts each word stood."""
    known = head.idf > 0
    texts = 3.0 * np.exp(float(head.idf.max()) - 1.0) - 1.0 if known.any() else 0.0
    stood = np.where(known, (1.0 + texts) / np.exp(head.idf.astype(np.float64) - 1.0) - 1.0, 0.0)
    seen = np.bincount(np.concatenate([one[0] for one in counted]), minlength=_SIZE)
    fresh = np.log((1.0 + texts + len(counted)) / (1.0 + seen)) + 1.0
    idf = np.where(known, head.idf, np.where(seen >= _RAREST, fresh, 0.0))
    return replace(head, idf=as_half(idf)), np.maximum(stood, 0.0)


def _held_tight(design: sparse.csr_matrix, stood: Floats) -> Floats:
    """The diagonal of the parent's Fisher information, (D,)."""
    squares = design.multiply(design).tocsc()
    size = np.asarray(squares.sum(axis=0)).ravel() / np.maximum(np.diff(squares.indptr), 1)
    return _UNSURE * stood * size


def _matrix(counted: Sequence[Sparse], idf: NDArray[np.float32]) -> sparse.csr_matrix:
    values = [blocks_of_length_one(found * idf[keys], keys) for keys, found in counted]
    ends = np.cumsum([0, *(len(keys) for keys, _ in counted)])
    keys = np.concatenate([keys for keys, _ in counted])
    matrix = sparse.csr_matrix(
        (np.concatenate(values).astype(np.float64), keys, ends), shape=(len(counted), _SIZE)
    )
    matrix.eliminate_zeros()
    return matrix
