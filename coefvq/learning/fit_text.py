"""Fitting the prefilter's text part: penalised logistic regression, one policy at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from coefvq.domain import PostedText
from coefvq.prefilter.text import BUCKETS, STATES, SURFACE, TextCounts, TextRow, weigh
from coefvq.routing.calibration import sigmoid


@dataclass(frozen=True)
class TextExample:
    """A counted text with one policy's label.

    Attributes:
        weight: How much it counts against others.
    """

    counts: TextCounts
    label: int
    weight: float = 1.0


@dataclass(frozen=True)
class TextWeights:
    """What one policy learnt from text.

    Attributes:
        table: float32 (2 * BUCKETS,).
        surface: float32 (len(SURFACE) + len(STATES),).
    """

    table: NDArray[np.float32]
    surface: NDArray[np.float32]
    bias: float

    def logits(self, rows: Sequence[TextRow]) -> NDArray[np.float64]:
        """Log-odds (n,)."""
        return np.asarray(
            [
                float(self.table[row.buckets] @ row.weights + self.surface @ row.surface)
                + self.bias
                for row in rows
            ]
        )


def placements(title: str | None, caption: str | None) -> list[PostedText]:
    """Where the same words may stand: modality dropout for the two fields of text.

    Every set's texts are shown in every place, so that a missing field is no hint of the set
    that a text came from, and the model learns what to think without a title or a caption.
    """
    both = "\n".join(part for part in (title, caption) if part)
    if title and caption:
        return [PostedText(title, caption), PostedText(None, both), PostedText(both, None)]
    return [PostedText(both, None), PostedText(None, both), PostedText(both, "")]


def design_matrix(rows: Sequence[TextRow]) -> sparse.csr_matrix:
    """Texts as one sparse matrix (n, 2 * BUCKETS + surface counts + 1); the last column is 1."""
    extra = len(SURFACE) + len(STATES) + 1
    tail = np.arange(2 * BUCKETS, 2 * BUCKETS + extra)
    columns = np.concatenate([np.concatenate([row.buckets, tail]) for row in rows])
    values = np.concatenate([np.concatenate([row.weights, row.surface, [1.0]]) for row in rows])
    starts = np.concatenate([[0], np.cumsum([len(row.buckets) + extra for row in rows])])
    return sparse.csr_matrix((values, columns, starts), shape=(len(rows), 2 * BUCKETS + extra))


def fit_text(
    rows: Sequence[TextRow],
    labels: NDArray[np.floating],
    weights: NDArray[np.floating],
    *,
    strength: float = 3.0,
) -> TextWeights:
    """Logistic regression on TF-IDF and surface counts, by L-BFGS (deterministic).

    Args:
        labels: 0 or 1 (n,).
        weights: float (n,).
        strength: Inverse of the L2 penalty, as scikit-learn's ``C``; the bias is free.
    """
    matrix = design_matrix(rows)
    used = np.unique(matrix.indices)
    narrow = matrix[:, used].astype(np.float64)
    free = np.ones(len(used))
    free[-1] = 0.0

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = narrow @ theta
        fit = np.logaddexp(0, logits) - labels * logits
        slope = narrow.T @ (weights * (sigmoid(logits) - labels))
        penalty = (free * theta**2).sum() / (2 * strength)
        return float((weights * fit).sum() + penalty), slope + free * theta / strength

    found = minimize(
        loss,
        np.zeros(len(used)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200, "maxcor": 8, "ftol": 1e-8, "gtol": 1e-4},
    )
    full = np.zeros(matrix.shape[1], dtype=np.float32)
    full[used] = found.x
    table, rest = full[: 2 * BUCKETS], full[2 * BUCKETS :]
    return TextWeights(table, rest[:-1].copy(), float(rest[-1]))


def fit_examples(
    examples: Sequence[TextExample], idf: NDArray[np.float32], strength: float
) -> TextWeights:
    """Turn examples into numbers and fit one policy."""
    rows = [weigh(example.counts, idf) for example in examples]
    labels = np.asarray([example.label for example in examples], dtype=np.float32)
    weights = np.asarray([example.weight for example in examples], dtype=np.float32)
    return fit_text(rows, labels, weights, strength=strength)
