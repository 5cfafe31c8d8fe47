"""What is chosen to be labelled: each reason, the batch's variety, and the random part."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.domain import PostedText
from coefvq.learning.choose.rank import RANDOM, REASONS, Mixing, Pool, density, nearest, rank
from coefvq.learning.choose.vectors import TEXT_WIDTH, describe

NOTHING = Mixing(0.0, 0.0, 0.0, 0.0, 0.0, random=0.0, warm_up=0)
EMPTY = np.zeros((0, 2))
EAST, NORTH, WEST = (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)


def pool(
    probabilities: list[float],
    gaps: list[float] | None = None,
    vectors: list[tuple[float, float]] | None = None,
) -> Pool:
    size = len(probabilities)
    return Pool(
        [f"c{at}" for at in range(size)],
        np.array(probabilities),
        np.array(gaps or [np.nan] * size),
        np.array(vectors or [(0.0, 0.0)] * size),
    )


def keys(*args: object, **how: object) -> list[str]:
    return [choice.key for choice in rank(*args, labels=1000, **how)]  # type: ignore[arg-type]


NAN = float("nan")


@pytest.mark.parametrize(
    ("given_pool", "known", "mixing", "first", "reason"),
    [
        pytest.param(
            pool([0.9, 0.45, 0.02]), EMPTY, {"uncertainty": 1.0}, "c1", "uncertain", id="unsure"
        ),
        pytest.param(
            pool([0.9, NAN, 0.4]), EMPTY, {"uncertainty": 1.0}, "c1", "uncertain", id="not covered"
        ),
        pytest.param(
            pool([0.5] * 3, [NAN, 0.1, 0.6]),
            EMPTY,
            {"disagreement": 1.0},
            "c2",
            "stages disagree",
            id="the stages disagree",
        ),
        pytest.param(
            pool([0.5] * 3, None, [EAST, EAST, NORTH]),
            np.array([EAST]),
            {"distance": 1.0},
            "c2",
            "unlike the labelled ones",
            id="far from the labelled ones",
        ),
        pytest.param(
            pool([0.5] * 4, None, [NORTH, EAST, EAST, EAST]),
            EMPTY,
            {"density": 1.0},
            "c1",
            "stands for many",
            id="stands for many",
        ),
    ],
)
def test_reasons(
    given_pool: Pool, known: np.ndarray, mixing: dict[str, float], first: str, reason: str
) -> None:
    how = Mixing(**{**vars(NOTHING), **mixing})
    (best,) = rank(given_pool, known, 1, labels=1000, mixing=how)
    assert (best.key, best.reason, best.propensity) == (first, reason, 1.0)
    assert reason in REASONS


def test_what_resembles_a_pick_comes_later() -> None:
    alike = pool([0.50, 0.49, 0.40], None, [EAST, EAST, NORTH])
    how = {**vars(NOTHING), "uncertainty": 1.0}
    assert keys(alike, EMPTY, 2, mixing=Mixing(**how)) == ["c0", "c1"]
    assert keys(alike, EMPTY, 2, mixing=Mixing(**how | {"diversity": 0.9})) == ["c0", "c2"]


@pytest.mark.parametrize(
    ("labels", "share"),
    [
        pytest.param(0, 1.0, id="nothing is known: all at random"),
        pytest.param(100, 0.5, id="half warm"),
        pytest.param(190, 0.1, id="never less than the least"),
        pytest.param(5000, 0.1, id="warm"),
    ],
)
def test_the_random_part_shrinks_as_labels_come(labels: int, share: float) -> None:
    assert Mixing(random=0.1, warm_up=200).random_share(labels) == pytest.approx(share)


def test_propensities_say_how_often_each_is_chosen() -> None:
    """Over many draws the share in which a candidate comes is the propensity that it is told."""
    given_pool, counts, told = pool([0.5, 0.1, 0.2, 0.3, 0.05]), Counter[str](), {}
    how = Mixing(**{**vars(NOTHING), "uncertainty": 1.0, "random": 0.5})
    for seed in range(2000):
        for choice in rank(given_pool, EMPTY, 2, labels=1, mixing=how, seed=seed):
            counts[choice.key] += 1
            told[choice.key] = choice.propensity
    assert told == {"c0": 1.0, "c1": 0.25, "c2": 0.25, "c3": 0.25, "c4": 0.25}
    for key, propensity in told.items():
        assert counts[key] / 2000 == pytest.approx(propensity, abs=0.04)


def test_a_batch_weighted_by_propensity_stands_for_the_pool() -> None:
    """Horvitz and Thompson: the estimate of how many violations there are is unbiased."""
    rng = np.random.default_rng(3)
    given_pool = pool(list(rng.random(60)))
    truth = dict(zip(given_pool.keys, rng.random(60) < 0.3, strict=True))
    guesses = [
        sum(truth[choice.key] / choice.propensity for choice in
            rank(given_pool, EMPTY, 20, labels=1000, mixing=Mixing(random=0.5), seed=seed))
        for seed in range(1500)
    ]  # fmt: skip
    assert np.mean(guesses) == pytest.approx(sum(truth.values()), rel=0.05)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.just(NAN), st.floats(0, 1)), max_size=12),
    st.integers(0, 15),
    st.integers(0, 300),
    st.integers(0, 5),
)
def test_a_batch_holds_each_at_most_once(
    probabilities: list[float], number: int, labels: int, seed: int
) -> None:
    given_pool = pool(probabilities)
    found = rank(given_pool, EMPTY, number, labels=labels, seed=seed)
    assert len({choice.key for choice in found}) == len(found) == min(number, len(probabilities))
    assert all(0 < choice.propensity <= 1 for choice in found)
    assert found == rank(given_pool, EMPTY, number, labels=labels, seed=seed)
    if number >= len(probabilities):
        assert all(choice.propensity == 1.0 for choice in found)


def test_all_at_random() -> None:
    found = rank(pool([0.5] * 10), EMPTY, 4, labels=9, mixing=Mixing(random=1.0))
    assert {(choice.reason, choice.propensity) for choice in found} == {(RANDOM, 0.4)}


def test_likeness_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((9, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whole = density(rows, 2), nearest(rows, rows[:2])
    monkeypatch.setattr("coefvq.learning.choose.rank._BLOCK", 4)
    np.testing.assert_allclose(density(rows, 2), whole[0])
    np.testing.assert_allclose(nearest(rows, rows[:2]), whole[1])
    others = np.sort(rows @ rows.T - 2 * np.eye(9), axis=1)[:, -2:].mean(axis=1)
    np.testing.assert_allclose(whole[0], others)


def test_vectors_of_words_and_looks() -> None:
    texts = [
        PostedText("win a free phone now", None),
        PostedText(None, "win a free phone today"),
        PostedText("my cat sleeps all day", None),
        PostedText(None, None),
    ]
    look = np.array([1.0, 0.0], np.float32)
    vectors = describe(texts, [None, None, look, look], 2)
    assert vectors.shape == (4, TEXT_WIDTH + 2)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > 0.4 > likeness[0, 2]
    assert likeness[2, 3] == pytest.approx(0.5**0.5)
    assert not describe([PostedText()], [None], 2).any()
