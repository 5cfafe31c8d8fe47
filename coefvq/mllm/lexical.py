"""A linear head on words and word pairs, hashed.

The small language model knows little of the words that a policy turns on; a weighted count of
words (TF-IDF with a logistic model) is a strong and cheap complement. It reads the same
sanitised lines as the model and is summed with the model's other parts before calibration.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coefvq.mllm.prompt import Line
from coefvq.mllm.sanitise import sanitise

BUCKETS = 1 << 17
_WORD = re.compile(r"\w+")

Sparse = tuple[NDArray[np.int64], NDArray[np.float32]]


def count_words(lines: Sequence[Line]) -> Sparse:
    """Bucket numbers and ``1 + log(count)`` of words and pairs of neighbouring words."""
    counts: Counter[int] = Counter()
    for line in lines:
        words = _WORD.findall(sanitise(line.raw).lower())
        pairs = [f"{a} {b}" for a, b in pairwise(words)]
        counts.update(zlib.crc32(term.encode()) % BUCKETS for term in (*words, *pairs))
    keys = np.array(sorted(counts), dtype=np.int64)
    values = np.array([1.0 + np.log(counts[key]) for key in sorted(counts)], dtype=np.float32)
    return keys, values


@dataclass(frozen=True)
class WordHead:
    """One policy's word weights.

    Attributes:
        idf: float32 (BUCKETS,), 0 for words that were too rare in training.
        weight: float32 (BUCKETS,).
    """

    idf: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: float

    def __call__(self, counted: Sparse) -> float:
        """Log-odds of one text; ``bias`` where no known word is in it."""
        keys, values = counted
        vector = values * self.idf[keys]
        length = float(np.linalg.norm(vector))
        if length == 0.0:
            return self.bias
        return float(vector @ self.weight[keys]) / length + self.bias
