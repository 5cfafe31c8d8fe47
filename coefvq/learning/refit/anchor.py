"""What keeps the parent's knowledge: a pull on every number that it has learnt something about.

Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv 1612.00796) holds a weight the more
tightly, the more the old data says about it: the Fisher information, here its diagonal,
sum over old examples of p (1 - p) x^2. The old data is not needed for it. In how many training
texts an n-gram stood follows from the parent's own inverse document frequencies, and picture
statistics are standardised over the parent's training clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from coefvq.learning.refit.rows import COUNTS, WORDS
from coefvq.prefilter.adjust import PICTURES, TEXT
from coefvq.prefilter.features import BLOCKS
from coefvq.prefilter.text import texts_with
from coefvq.prefilter.weights import TEXT_SURFACE, Trained

Floats = NDArray[np.float64]
UNSURE = 0.1
"""p (1 - p) of an average training example."""
CLIPS = 200
"""Training clips that a picture statistic is taken to have been seen in."""


@dataclass(frozen=True)
class Anchor:
    """By what is read, the diagonal of the parent's Fisher information.

    Attributes:
        text: float64 (WORDS + COUNTS,).
        pictures: float64 (k,).
    """

    text: Floats
    pictures: Floats

    @classmethod
    def of(cls, root: Trained, text: sparse.csr_matrix) -> Anchor:
        """Of a parent.

        Args:
            text: Texts at hand (n, WORDS + COUNTS): how large an n-gram's weight is where it
                stands cannot be read from the parent.
        """
        stood, texts = texts_with(root.idf)
        squares = text.multiply(text).tocsc()
        filled = np.diff(squares.indptr)
        size = np.asarray(squares.sum(axis=0)).ravel() / np.maximum(filled, 1)
        surface = np.asarray(root.averages.get(TEXT_SURFACE, [0.0] * COUNTS)) ** 2
        per_word = UNSURE * stood * size[:WORDS]
        per_count = UNSURE * texts * np.maximum(size[WORDS:], surface)
        widths = [len(root.scaling[name].mean) for name in BLOCKS]
        blocks = [np.full(width, UNSURE * CLIPS / width) for width in widths]
        absent = np.full(len(BLOCKS), UNSURE * CLIPS * 0.2)
        return cls(np.concatenate([per_word, per_count]), np.concatenate([*blocks, absent]))

    def pull(self, reads: str, strength: float, anchor: float) -> Floats:
        """Penalties of all coefficients of ``TEXT`` or ``PICTURES``: ridge and anchor together."""
        return strength + anchor * {TEXT: self.text, PICTURES: self.pictures}[reads]
