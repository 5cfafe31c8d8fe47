"""Title and caption as hashed n-grams and a few surface counts. Pure Python and numpy.

Words and pairs of words, and runs of 3-5 letters inside words, are hashed (CRC-32) into a fixed
number of buckets, weighted 1 + log(count) times the training set's inverse document frequency,
and scaled to length one a block, as in a classical TF-IDF classifier.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import PostedText

BUCKETS = 1 << 17
"""Buckets of one block; words use 0..BUCKETS-1, letter runs the next BUCKETS."""
MAX_CHARS = 2000
Hit = tuple[int, tuple[int, ...]]
"""A bucket, and the places of the words that it covers."""
SURFACE = (
    "length", "capitals", "digits", "exclamation marks", "question marks", "links", "money signs",
    "hashtags", "mentions", "repeated letters", "symbols and emoji", "several lines",
)  # fmt: skip
STATES = ("no title", "no caption")

_TOKEN = re.compile(r"[\w'\u2019]+|[#@$€£!?%]")
_LINK = re.compile(r"https?://|www\.|\b[\w-]+\.(?:com|net|org|info|ru|co|io|tv|ly|me)\b", re.I)
_REPEAT = re.compile(r"(\w)\1{2,}")
_WATCH = re.compile(r"(?:youtu\.be/|watch\?v=)\S+", re.I)


@dataclass(frozen=True)
class TextCounts:
    """What is in a posted text, before any weights.

    Attributes:
        buckets: int64 (k,), rising, distinct; words below ``BUCKETS``, letter runs above.
        counts: float32 (k,), how often each bucket is hit.
        surface: float32 (len(SURFACE) + len(STATES),).
        empty: True if neither field holds a word.
    """

    buckets: NDArray[np.int64]
    counts: NDArray[np.float32]
    surface: NDArray[np.float32]
    empty: bool


@dataclass(frozen=True)
class TextRow:
    """One posted text as the model's numbers.

    Attributes:
        buckets: int64 (k,), rising, distinct.
        weights: float32 (k,), TF-IDF weights.
        surface: float32 (len(SURFACE) + len(STATES),).
        empty: True if neither field holds a word.
    """

    buckets: NDArray[np.int64]
    weights: NDArray[np.float32]
    surface: NDArray[np.float32]
    empty: bool


def joined(posted: PostedText) -> str:
    """Both fields as one text, at most ``MAX_CHARS`` a field."""
    return "\n".join(part[:MAX_CHARS] for part in (posted.title, posted.caption) if part)


def tokens(text: str) -> list[str]:
    """Lower-case words and single marks of a text, width and accents unified (NFKC)."""
    folded = unicodedata.normalize("NFKC", text).lower().replace("\ufeff", "")
    return _TOKEN.findall(_WATCH.sub(" ytvideolink ", folded))


def _hash(prefix: str, gram: str) -> int:
    return zlib.crc32(f"{prefix}{gram}".encode()) % BUCKETS


def word_buckets(words: list[str]) -> list[Hit]:
    """Buckets of words and pairs, each with the places of the words it covers."""
    singles: list[Hit] = [(_hash("w", word), (at,)) for at, word in enumerate(words)]
    pairs: list[Hit] = [
        (_hash("p", f"{left} {right}"), (at, at + 1))
        for at, (left, right) in enumerate(pairwise(words))
    ]
    return singles + pairs


@lru_cache(maxsize=20_000)
def _letters(word: str) -> tuple[int, ...]:
    padded = f" {word[:40]} "
    return tuple(
        BUCKETS + _hash("c", padded[start : start + size])
        for size in (3, 4, 5)
        for start in range(max(1, len(padded) - size + 1))
    )


def letter_buckets(words: list[str]) -> list[Hit]:
    """Buckets of 3-5 letter runs inside space-padded words, with the place of the word."""
    return [(bucket, (at,)) for at, word in enumerate(words) for bucket in _letters(word)]


def surface(posted: PostedText) -> NDArray[np.float32]:
    """Counts that do not depend on words, each about 0..1; then which fields are absent."""
    text = joined(posted)
    size = max(len(text), 1)

    def share(test: Iterable[bool]) -> float:
        return sum(test) / size

    def some(count: int) -> float:
        return min(math.log1p(count) / 2, 1.0)

    values = [
        min(math.log1p(len(text)) / 7, 1.2),
        share(map(str.isupper, text)),
        share(map(str.isdigit, text)),
        some(text.count("!")),
        some(text.count("?")),
        some(len(_LINK.findall(text))),
        some(sum(text.count(sign) for sign in "$€£")),
        some(text.count("#")),
        some(text.count("@")),
        some(len(_REPEAT.findall(text))),
        share(not char.isascii() and unicodedata.category(char)[0] == "S" for char in text),
        some(text.count("\n")),
        float(posted.title is None),
        float(posted.caption is None),
    ]
    return np.asarray(values, dtype=np.float32)


@dataclass(frozen=True)
class Hits:
    """Every n-gram of a text, one entry a word that it covers.

    Attributes:
        words: The text's words in order.
        buckets: int64 (h,).
        places: int64 (h,), which word.
        shares: float32 (h,), 1 for single words and letter runs, 1/2 for each half of a pair.
    """

    words: list[str]
    buckets: NDArray[np.int64]
    places: NDArray[np.int64]
    shares: NDArray[np.float32]


def text_hits(posted: PostedText) -> Hits:
    """Find all n-grams of a posted text."""
    words = tokens(joined(posted))
    rows = [
        (bucket, place, 1 / len(spot))
        for bucket, spot in (*word_buckets(words), *letter_buckets(words))
        for place in spot
    ]
    table = np.asarray(rows, dtype=np.float64).reshape(-1, 3)
    return Hits(
        words, table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2].astype("f4")
    )


def counted(posted: PostedText, hits: Hits) -> TextCounts:
    """Count n-grams and surface of a text whose n-grams are at hand."""
    buckets, places = np.unique(hits.buckets, return_inverse=True)
    counts = np.bincount(places, weights=hits.shares, minlength=len(buckets))
    empty = not any(word[0].isalnum() for word in hits.words)
    return TextCounts(buckets, counts.astype(np.float32), surface(posted), empty)


def text_counts(posted: PostedText) -> TextCounts:
    """Count a posted text's words, pairs, letter runs and surface."""
    return counted(posted, text_hits(posted))


