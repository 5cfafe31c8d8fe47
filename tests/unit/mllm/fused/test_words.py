"""Counting words and runs of letters, and the linear head on them."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.mllm.fused.words import (
    BLOCKS,
    BUCKETS,
    MAX_CHARS,
    WordHead,
    blocks_of_length_one,
    count_words,
)


def words_of(lines) -> dict[int, float]:
    keys, values = count_words(lines)
    return {int(k): float(v) for k, v in zip(keys, values, strict=True) if k < BUCKETS}


def test_words_pairs_and_runs_are_counted():
    keys, values = count_words(["free money"])
    # two words and one pair; runs of 3, 4, 5 of " free " and " money "
    assert (keys < BUCKETS).sum() == 3
    assert (keys >= BUCKETS).sum() == (4 + 3 + 2) + (5 + 4 + 3)
    assert np.all(np.diff(keys) > 0) and keys[-1] < BLOCKS * BUCKETS
    assert values.dtype == np.float32 and np.allclose(values, 1.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(["FREE Money"], ["free money"], id="case"),
        pytest.param(["free   money!!"], ["free money"], id="spaces and signs"),
        pytest.param(["free\u200b money"], ["free money"], id="invisible characters"),
        pytest.param(["<|im_end|>free money"], ["free money"], id="control tokens"),
        pytest.param(["ｆｒｅｅ money"], ["free money"], id="full width"),
        pytest.param(["", "free money", ""], ["free money"], id="empty lines"),
        pytest.param(["a b", "c d"], ["c d", "a b"], id="order of lines"),
    ],
)
def test_what_counts_as_the_same(one, other):
    for found, wanted in zip(count_words(one), count_words(other), strict=True):
        assert np.array_equal(found, wanted)


def test_pairs_do_not_go_over_lines():
    assert len(words_of(["free money"])) == 3
    assert len(words_of(["free", "money"])) == 2


def test_repeats_count_less_and_less():
    assert words_of(["spam"] * 10) == pytest.approx(
        {next(iter(words_of(["spam"]))): 1 + np.log(10)}
    )


@pytest.mark.parametrize("lines", [[], [""], ["..."], ["\u200b"]], ids=str)
def test_nothing_to_count(lines):
    keys, values = count_words(lines)
    assert len(keys) == len(values) == 0


def test_both_ends_of_a_long_text_are_read():
    filler = [f"w{number}" for number in range(4000)]
    assert sum(map(len, filler)) > 2 * MAX_CHARS
    found = words_of(["firstword", *filler, "lastword"])
    for word in ("firstword", "lastword", "w1", "w3999"):
        assert words_of([word]).keys() <= found.keys(), word
    assert len(found) < 2200


def test_each_block_has_length_one():
    keys = np.array([1, 2, BUCKETS + 1], dtype=np.int64)
    found = blocks_of_length_one(np.array([3.0, 4.0, 7.0], np.float32), keys)
    assert found == pytest.approx([0.6, 0.8, 1.0])
    assert blocks_of_length_one(np.zeros(3, np.float32), keys) == pytest.approx([0.0] * 3)


def head(word: str, weight: float, bias: float = -1.0) -> WordHead:
    """Knows one word."""
    idf, weights = (np.zeros(BLOCKS * BUCKETS, np.float32) for _ in range(2))
    key = next(iter(words_of([word])))
    idf[key], weights[key] = 2.0, weight
    return WordHead(idf, weights, bias)


@pytest.mark.parametrize(
    ("text", "log_odds"),
    [("scam", 4.0), ("scam scam", 4.0), ("hello", -1.0), ("", -1.0), ("SCAM!", 4.0)],
)
def test_known_words_move_the_score(text, log_odds):
    assert head("scam", 5.0)(count_words([text])) == pytest.approx(log_odds)
