from __future__ import annotations

import numpy as np
import pytest

from coefvq.domain import PostedText
from coefvq.prefilter.text import (
    BUCKETS,
    MAX_CHARS,
    STATES,
    SURFACE,
    fit_idf,
    joined,
    letter_buckets,
    surface,
    text_counts,
    text_row,
    tokens,
    word_buckets,
)

ONES = np.ones(2 * BUCKETS, dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Free GIFT!", ["free", "gift", "!"], id="case and marks"),
        pytest.param("ＦＲＥＥ", ["free"], id="wide letters"),
        pytest.param("\ufeffhello", ["hello"], id="byte order mark"),
        pytest.param("see youtu.be/abc123", ["see", "ytvideolink"], id="a link to a video"),
        pytest.param("#win $100", ["#", "win", "$", "100"], id="tag and money"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_words_and_pairs_know_which_words_they_cover() -> None:
    places = [spot for _, spot in word_buckets(["a", "b", "c"])]
    assert places == [(0,), (1,), (2,), (0, 1), (1, 2)]


def test_letter_runs_stay_inside_a_word_and_above_the_words() -> None:
    found = letter_buckets(["abc"])
    assert len(found) == 3 + 2 + 1
    assert all(BUCKETS <= bucket < 2 * BUCKETS and spot == (0,) for bucket, spot in found)


def test_each_block_has_length_one() -> None:
    row = text_row(PostedText("win a free phone", "win win"), ONES)
    words = row.weights[row.buckets < BUCKETS]
    letters = row.weights[row.buckets >= BUCKETS]
    assert np.linalg.norm(words) == pytest.approx(1.0)
    assert np.linalg.norm(letters) == pytest.approx(1.0)
    assert (np.diff(row.buckets) > 0).all()


def test_the_same_words_count_the_same_in_either_field() -> None:
    left = text_row(PostedText("free phone", None), ONES)
    right = text_row(PostedText(None, "free phone"), ONES)
    assert (left.buckets == right.buckets).all()
    assert (left.surface[: len(SURFACE)] == right.surface[: len(SURFACE)]).all()
    assert (left.surface[len(SURFACE) :] != right.surface[len(SURFACE) :]).all()


def test_an_absent_caption_is_not_an_empty_one() -> None:
    absent = surface(PostedText("free phone", None))
    empty = surface(PostedText("free phone", ""))
    changed = [
        name for name, a, b in zip((*SURFACE, *STATES), absent, empty, strict=True) if a != b
    ]
    assert changed == ["no caption"]


@pytest.mark.parametrize(
    ("posted", "name"),
    [
        (PostedText("WOW LOOK"), "capitals"),
        (PostedText("call 12345"), "digits"),
        (PostedText("now!!!"), "exclamation marks"),
        (PostedText("go to www.site.com"), "links"),
        (PostedText("win $500"), "money signs"),
        (PostedText("#a #b"), "hashtags"),
        (PostedText("@me"), "mentions"),
        (PostedText("sooooo"), "repeated letters"),
        (PostedText("nice 😀"), "symbols and emoji"),
        (PostedText("one\ntwo"), "several lines"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_surface_counts_what_it_names(posted: PostedText, name: str) -> None:
    place = SURFACE.index(name)
    assert surface(posted)[place] > 0
    assert surface(PostedText("plain words here"))[place] == 0


@pytest.mark.parametrize(
    ("posted", "empty"),
    [
        (PostedText(None, None), True),
        (PostedText("", "  "), True),
        (PostedText("!!!"), True),
        (PostedText("a"), False),
        (PostedText(None, "你好"), False),
    ],
    ids=str,
)
def test_empty_means_no_word_anywhere(posted: PostedText, empty: bool) -> None:
    assert text_counts(posted).empty is empty


def test_endless_text_is_cut() -> None:
    assert len(joined(PostedText("a" * 10**6, "b" * 10**6))) == 2 * MAX_CHARS + 1


def test_numbers_are_finite_for_hostile_text() -> None:
    row = text_row(PostedText("\x00\u202e" * 500 + "{}<script>" * 50, "\n" * 3000), ONES)
    assert np.isfinite(row.weights).all() and np.isfinite(row.surface).all()


def test_idf_weighs_rare_words_more_and_unseen_ones_not_at_all() -> None:
    texts = [PostedText("common rare"), PostedText("common"), PostedText("common")]
    idf = fit_idf(text_counts(posted) for posted in texts)
    common, rare, unseen = (
        idf[word_buckets([word])[0][0]] for word in ("common", "rare", "neverseen")
    )
    assert rare > common == pytest.approx(1.0)
    assert unseen == 0.0
