"""Snapshots: what comes back, and what is refused."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coefvq.originality import snapshot
from coefvq.originality.index import Index
from coefvq.originality.snapshot import SnapshotError
from tests.unit.originality.originals_factory import (
    codebook,
    made,
    random_codes,
    random_hashes,
    vectors,
)

__all__ = ["codebook"]
MADE_OF = "fp-test"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A snapshot of three videos, one removed."""
    index = Index()
    for key in range(3):
        marks = np.array([[key + 1, 50]], np.uint32)
        index.add(key, made(random_hashes(key, 6), codes=random_codes(key, 3), landmarks=marks))
    index.remove(1)
    file = tmp_path / "deep" / "index.cvix"
    snapshot.save(file, index.arrays(), MADE_OF)
    return file


def test_all_of_it_comes_back_and_can_change(path: Path) -> None:
    index = Index.from_arrays(snapshot.load(path, MADE_OF))
    assert index.keys() == {0, 2}
    assert index.near_hashes(random_hashes(2, 6), 0).key.tolist() == [2] * 6
    assert index.near_codes(vectors(random_codes(2, 3)), 1).key.tolist() == [2] * 3
    assert index.near_landmarks(np.array([[3, 0]], np.uint32)).key.tolist() == [2]
    index.add(7, made(random_hashes(7, 2)))
    index.remove(0)
    snapshot.save(path, index.arrays(), MADE_OF)
    assert Index.from_arrays(snapshot.load(path, MADE_OF)).keys() == {2, 7}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_empty_index_comes_back(tmp_path: Path) -> None:
    snapshot.save(tmp_path / "index", Index().arrays(), MADE_OF)
    assert Index.from_arrays(snapshot.load(tmp_path / "index", MADE_OF)).keys() == set()


def cut(at: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * at)]


def flip(at: float) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        place = int(len(data) * at)
        return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]

    return change


def claimed(change: Callable[[dict[str, object]], None]) -> Callable[[bytes], bytes]:
    """A description that says something else, with a checksum of its own that fits."""

    def rewrite(data: bytes) -> bytes:
        head = snapshot._HEAD
        length = head.unpack(data[: head.size])[1]
        described = json.loads(data[head.size : head.size + length])
        change(described)
        fresh = json.dumps(described).encode()
        packed = head.pack(b"CVIX", len(fresh), snapshot.zlib.crc32(fresh))
        return packed + fresh + data[head.size + length :]

    return rewrite


DAMAGE = {
    "empty": lambda data: b"",
    "one byte": cut(0.0001),
    "cut in the description": cut(0.1),
    "cut in the arrays": cut(0.8),
    "one byte short": lambda data: data[:-1],
    "more behind it": lambda data: data + b"x",
    "a bit in the magic": flip(0.0),
    "a bit in the description": flip(0.1),
    "a bit in the arrays": flip(0.9),
    "something else": lambda data: b"not an index at all, but text\n" * 40,
    "newer": claimed(lambda told: told.update(version=snapshot.VERSION + 1)),
    "of other fingerprints": claimed(lambda told: told.update(made_of="fp-0")),
    "huge arrays": claimed(lambda told: told.update(arrays=[["keys", "<i8", [1 << 50]]])),
    "negative arrays": claimed(lambda told: told.update(arrays=[["keys", "<i8", [-5]]])),
    "objects": claimed(lambda told: told.update(arrays=[["keys", "|O", [1]]])),
    "no arrays": claimed(lambda told: told.pop("arrays")),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_or_other_is_refused(path: Path, name: str) -> None:
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    with pytest.raises(SnapshotError):
        snapshot.load(path, MADE_OF)
    assert snapshot.set_aside(path).exists() and not path.exists()


def test_a_disk_that_fails_leaves_the_one_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        snapshot.save(path, Index().arrays(), MADE_OF)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_killed_writers_left_goes_after_an_hour(path: Path) -> None:
    old, fresh = path.with_name(f".{path.name}.77"), path.with_name(f".{path.name}.78")
    for left, age in ((old, 4000), (fresh, 60)):
        left.write_bytes(b"half")
        at = time.time() - age
        os.utime(left, (at, at))
    snapshot.save(path, Index().arrays(), MADE_OF)
    assert (old.exists(), fresh.exists()) == (False, True)
