"""Frames of all originals in memory, found by hash, by embedding and by sound.

About 72 bytes a frame: 36 for its hash and time, and for every other frame 72 for its embedding's
code. A key is any number that its user gives an original; the index knows nothing else of it.
Not safe for changes from two threads at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.flat import WIDTH, Hashes, faiss_or_none
from coefvq.originality.growing import Growing
from coefvq.originality.near import Near
from coefvq.originality.quantise import codebook
from coefvq.originality.quantised import Codes, Lists
from coefvq.originality.sound_index import Hits, SoundIndex

LEAST_QUALITY = 50
"""PDQ's quality below which a hash says nothing; such frames are not in the index."""
MOST_HITS = 2_000
"""Frames found for each looked-up hash at most, the nearest."""
CODE_WIDTH = 64
_WASTE = 0.2
"""Share of removed frames that is swept out."""
_SOUND = "sound."

Arrays = dict[str, NDArray[Any]]


class Index:
    """Frames by hash and by embedding, landmarks by hash; incremental, exact for hashes."""

    def __init__(self, *, use_faiss: bool = True) -> None:
        """Make an empty one; without faiss, or with ``use_faiss`` off, numpy does the search."""
        none = np.zeros(0, np.int32)
        self._faiss = faiss_or_none() if use_faiss else None
        self._keys = Growing(np.empty(0, np.int64))
        self._live = Growing(np.empty(0, np.bool_))
        self._ends = Growing(np.empty(0, np.int64))
        self._code_ends = Growing(np.empty(0, np.int64))
        self._times = Growing(np.empty(0, np.float32))
        self._code_times = Growing(np.empty(0, np.float32))
        self._hashes = Hashes(faiss=self._faiss)
        self._codes = Codes(_centres, np.empty((0, CODE_WIDTH), np.uint8), none, faiss=self._faiss)
        self._slots: dict[int, int] = {}
        self._dead = 0
        self.sound = SoundIndex()

    @property
    def frames(self) -> int:
        """How many frames can be found by their hash."""
        return len(self._hashes) - self._dead

    @property
    def nbytes(self) -> int:
        """Bytes that its arrays need, without the reserve for growing."""
        held = (self._keys, self._live, self._ends, self._code_ends, self._times, self._code_times)
        small = sum(grown.rows.nbytes for grown in held)
        return small + self._hashes.nbytes + self._codes.nbytes + self.sound.nbytes

    def keys(self) -> set[int]:
        """What was added and not removed, also where nothing of it can be found."""
        return set(self._slots)

    def hashes_alone(self) -> set[int]:
        """Keys of which only hashes are known: what came in from elsewhere has no embeddings."""
        bare = (_counts(self._code_ends.rows) == 0) & self._live.rows
        return set(self._keys.rows[bare].tolist())

    def add(self, key: int, fp: Fingerprint) -> None:
        """Add a fingerprint; one that was there under this key is replaced."""
        self.add_many([(key, fp)])

    def add_many(self, items: Iterable[tuple[int, Fingerprint]]) -> None:
        """Add many at once, which is faster; of one key twice the last stays."""
        chosen = dict(items)
        self._forget(chosen)
        if not chosen:
            return
        clear = [fp.quality >= LEAST_QUALITY for fp in chosen.values()]
        found = list(zip(chosen.values(), clear, strict=True))
        first_code = len(self._code_times)
        self._extend_slots(chosen, clear)
        self._hashes.extend(_joined([fp.hashes[good] for fp, good in found], WIDTH))
        self._times.extend(np.concatenate([fp.times_s[good] for fp, good in found]))
        codes = _joined([_whole(fp) for fp in chosen.values()], CODE_WIDTH)
        self._code_times.extend(np.concatenate([fp.code_times_s for fp in chosen.values()]))
        self._codes.extend(codes, np.arange(first_code, first_code + len(codes), dtype=np.int32))
        for key, fp in chosen.items():
            if fp.landmarks is not None:
                self.sound.add(key, fp.landmarks)

    def remove(self, key: int) -> None:
        """Forget one; nothing happens where it is not there."""
        self._forget([key])

    def without(self, keys: Collection[int]) -> View:
        """Look things up as if these keys were not there: they take no place from others."""
        hidden = self._live.rows.copy()
        hidden[[self._slots[key] for key in keys if key in self._slots]] = False
        if hidden.all():
            return View(self)
        return View(
            self,
            np.repeat(hidden, _counts(self._ends.rows)),
            np.repeat(hidden, _counts(self._code_ends.rows)),
        )

    def near_hashes(self, hashes: NDArray[np.uint8], most_bits: int = 31) -> Near:
        """As ``View.near_hashes``, of all keys."""
        return self.without(()).near_hashes(hashes, most_bits)

    def near_codes(self, vectors: NDArray[np.float32], k: int = 20) -> Near:
        """As ``View.near_codes``, of all keys."""
        return self.without(()).near_codes(vectors, k)

    def near_landmarks(self, landmarks: NDArray[np.uint32]) -> Hits:
        """Find the places of a sound's landmarks, uint32 (k, 2)."""
        return self.sound.lookup(landmarks[:, 0])

    def arrays(self) -> Arrays:
        """All that it holds, for a snapshot; ``from_arrays`` reads it."""
        self._sweep()
        held = {
            "keys": self._keys.rows,
            "ends": self._ends.rows,
            "code_ends": self._code_ends.rows,
            "times": self._times.rows,
            "code_times": self._code_times.rows,
            "hashes": self._hashes.rows(),
            "codes": self._codes.codes,
            "code_frames": self._codes.frames,
            "centroids": self._codes.lists.centroids,
            "list_ends": self._codes.lists.ends,
        }
        return held | {_SOUND + name: array for name, array in self.sound.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, use_faiss: bool = True) -> Index:
        """An index as it was when ``arrays`` was taken."""
        index = cls(use_faiss=use_faiss)
        index._keys = Growing(arrays["keys"])
        index._live = Growing(np.ones(len(arrays["keys"]), np.bool_))
        index._ends, index._code_ends = Growing(arrays["ends"]), Growing(arrays["code_ends"])
        index._times, index._code_times = Growing(arrays["times"]), Growing(arrays["code_times"])
        index._hashes = Hashes(arrays["hashes"], faiss=index._faiss)
        lists = Lists(arrays["centroids"], arrays["list_ends"])
        index._codes = Codes(
            _centres, arrays["codes"], arrays["code_frames"], lists, faiss=index._faiss
        )
        index._slots = {int(key): slot for slot, key in enumerate(arrays["keys"])}
        cut = len(_SOUND)
        index.sound = SoundIndex.from_arrays(
            {name[cut:]: array for name, array in arrays.items() if name.startswith(_SOUND)}
        )
        return index

    def _extend_slots(
        self, chosen: Mapping[int, Fingerprint], clear: list[NDArray[np.bool_]]
    ) -> None:
        """Write down whose the frames are that come next."""
        first = len(self._keys)
        hashes = np.cumsum([int(good.sum()) for good in clear])
        codes = np.cumsum([len(fp.code_times_s) for fp in chosen.values()])
        self._keys.extend(np.array(list(chosen), np.int64))
        self._live.extend(np.ones(len(chosen), np.bool_))
        self._ends.extend(hashes + len(self._times))
        self._code_ends.extend(codes + len(self._code_times))
        self._slots.update((key, first + at) for at, key in enumerate(chosen))

    def _forget(self, keys: Iterable[int]) -> None:
        for key in keys:
            slot = self._slots.pop(key, None)
            if slot is None:
                continue
            self._live.rows[slot] = False
            self._dead += int(_counts(self._ends.rows)[slot])
            self.sound.remove(key)
        if self._dead > _WASTE * len(self._hashes):
            self._sweep()

    def _sweep(self) -> None:
        """Drop what was removed from all arrays."""
        live = self._live.rows.copy()
        if live.all():
            return
        hashes, codes = _counts(self._ends.rows), _counts(self._code_ends.rows)
        kept, kept_codes = np.repeat(live, hashes), np.repeat(live, codes)
        self._hashes.keep(kept)
        self._times.keep(kept)
        self._codes.keep(kept_codes)
        self._code_times.keep(kept_codes)
        self._keys.keep(live)
        self._ends = Growing(np.cumsum(hashes[live]))
        self._code_ends = Growing(np.cumsum(codes[live]))
        self._live = Growing(np.ones(len(self._keys), np.bool_))
        self._slots = {int(key): slot for slot, key in enumerate(self._keys.rows)}
        self._dead = 0


