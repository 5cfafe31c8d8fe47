"""The index of landmarks against a plain dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.originality.sound_index import SoundIndex

Model = dict[int, list[tuple[int, int]]]


def _places(index: SoundIndex, hashes: list[int]) -> set[tuple[int, int, int]]:
    hits = index.lookup(np.array(hashes, np.uint32))
    return {
        (int(r), int(k), int(t))
        for r, k, t in zip(hits.row, hits.key, hits.hundredths, strict=True)
    }


def _expected(model: Model, hashes: list[int]) -> set[tuple[int, int, int]]:
    return {
        (row, key, time)
        for row, wanted in enumerate(hashes)
        for key, rows in model.items()
        for found, time in rows
        if found == wanted
    }


_ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 50_000)), max_size=12)
_STEP = st.tuples(st.sampled_from(("add", "add", "remove", "reload")), st.integers(0, 5), _ROWS)


@settings(max_examples=80, deadline=None)
@given(st.lists(_STEP, max_size=30))
def test_it_finds_what_was_added_and_not_removed(steps: list[tuple[str, int, list]]) -> None:
    index, model = SoundIndex(), Model()
    for what, key, rows in steps:
        if what == "add":
            index.add(key, np.array(rows, np.uint32).reshape(-1, 2))
            model[key] = rows
        elif what == "remove":
            index.remove(key)
            model.pop(key, None)
        else:
            index = SoundIndex.from_arrays(index.arrays())
        assert _places(index, list(range(13))) == _expected(model, list(range(13)))
        assert index.keys() == {key for key, rows in model.items() if rows}
        assert len(index) == sum(len(rows) for rows in model.values())


def test_a_landmark_that_is_everywhere_tells_nothing() -> None:
    index = SoundIndex()
    hum = np.stack([np.full(5000, 7, np.uint32), np.arange(5000, dtype=np.uint32)], axis=1)
    index.add(1, np.concatenate([hum, np.array([[8, 3]], np.uint32)]))
    assert _places(index, [7, 8]) == {(1, 1, 3)}


def test_eight_bytes_a_landmark() -> None:
    index = SoundIndex()
    rng = np.random.default_rng(0)
    for key in range(50):
        index.add(key, rng.integers(0, 1 << 22, (400, 2), dtype=np.uint32))
    assert index.nbytes == 8 * 50 * 400


@pytest.mark.parametrize("key", [0, 2**40], ids=["zero", "large"])
def test_keys_come_back_as_they_are(key: int) -> None:
    index = SoundIndex()
    index.add(key, np.array([[3, 9]], np.uint32))
    assert _places(index, [3]) == {(0, key, 9)}


def test_a_hash_that_is_none_does_not_disturb_others() -> None:
    index = SoundIndex()
    index.add(1, np.array([[2**32 - 1, 5], [4, 6]], np.uint32))  # from a damaged file
    assert _places(index, [4]) == {(0, 1, 6)}
