from __future__ import annotations

import numpy as np
import pytest

from coefvq.mllm.lexical import BUCKETS, WordHead, count_words
from coefvq.mllm.prompt import Line


def _count(*texts: str) -> dict[int, float]:
    keys, values = count_words([Line("speech", text) for text in texts])
    return dict(zip(keys.tolist(), values.tolist(), strict=True))


def test_words_and_pairs_are_counted() -> None:
    assert len(_count("one two three")) == 5
    assert len(_count("one two", "three")) == 4  # no pair over the end of a line


def test_counts_grow_slowly() -> None:
    (single,) = _count("go").values()
    (thrice,) = _count("go", "go", "go").values()
    assert single == 1.0 and thrice == pytest.approx(1 + np.log(3))


@pytest.mark.parametrize(
    "other", ["FREE Money", "free\nmoney", "<|im_start|>free money", "free \u200bmoney"]
)
def test_spelling_tricks_do_not_change_the_words(other: str) -> None:
    assert _count(other) == _count("free money")


def _head(word: str, weight: float) -> WordHead:
    idf, weights = np.ones(BUCKETS, np.float32), np.zeros(BUCKETS, np.float32)
    weights[next(iter(_count(word)))] = weight
    return WordHead(idf, weights, -1.0)


def test_a_known_word_moves_the_score() -> None:
    head = _head("free", 3.0)
    assert head(count_words([Line("title", "free")])) == pytest.approx(2.0)
    assert head(count_words([Line("title", "dear")])) == pytest.approx(-1.0)


def test_nothing_to_count_gives_the_bias() -> None:
    assert _head("free", 3.0)(count_words([])) == -1.0
