"""The index against a slow model of it: what is added, removed and found, by faiss and by numpy."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from coefvq.originality import flat
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.index import LEAST_QUALITY, Index
from coefvq.originality.near import Near
from tests.unit.originality.originals_factory import (
    bits_apart,
    codebook,
    flipped,
    made,
    random_codes,
    random_hashes,
    vectors,
)

__all__ = ["codebook"]
FAISS = flat.faiss_or_none() is not None
SEARCH = [
    pytest.param(False, id="numpy"),
    pytest.param(True, id="faiss", marks=pytest.mark.skipif(not FAISS, reason="no faiss")),
]
BASE = random_hashes(1, 4)


def rows(near: Near) -> list[tuple[int, int, float, float]]:
    """Pairs in an order that both sides share."""
    columns = (near.query, near.key, near.time_s, near.distance.round(3))
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def expected(
    model: dict[int, Fingerprint], wanted: NDArray[np.uint8], bits: int
) -> list[tuple[int, int, float, float]]:
    """Every pair that is near, the slow way."""
    found = []
    for key, fp in model.items():
        apart = bits_apart(wanted, fp.hashes)
        for query, frame in np.argwhere(apart <= bits):
            if fp.quality[frame] >= LEAST_QUALITY:
                found.append((query, key, float(fp.times_s[frame]), float(apart[query, frame])))
    return sorted(found)


@st.composite
def videos(draw: st.DrawFn) -> Fingerprint:
    """A few frames near the base hashes, some of them unclear; perhaps with codes and sound."""
    count = draw(st.integers(0, 5))
    at = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    seed = draw(st.integers(0, 10**6))
    hashes = flipped(BASE[at], draw(st.integers(0, 40)), seed)
    quality = np.array([draw(st.sampled_from([0, 49, 50, 100])) for _ in at], np.uint8)
    coded = random_codes(seed, (count + 1) // 2)
    landmarks = np.array([[seed % 50, 10]], np.uint32) if draw(st.booleans()) else None
    return made(hashes, quality=quality, codes=coded, landmarks=landmarks)


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 9), videos()),
        st.tuples(st.just("remove"), st.integers(0, 9), st.none()),
    ),
    max_size=25,
)


@pytest.mark.parametrize("use_faiss", SEARCH)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, bits=st.integers(0, 60), again=st.booleans())
def test_any_adding_and_removing_leaves_what_a_slow_model_holds(
    use_faiss: bool, changes: list[tuple[str, int, Fingerprint]], bits: int, again: bool
) -> None:
    index, model = Index(use_faiss=use_faiss), dict[int, Fingerprint]()
    for what, key, fp in changes:
        if what == "add":
            index.add(key, fp)
            model[key] = fp
        else:
            index.remove(key)
            model.pop(key, None)
    if again:
        index = Index.from_arrays(index.arrays(), use_faiss=use_faiss)
    wanted = np.concatenate([BASE, flipped(BASE, 9)])
    assert index.keys() == model.keys()
    assert index.frames == sum((fp.quality >= 50).sum() for fp in model.values())
    assert rows(index.near_hashes(wanted, bits)) == expected(model, wanted, bits)
    heard = index.near_landmarks(np.array([[at, 0] for at in range(50)], np.uint32))
    sounds = {key for key, fp in model.items() if fp.landmarks is not None}
    assert set(heard.key.tolist()) == sounds
    assert_nearest_codes(index, model)


def assert_nearest_codes(index: Index, model: dict[int, Fingerprint]) -> None:
    wanted = vectors(random_codes(5, 3))
    pairs = [
        (query, key, float(fp.code_times_s[at]), round(1 - float(cosine), 3))
        for key, fp in model.items()
        if len(fp.codes)
        for (query, at), cosine in np.ndenumerate(wanted @ vectors(fp.codes[:, 0]).T)
    ]
    near = index.near_codes(wanted, k=4)
    for query in range(3):
        best = sorted(pair[3] for pair in pairs if pair[0] == query)[:4]
        mine = [row for row in rows(near) if row[0] == query]
        assert sorted(row[3] for row in mine) == pytest.approx(best, abs=2e-3)
        known = {(key, time) for asked, key, time, _ in pairs if asked == query}
        assert {row[1:3] for row in mine} <= known


@pytest.mark.parametrize("use_faiss", SEARCH)
@pytest.mark.parametrize("bits", [0, 1, 20, 31])
def test_exactly_as_many_bits_as_asked_for(use_faiss: bool, bits: int) -> None:
    index = Index(use_faiss=use_faiss)
    base = random_hashes(2, 300)
    index.add_many([(1, made(flipped(base, bits, 3))), (2, made(flipped(base, bits + 1, 4)))])
    found = index.near_hashes(base, bits)
    assert found.key.tolist() == [1] * 300
    assert found.query.tolist() == found.time_s.tolist() == list(range(300))
    assert set(found.distance.tolist()) == {bits}


@pytest.mark.parametrize("use_faiss", SEARCH)
def test_all_bits_in_one_half_are_found_too(use_faiss: bool) -> None:
    base = random_hashes(6, 2)
    index = Index(use_faiss=use_faiss)
    for key, half in enumerate((slice(0, 128), slice(128, 256))):
        bits = np.unpackbits(base, axis=1)
        bits[:, half][:, :31] ^= 1
        index.add(key, made(np.packbits(bits, axis=1)))
    found = index.near_hashes(base)
    assert sorted(zip(found.query.tolist(), found.key.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]


@pytest.mark.parametrize("use_faiss", SEARCH)
def test_a_much_used_picture_gives_the_nearest_and_oldest(
    use_faiss: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coefvq.originality.index.MOST_HITS", 5)
    picture = random_hashes(7, 1)
    index = Index(use_faiss=use_faiss)
    index.add(9, made(flipped(np.repeat(picture, 50, axis=0), 3)))
    index.add(1, made(picture))
    index.add_many((key, made(np.repeat(picture, 4, axis=0))) for key in range(20, 40))
    assert index.near_hashes(picture).key.tolist() == [1, 20, 20, 20, 20]


@pytest.mark.parametrize("use_faiss", SEARCH)
def test_nothing_in_it_and_nothing_asked(use_faiss: bool) -> None:
    index = Index(use_faiss=use_faiss)
    assert len(index.near_hashes(random_hashes(1, 3))) == 0
    assert len(index.near_codes(vectors(random_codes(1, 3)))) == 0
    index.add(1, made(random_hashes(1, 4), codes=random_codes(1, 2)))
    assert len(index.near_hashes(np.empty((0, 32), np.uint8))) == 0
    assert len(index.near_codes(np.empty((0, 128), np.float32))) == 0
    index.remove(2)
    index.add_many([])
    assert index.keys() == {1}


def test_unclear_videos_are_known_and_never_found() -> None:
    """Black, white or noise: its hashes say nothing, but it is not added again and again."""
    index = Index()
    index.add(1, made(np.zeros((30, 32), np.uint8), quality=LEAST_QUALITY - 1))
    assert index.keys() == {1}
    assert index.frames == len(index.near_hashes(np.zeros((1, 32), np.uint8))) == 0


@pytest.mark.parametrize("use_faiss", SEARCH)
def test_long_queries_are_taken_in_groups(use_faiss: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "_GROUP", 7)
    monkeypatch.setattr(flat, "_NUMPY_BLOCK", 11)
    monkeypatch.setattr(flat, "_FAISS_BLOCK", 11)
    monkeypatch.setattr(flat, "_HEAP", 5)
    model = {key: made(flipped(BASE[[0, 1, 2, 3] * 5], 12, key)) for key in range(4)}
    index = Index(use_faiss=use_faiss)
    index.add_many(model.items())
    wanted = flipped(BASE[[0, 1, 2, 3] * 8], 12, 99)
    assert rows(index.near_hashes(wanted)) == expected(model, wanted, 31) != []


def test_memory_is_little_more_than_hashes_and_codes() -> None:
    index = Index()
    for key in range(20):
        index.add(key, made(random_hashes(key, 500), codes=random_codes(key, 250)))
    assert index.nbytes / index.frames < 36 + 72 / 2 + 1


@pytest.mark.parametrize("use_faiss", SEARCH)
def test_what_is_left_out_takes_no_place(use_faiss: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video among the originals does not hide them behind its own frames."""
    monkeypatch.setattr("coefvq.originality.index.MOST_HITS", 3)
    picture, look = random_hashes(8, 1), random_codes(8, 1)
    index = Index(use_faiss=use_faiss)
    own = made(np.repeat(picture, 30, axis=0), codes=np.repeat(look, 15, axis=0))
    index.add_many([(1, own), (2, own), (3, made(flipped(picture, 2), codes=look))])
    index.remove(2)
    seen = index.without([1, 77])
    assert seen.near_hashes(picture).key.tolist() == [3]
    assert seen.near_codes(vectors(look), 2).key.tolist() == [3]
    assert index.near_hashes(picture).key.tolist() == [1, 1, 1]
    assert index.near_codes(vectors(look), 2).key.tolist() == [1, 1]
    assert len(index.without([1, 3]).near_codes(vectors(look), 2)) == 0


def test_without_faiss_numpy_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert flat.faiss_or_none() is None
    index = Index()
    index.add(1, made(BASE))
    assert index.near_hashes(BASE, 0).query.tolist() == [0, 1, 2, 3]