class View:
    """An index, or what a search may see of it. Good until the index changes."""

    def __init__(
        self,
        index: Index,
        frames: NDArray[np.bool_] | None = None,
        codes: NDArray[np.bool_] | None = None,
    ):
        """Args: the index, and which of its frames and embeddings count; ``None``: all."""
        self._index, self._seen, self._seen_codes = index, frames, codes
        self.sound = index.sound

    def near_hashes(self, hashes: NDArray[np.uint8], most_bits: int = 31) -> Near:
        """Find all frames within so many bits of each hash.

        Args:
            hashes: uint8 (q, 32); leave out those of quality below ``LEAST_QUALITY``.
            most_bits: Largest distance; 31 is PDQ's rule for "the same picture".

        Returns:
            All of them, up to the ``MOST_HITS`` nearest of each hash.
        """
        index = self._index
        query, row, bits = index._hashes.within(hashes, most_bits, MOST_HITS, self._seen)
        return self._near(query, row, bits, index._ends, index._times)

    def near_codes(self, vectors: NDArray[np.float32], k: int = 20) -> Near:
        """Find the ``k`` frames with the nearest embeddings of each vector, float32 (q, 128).

        Exact up to ``quantised.TRAIN_FROM`` embeddings; beyond that only the most likely lists
        are read.
        """
        index = self._index
        query, frame, distance = index._codes.nearest(vectors, k, self._seen_codes)
        return self._near(query, frame, distance, index._code_ends, index._code_times)

    def _near(
        self,
        query: NDArray[Any],
        row: NDArray[Any],
        distance: NDArray[Any],
        ends: Growing,
        times: Growing,
    ) -> Near:
        slot = np.searchsorted(ends.rows, row, side="right")
        return Near(
            query.astype(np.int32),
            self._index._keys.rows[slot],
            times.rows[row],
            distance.astype(np.float32),
        )


def _centres() -> NDArray[np.float32]:
    return codebook().centres


def _whole(fp: Fingerprint) -> NDArray[np.uint8]:
    """Codes of the whole picture, (m, 64)."""
    return fp.codes[:, 0] if len(fp.codes) else np.empty((0, CODE_WIDTH), np.uint8)


def _joined(parts: list[NDArray[np.uint8]], width: int) -> NDArray[np.uint8]:
    return np.concatenate([part.reshape(-1, width) for part in parts])


def _counts(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.diff(ends, prepend=np.int64(0))
