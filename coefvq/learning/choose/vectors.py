"""What a video says and looks like as one vector: near ones teach much the same.

Half of it is the words (hashed n-grams with TF-IDF weights, folded into few numbers with signs by
the hash: Weinberger et al. 2009, inner products stay nearly what they were), half the mean frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import PostedText
from coefvq.prefilter.text import TextCounts, fit_idf, text_counts, weigh

Floats = NDArray[np.float64]
TEXT_WIDTH = 256
_SIGN, _FOLD = 2654435761, 40503  # odd multipliers (Knuth 6.4)


def describe(
    posted: Sequence[PostedText], looks: Sequence[NDArray[np.float32] | None], width: int
) -> Floats:
    """Vectors of several videos, float64 (n, TEXT_WIDTH + width), of length 1 or 0.

    Args:
        posted: Title and caption; hostile, only counted here.
        looks: What each looks like, (width,) of length 1; ``None``: not known.
    """
    seen = np.zeros((len(posted), width))
    for at, look in enumerate(looks):
        if look is not None:
            seen[at] = look
    return _unit(np.concatenate([text_vectors([text_counts(p) for p in posted]), seen], axis=1))


def text_vectors(counts: Sequence[TextCounts]) -> Floats:
    """Texts as vectors float64 (n, TEXT_WIDTH) of length 1, or 0 where there are no words.

    How rare a word is, is counted in these very texts.
    """
    made = np.zeros((len(counts), TEXT_WIDTH))
    idf = fit_idf(counts)
    for at, found in enumerate(counts):
        if not found.empty:
            row = weigh(found, idf)
            folded, signs = _folded(row.buckets)
            np.add.at(made[at], folded, signs * row.weights)
    return _unit(made)


def looks_of(
    vectors: Mapping[str, NDArray[np.float32]], digests: Sequence[str]
) -> list[NDArray[np.float32] | None]:
    """What media look like, in order of their digests."""
    return [vectors.get(digest) for digest in digests]


def _folded(buckets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    mixed = (buckets.astype(np.uint64) + 1) * np.uint64(_FOLD) % np.uint64(2**31)
    signs = ((buckets.astype(np.uint64) + 1) * np.uint64(_SIGN) >> np.uint64(17)) & np.uint64(1)
    return (mixed % np.uint64(TEXT_WIDTH)).astype(np.int64), 2 * signs.astype(np.int64) - 1


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-9)