def weigh(found: TextCounts, idf: NDArray[np.floating]) -> TextRow:
    """TF-IDF weights, each block (words, letter runs) scaled to length one.

    Args:
        idf: float (2 * BUCKETS,), weights by bucket.
    """
    weights = (1 + np.log(found.counts)) * idf[found.buckets]
    letters = found.buckets >= BUCKETS
    for block in (letters, ~letters):
        norm = float(np.linalg.norm(weights[block]))
        weights[block] /= norm or 1.0
    return TextRow(found.buckets, weights.astype(np.float32), found.surface, found.empty)


def text_row(posted: PostedText, idf: NDArray[np.floating]) -> TextRow:
    """Turn a posted text into the model's numbers (see ``weigh``)."""
    return weigh(text_counts(posted), idf)


def fit_idf(texts: Iterable[TextCounts]) -> NDArray[np.float32]:
    """Smoothed inverse document frequency, log((1 + n) / (1 + df)) + 1.

    A bucket that no training text fills gets 0: the model has learnt nothing about it.
    """
    seen = np.zeros(2 * BUCKETS, dtype=np.int64)
    count = 0
    for found in texts:
        seen[found.buckets] += 1
        count += 1
    idf = np.log((1 + count) / (1 + seen)) + 1
    return np.where(seen > 0, idf, 0.0).astype(np.float32)


def with_unseen(idf: NDArray[np.floating]) -> NDArray[np.float32]:
    """The same weights, with that of an n-gram in no text where nothing is known of a bucket.

    A refit learns words that its parent never met. log((1 + n) / (1 + 0)) + 1 is the largest
    weight, that of one text, plus log 2.
    """
    table = np.asarray(idf, dtype=np.float32)
    known = table > 0
    most = float(table.max()) + math.log(2) if known.any() else 1.0
    return np.where(known, table, np.float32(most)).astype(np.float32)


def texts_with(idf: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """In how many texts each bucket stood when ``idf`` was fitted, and how many texts those were.

    The inverse of ``fit_idf``; as exact as the weights were stored (float16: about 1 %).
    """
    table = np.asarray(idf, dtype=np.float64)
    known = table > 0
    if not known.any():
        return np.zeros(len(table)), 0.0
    rarest = math.exp(float(table[known].max()) - 1) * 2
    counts = np.where(known, rarest / np.exp(table - 1) - 1, 0.0)
    return np.maximum(counts, 0.0), rarest - 1
