"""Embeddings in lists: what is found when not all codes are read."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from coefvq.originality import quantised
from coefvq.originality.index import Index
from tests.unit.originality.originals_factory import (
    codebook,
    made,
    random_codes,
    random_hashes,
    vectors,
)
from tests.unit.originality.test_index import SEARCH

__all__ = ["codebook"]
COUNT = 40


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantised, "TRAIN_FROM", 512)
    monkeypatch.setattr(quantised, "_LEAST_TAIL", 128)
    monkeypatch.setattr(quantised, "PROBES", 4)


def scene(seed: int) -> NDArray[np.uint8]:
    """Fifty looks at much the same picture."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(random_codes(seed, 1), 50, axis=0)
    change = rng.random(codes.shape) < 0.15
    codes[change] = rng.integers(0, 256, int(change.sum()), dtype=np.uint8)
    return codes


@pytest.fixture(params=SEARCH)
def index(request: pytest.FixtureRequest) -> Index:
    """Forty scenes, 2,000 codes, in lists and behind them."""
    made_of = Index(use_faiss=request.param)
    for key in range(COUNT):
        made_of.add(key, made(random_hashes(key, 100), codes=scene(key)))
    return made_of


def found(index: Index, key: int, k: int = 10) -> list[int]:
    return index.near_codes(vectors(scene(key)[:1]), k).key.tolist()


def test_lists_were_made(index: Index) -> None:
    arrays = index.arrays()
    assert len(arrays["centroids"]) == 64
    assert 512 < arrays["list_ends"][-1] <= len(arrays["codes"]) == 50 * COUNT
    assert sorted(arrays["code_frames"].tolist()) == list(range(50 * COUNT))


@pytest.mark.parametrize("key", [0, 17, COUNT - 1])
def test_a_scene_is_found_in_the_lists_and_behind_them(index: Index, key: int) -> None:
    """Most of a scene lies in the lists that are read, and nothing of others comes before it."""
    keys = found(index, key)
    assert keys[:8] == [key] * 8


def test_what_was_removed_does_not_take_the_places_of_others(index: Index) -> None:
    index.add(100, made(random_hashes(100, 2), codes=scene(3)[:1]))
    index.remove(3)
    assert found(index, 3, k=1) == [100]
    assert 3 not in found(index, 3, k=20)


def test_sweeping_keeps_keys_and_times(index: Index) -> None:
    for key in range(0, COUNT, 2):
        index.remove(key)
    again = Index.from_arrays(index.arrays())
    for held in (index, again):
        near = held.near_codes(vectors(scene(7)), 1)
        assert near.key.tolist() == [7] * 50
        assert near.time_s.tolist() == [2.0 * at for at in range(50)]
        assert set(held.near_codes(vectors(scene(8)), 5).key.tolist()) <= set(range(1, COUNT, 2))
