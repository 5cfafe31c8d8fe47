"""Which sounds hold a landmark, and when: sorted arrays, eight bytes a landmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.sound import Landmarks

_SHIFT = np.uint64(40)
_HASH = np.uint64((1 << 24) - 1)
_PLACE = np.uint64((1 << 40) - 1)
_APART = 100  # hundredths of a second between two sounds on the common time line
_COMMON = 4096  # a landmark in more places than this tells nothing
_WASTE = 0.25  # share of removed landmarks that is swept out

Packed = NDArray[np.uint64]


class Hits(NamedTuple):
    """Places of landmarks that were looked up.

    Attributes:
        row: int64, which of the hashes looked up.
        key: int64, the sound.
        hundredths: int64, when in it, 1/100 s.
    """

    row: NDArray[np.int64]
    key: NDArray[np.int64]
    hundredths: NDArray[np.int64]


class SoundIndex:
    """Landmarks of many sounds. Adding merges sorted runs; removing hides and later sweeps.

    All sounds lie one after the other on one time line, so that a place is one number: hash and
    place packed into 64 bits, sorted. Not safe for changes from two threads at once.
    """

    def __init__(self) -> None:
        self._runs: list[Packed] = []
        self._keys: list[int] = []  # in the order of their starts
        self._starts: list[int] = []
        self._counts: dict[int, int] = {}
        self._end = 0
        self._removed = 0
        self._table: tuple[NDArray[np.int64], NDArray[np.uint64]] | None = None

    def __len__(self) -> int:
        """Landmarks that are there."""
        return sum(self._counts.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the sorted arrays."""
        return sum(run.nbytes for run in self._runs)

    def keys(self) -> set[int]:
        """Sounds with at least one landmark."""
        return set(self._counts)

    def add(self, key: int, landmarks: Landmarks) -> None:
        """Add a sound; one that was there under this key is replaced. None at all is no sound.

        Args:
            key: Not negative.
            landmarks: uint32 (k, 2), as of ``sound.landmarks``.
        """
        self.remove(key)
        if not len(landmarks):
            return
        places = landmarks[:, 1].astype(np.uint64) + np.uint64(self._end)
        hashes = landmarks[:, 0].astype(np.uint64) & _HASH
        run = np.sort((hashes << _SHIFT) | places)
        self._keys.append(key)
        self._starts.append(self._end)
        self._counts[key] = len(run)
        self._end += int(landmarks[:, 1].max()) + _APART
        self._table = None
        self._runs.append(run)
        self._merge()

    def remove(self, key: int) -> None:
        """Forget a sound; nothing happens where it is not there."""
        count = self._counts.pop(key, 0)
        if not count:
            return
        at = len(self._keys) - 1 - self._keys[::-1].index(key)
        self._keys[at] = -1
        self._removed += count
        self._table = None
        if self._removed > _WASTE * (len(self) + self._removed):
            self._sweep()

    def lookup(self, hashes: Landmarks) -> Hits:
        """Find every place of every hash (q,); those that are nearly everywhere are left out."""
        order = np.argsort(hashes, kind="stable")  # neighbours are read one after the other
        wanted = (hashes[order].astype(np.uint64) & _HASH) << _SHIFT
        rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        places: list[Packed] = [np.zeros(0, np.uint64)]
        for run in self._runs:
            first = np.searchsorted(run, wanted)
            count = np.searchsorted(run, wanted | _PLACE, side="right") - first
            count[count > _COMMON] = 0
            row = np.repeat(order, count)
            within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
            rows.append(row)
            places.append(run[np.repeat(first, count) + within] & _PLACE)
        return self._located(np.concatenate(rows), np.concatenate(places))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What it holds, for a snapshot; ``from_arrays`` reads it."""
        self._sweep()
        run = self._runs[0] if self._runs else np.zeros(0, np.uint64)
        keys, starts = np.array(self._keys, np.int64), np.array(self._starts, np.int64)
        counts = np.array([self._counts[key] for key in self._keys], np.int64)
        end = np.array([self._end], np.int64)
        return {"places": run, "keys": keys, "starts": starts, "counts": counts, "end": end}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SoundIndex:
        """An index as it was when ``arrays`` was taken."""
        index = cls()
        index._runs = [np.asarray(arrays["places"], np.uint64)] if len(arrays["places"]) else []
        index._keys = [int(key) for key in arrays["keys"]]
        index._starts = [int(start) for start in arrays["starts"]]
        counts = (int(count) for count in arrays["counts"])
        index._counts = dict(zip(index._keys, counts, strict=True))
        index._end = int(arrays["end"][0])
        return index

    def _located(self, rows: NDArray[np.int64], places: Packed) -> Hits:
        if self._table is None:
            self._table = np.array(self._keys, np.int64), np.array(self._starts, np.uint64)
        keys, starts = self._table
        which = np.searchsorted(starts, places, side="right") - 1
        live = keys[which] >= 0 if len(which) else np.zeros(0, bool)
        rows, places, which = rows[live], places[live], which[live]
        return Hits(rows, keys[which], (places - starts[which]).astype(np.int64))

    def _merge(self) -> None:
        """Runs get shorter by half at least, so that there are few and each is sorted rarely."""
        while len(self._runs) > 1 and 2 * len(self._runs[-1]) > len(self._runs[-2]):
            last, before = self._runs.pop(), self._runs.pop()
            # A stable sort of two sorted runs is a merge.
            self._runs.append(np.sort(np.concatenate([before, last]), kind="stable"))

    def _sweep(self) -> None:
        """One run, without what was removed."""
        run = np.concatenate(self._runs) if self._runs else np.zeros(0, np.uint64)
        if len(self._runs) > 1:
            run = np.sort(run, kind="stable")
        if self._removed:
            starts = np.array(self._starts, np.uint64)
            which = np.searchsorted(starts, run & _PLACE, side="right") - 1
            run = run[np.array(self._keys, np.int64)[which] >= 0]
        live = [at for at, key in enumerate(self._keys) if key >= 0]
        self._keys = [self._keys[at] for at in live]
        self._starts = [self._starts[at] for at in live]
        self._runs = [run] if len(run) else []
        self._removed = 0
        self._table = None
