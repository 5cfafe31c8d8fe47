"""A linear head on words, word pairs and runs of letters, hashed.

The small language model knows little of the words that a policy turns on; weighted counts
(TF-IDF with a logistic model) are a strong and cheap complement. It reads the same sanitised
lines as the model and is one part of the readout.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coefvq.mllm.sanitise import sanitise

BUCKETS = 1 << 17
"""Buckets of one block; words use 0..BUCKETS-1, runs of letters the next BUCKETS."""
BLOCKS = 2
MAX_CHARS = 6000
_RUNS = (3, 4, 5)
_WORD = re.compile(r"\w+")

Sparse = tuple[NDArray[np.int64], NDArray[np.float32]]


def count_words(lines: Iterable[str]) -> Sparse:
    """Rising bucket numbers and ``1 + log(count)`` of what is in the lines.

    Words and neighbouring words within a line, and runs of 3-5 letters within a word. At most
    ``MAX_CHARS`` characters are read, half from either end.
    """
    counts: Counter[int] = Counter()
    for line in _bounded([sanitise(line).lower() for line in lines]):
        words = _WORD.findall(line)
        terms = [*words, *(f"{a} {b}" for a, b in pairwise(words))]
        counts.update(zlib.crc32(term.encode()) % BUCKETS for term in terms)
        counts.update(BUCKETS + zlib.crc32(run.encode()) % BUCKETS for run in _runs(words))
    keys = np.array(sorted(counts), dtype=np.int64)
    values = np.array([1.0 + np.log(counts[key]) for key in keys], dtype=np.float32)
    return keys, values


def _bounded(lines: Sequence[str]) -> Sequence[str]:
    if sum(map(len, lines)) <= MAX_CHARS:
        return lines
    text, half = "\n".join(lines), MAX_CHARS // 2
    return [*text[:half].split("\n"), *text[-half:].split("\n")]


def _runs(words: Sequence[str]) -> Iterable[str]:
    for word in words:
        padded = f" {word[:40]} "
        for size in _RUNS:
            yield from (padded[at : at + size] for at in range(len(padded) - size + 1))


def blocks_of_length_one(values: NDArray[np.float32], keys: NDArray[np.int64]) -> NDArray:
    """Scale each block to Euclidean length one, (k,) to float32 (k,)."""
    scaled = np.array(values, dtype=np.float32)
    for block in range(BLOCKS):
        inside = keys // BUCKETS == block
        length = float(np.linalg.norm(scaled[inside]))
        if length > 0:
            scaled[inside] /= length
    return scaled


@dataclass(frozen=True)
class WordHead:
    """One policy's word weights.

    Attributes:
        idf: float32 (BLOCKS * BUCKETS,), 0 for what was too rare in training.
        weight: float32 (BLOCKS * BUCKETS,).
    """

    idf: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: float

    def __call__(self, counted: Sparse) -> float:
        """Log-odds of one text; ``bias`` where nothing known is in it."""
        keys, values = counted
        vector = blocks_of_length_one(values * self.idf[keys], keys)
        return float(vector @ self.weight[keys]) + self.bias
