"""Vectors: what they keep of the frames, and what is found to be near."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from coefvq.settings import Settings
from coefvq.store import embeddings
from coefvq.store.session import Store
from coefvq.store.tables import EmbeddingRow, MediaRow

RNG = np.random.default_rng(3)
BASE = RNG.standard_normal((4, 1280)).astype(np.float32)


def keep(store: Store, name: str, frames: np.ndarray, version: str = "cheap-1") -> str:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    with store.write() as session:
        session.merge(MediaRow(sha256=sha256, file_name=name, size_bytes=1))
        session.flush()
        embeddings.put(session, sha256, version, frames)
    return sha256


def near(store: Store, sha256: str, limit: int = 10) -> list[tuple[str, float]]:
    with store.read() as session:
        wanted = embeddings.newest(session, sha256)
        assert wanted is not None
        return embeddings.nearest(session, wanted, limit)


def noisy(amount: float) -> np.ndarray:
    return BASE + amount * RNG.standard_normal(BASE.shape).astype(np.float32)


def test_a_vector_is_small_and_of_length_one() -> None:
    vector = embeddings.vector_of(BASE)
    assert vector is not None
    assert (vector.shape, vector.dtype) == ((embeddings.WIDTH,), np.float16)
    assert np.linalg.norm(vector.astype(np.float32)) == pytest.approx(1.0, abs=2e-3)


def test_the_projection_keeps_angles() -> None:
    pairs = [(noisy(0.0), noisy(amount)) for amount in (0.2, 1.0, 3.0)]
    for one, other in pairs:
        a, b = one.mean(axis=0), other.mean(axis=0)
        true = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        small = [embeddings.vector_of(each) for each in (one, other)]
        assert small[0] is not None and small[1] is not None
        kept = small[0].astype(np.float32) @ small[1].astype(np.float32)
        assert kept == pytest.approx(true, abs=0.2)


def test_the_projection_is_the_same_for_ever() -> None:
    vector = embeddings.vector_of(np.ones((1, 1280), np.float32))
    assert vector is not None
    assert [round(float(value), 3) for value in vector[:3]] == [0.01, -0.004, 0.073]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(np.zeros((0, 1280), np.float32), id="no frames"),
        pytest.param(np.zeros((3, 1280), np.float32), id="all black"),
        pytest.param(np.full((1, 1280), np.nan, np.float32), id="not a number"),
        pytest.param(np.zeros(1280, np.float32), id="not a list of frames"),
    ],
)
def test_nothing_to_describe_gives_no_vector(store: Store, frames: np.ndarray) -> None:
    assert embeddings.vector_of(frames) is None
    sha256 = keep(store, "empty", frames)
    with store.read() as session:
        assert embeddings.newest(session, sha256) is None


def test_the_likest_come_first_without_the_one_itself(store: Store) -> None:
    one = keep(store, "one", BASE)
    close, far = keep(store, "close", noisy(0.2)), keep(store, "far", noisy(2.0))
    other = keep(store, "other", RNG.standard_normal((4, 1280)).astype(np.float32))
    found = near(store, one)
    assert [sha256 for sha256, _ in found][:2] == [close, far]
    assert one not in dict(found) and other in dict(found)
    assert all(0.0 <= value <= 1.0 for _, value in found)
    assert dict(found)[close] > 0.9
    assert len(near(store, one, limit=1)) == 1


def test_what_comes_later_is_found_too(store: Store) -> None:
    one = keep(store, "one", BASE)
    assert near(store, one) == []
    later = keep(store, "later", noisy(0.1))
    assert [sha256 for sha256, _ in near(store, one)] == [later]
    assert [sha256 for sha256, _ in near(store, later)] == [one]


def test_versions_are_not_mixed(store: Store) -> None:
    one = keep(store, "one", BASE)
    keep(store, "old", noisy(0.1), version="cheap-0")
    assert near(store, one) == []


def test_the_first_vector_of_a_version_stays(store: Store) -> None:
    sha256 = keep(store, "one", BASE)
    keep(store, "one", noisy(5.0))
    with store.read() as session:
        row = session.get_one(EmbeddingRow, (sha256, "cheap-1"))
    expected = embeddings.vector_of(BASE)
    assert expected is not None and row.vector == expected.tobytes()


def test_two_stores_do_not_see_each_other(store: Store, settings: Settings) -> None:
    from coefvq.store.session import open_store

    one = keep(store, "one", BASE)
    keep(store, "two", noisy(0.1))
    with open_store(f"sqlite:///{settings.home}/other.sqlite3") as second:
        mine = keep(second, "one", BASE)
        assert near(second, mine) == []
    assert len(near(store, one)) == 1
