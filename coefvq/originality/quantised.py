"""Search over product-quantised embeddings by cosine (Jegou, Douze and Schmid 2011).

From ``TRAIN_FROM`` codes on they lie in lists by their nearest centroid (spherical k-means on a
sample), and only the lists nearest to what is looked up are read; until then all of them. With
faiss its tables of distances give a short list, whose vectors are then compared; with numpy every
code read is turned back into its vector, a block at a time for all that want it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.growing import Growing
from coefvq.originality.near import nearest_first

TRAIN_FROM = 32_768
"""Codes from which on lists are made."""
PROBES = 16
"""Lists read for each vector."""
_SAMPLE_PER_LIST = 24
_ROUNDS = 8
_BLOCK = 1 << 13
_LEAST_TAIL = 8_192
_SHORT_LIST = 4
"""Times as many codes as are wanted are compared by cosine: faiss ranks by distance."""
_COSINE = 0.75
"""Cosine at which both rankings agree most."""
_SEED = 7

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Rows = NDArray[np.intp]
Centres = Callable[[], Floats]


@dataclass(frozen=True)
class Lists:
    """Which codes lie where.

    Attributes:
        centroids: float32 (k, d), of length 1; k is 0 before there are enough codes.
        ends: int64 (k + 1,), list i holds the codes ends[i] .. ends[i + 1]; behind the last one
            lies what came after.
    """

    centroids: Floats
    ends: NDArray[np.int64]

    @property
    def sorted(self) -> int:
        """How many codes lie in lists."""
        return int(self.ends[-1])


NO_LISTS = Lists(np.empty((0, 1), np.float32), np.zeros(1, np.int64))


class Codes:
    """Codes, each with the number of the frame that it is of. 68 bytes each."""

    def __init__(
        self,
        centres: Centres,
        codes: Bytes,
        frames: NDArray[np.int32],
        lists: Lists = NO_LISTS,
        *,
        faiss: Any = None,
    ):
        """Start with codes, uint8 (n, w), and their frames' numbers, (n,).

        Args:
            centres: Gives the codebook, float32 (w, 256, 2); asked for when it is needed.
            faiss: The module, or ``None`` for numpy.
        """
        self._centres, self._faiss = centres, faiss
        self._codes, self._frames = Growing(codes), Growing(frames)
        self.lists = lists

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def nbytes(self) -> int:
        """Bytes of codes, numbers and lists."""
        lists = self.lists.centroids.nbytes + self.lists.ends.nbytes
        return self.codes.nbytes + self.frames.nbytes + lists

    @property
    def codes(self) -> Bytes:
        """uint8 (n, w), in the order in which they lie."""
        return self._codes.rows

    @property
    def frames(self) -> NDArray[np.int32]:
        """int32 (n,), the frames' numbers in the same order."""
        return self._frames.rows

    def extend(self, codes: Bytes, frames: NDArray[np.int32]) -> None:
        """Append codes; sort them into the lists when there are many."""
        self._codes.extend(codes)
        self._frames.extend(frames)
        tail = len(self) - self.lists.sorted
        if len(self) >= TRAIN_FROM and tail > max(_LEAST_TAIL, len(self) // 8):
            self._sort()

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the frames whose mask is false; the others are numbered anew, in their order."""
        frames = self._frames.rows
        kept = mask[frames]
        number = (np.cumsum(mask) - 1).astype(np.int32)
        counted = np.concatenate([[0], np.cumsum(kept)])
        self.lists = Lists(self.lists.centroids, counted[self.lists.ends])
        frames[kept] = number[frames[kept]]
        self._codes.keep(kept)
        self._frames.keep(kept)

    def nearest(
        self, vectors: Floats, most: int, seen: NDArray[np.bool_] | None = None
    ) -> tuple[Rows, Rows, Floats]:
        """Find the nearest codes by cosine.

        Args:
            vectors: float32 (q, d).
            most: How many of each.
            seen: bool, by the frame's number: whether it counts; ``None``: all do.

        Returns:
            Looked-up row, frame's number, 1 - cosine; by looked-up row, the nearest first.
        """
        wanted = _unit(np.asarray(vectors, np.float32))
        if not len(wanted) or not len(self):
            return _best([], [], [], most)
        search = self._by_tables if self._faiss else self._by_vectors
        return search(wanted, most, seen)

    def _by_vectors(
        self, wanted: Floats, most: int, seen: NDArray[np.bool_] | None
    ) -> tuple[Rows, Rows, Floats]:
        queries, frames, distances = [], [], []
        for start, end, rows in self._blocks(wanted):
            distance = 1.0 - wanted[rows] @ self._vectors(self.codes[start:end]).T
            if seen is not None:
                distance[:, ~seen[self.frames[start:end]]] = np.inf
            query, code = _least(distance, most)
            queries.append(rows[query])
            frames.append(self.frames[start:end][code])
            distances.append(distance[query, code])
        return _best(queries, frames, distances, most)

    def _by_tables(
        self, wanted: Floats, most: int, seen: NDArray[np.bool_] | None
    ) -> tuple[Rows, Rows, Floats]:
        """Each query by itself: its lists, then what lies behind them."""
        quantizer, scale = self._quantizer()
        queries, frames, distances = [], [], []
        for query, (vector, at) in enumerate(zip(wanted, self._positions(wanted), strict=True)):
            if seen is not None:
                at = at[seen[self.frames[at]]]
            if not len(at):
                continue
            codes = self.codes.take(at, axis=0)
            short = at[self._short_list(quantizer, scale * vector, codes, _SHORT_LIST * most)]
            distances.append(1.0 - np.einsum("ij,j->i", self._vectors(self.codes[short]), vector))
            frames.append(self.frames[short])
            queries.append(np.full(len(short), query, np.intp))
        return _best(queries, frames, distances, most)

    def _positions(self, wanted: Floats) -> Iterator[Rows]:
        """Codes to read for each vector."""
        tail = np.arange(self.lists.sorted, len(self))
        if not len(self.lists.centroids):
            yield from [tail] * len(wanted)
            return
        starts, ends = self.lists.ends[:-1], self.lists.ends[1:]
        for lists in _probed(wanted, self.lists):
            yield np.concatenate([*(np.arange(starts[i], ends[i]) for i in lists), tail])

    def _short_list(self, quantizer: Any, vector: Floats, codes: Bytes, few: int) -> Rows:
        """Codes with the nearest vectors before these are brought to length 1."""
        faiss, few = self._faiss, min(few, len(codes))
        distance, found = np.empty((1, few), np.float32), np.empty((1, few), np.int64)
        heap = faiss.float_maxheap_array_t()
        heap.nh, heap.k = 1, few
        heap.val, heap.ids = faiss.swig_ptr(distance), faiss.swig_ptr(found)
        query = np.ascontiguousarray(vector)
        quantizer.search(faiss.swig_ptr(query), 1, faiss.swig_ptr(codes), len(codes), heap, True)
        return found[0]

    def _quantizer(self) -> tuple[Any, float]:
        """The codebook for faiss, and the length that looked-up vectors need.

        The squared distance of ``s q`` and ``x`` is least sensitive to the length of ``x`` where
        ``s`` times their cosine is that length: there a ranking by distance is one by cosine.
        """
        centres = np.ascontiguousarray(self._centres())
        made = self._faiss.ProductQuantizer(2 * len(centres), len(centres), 8)
        self._faiss.copy_array_to_vector(centres.ravel(), made.centroids)
        return made, float(np.sqrt((centres**2).sum(axis=2).mean(axis=1).sum())) / _COSINE

    def _vectors(self, codes: Bytes) -> Floats:
        """Codes as vectors of length 1, (n, 2 w)."""
        centres = np.ascontiguousarray(self._centres(), np.float32)
        pairs = centres.view(np.complex64).ravel()  # two numbers are fetched as one
        at = codes.astype(np.intp) + np.arange(len(centres)) * centres.shape[1]
        vectors = pairs.take(at).view(np.float32)
        return vectors / np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), 1e-9)[:, None]

    def _blocks(self, wanted: Floats) -> Iterator[tuple[int, int, Rows]]:
        """Codes to read, with the looked-up rows that want them."""
        if len(self.lists.centroids):
            probed = _probed(wanted, self.lists)
            for number in np.unique(probed):
                rows = np.flatnonzero((probed == number).any(axis=1))
                start, end = self.lists.ends[number : number + 2]
                if start < end:
                    yield int(start), int(end), rows
        for start in range(self.lists.sorted, len(self), _BLOCK):
            yield start, min(start + _BLOCK, len(self)), np.arange(len(wanted))

    def _sort(self) -> None:
        """Put all codes into lists; make the lists anew when there are four times as many."""
        wanted = _list_count(len(self))
        if len(self.lists.centroids) * 2 <= wanted:
            self.lists = Lists(self._train(wanted), np.zeros(1, np.int64))
        known = np.repeat(np.arange(len(self.lists.ends) - 1), np.diff(self.lists.ends))
        lists = np.concatenate([known, self._assign(self.lists.sorted)])
        order = np.argsort(lists, kind="stable")
        counts = np.bincount(lists, minlength=len(self.lists.centroids))
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._codes = Growing(self.codes[order])
        self._frames = Growing(self.frames[order])
        self.lists = Lists(self.lists.centroids, ends)

    def _assign(self, start: int) -> Rows:
        parts = [np.empty(0, np.intp)]
        for at in range(start, len(self), _BLOCK):
            vectors = self._vectors(self.codes[at : at + _BLOCK])
            parts.append(np.argmax(vectors @ self.lists.centroids.T, axis=1))
        return np.concatenate(parts)

    def _train(self, count: int) -> Floats:
        rng = np.random.default_rng(_SEED)
        size = min(len(self), count * _SAMPLE_PER_LIST)
        sample = np.sort(rng.choice(len(self), size, replace=False))
        return _spherical_means(self._vectors(self.codes[sample]), count, rng)


def _probed(wanted: Floats, lists: Lists) -> Rows:
    """The nearest lists of each vector, (q, PROBES)."""
    near = -(wanted @ lists.centroids.T)
    few = min(PROBES, near.shape[1])
    return np.argpartition(near, few - 1, axis=1)[:, :few]


def _list_count(codes: int) -> int:
    """A power of two near 0.75 sqrt(n): 128 for 32,768 codes, 512 for 500,000."""
    return max(64, 1 << round(float(np.log2(0.75 * np.sqrt(codes)))))


def _spherical_means(sample: Floats, count: int, rng: np.random.Generator) -> Floats:
    """k-means of vectors of length 1, by cosine; an empty list takes a random vector."""
    centroids = sample[rng.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        nearest = np.argmax(sample @ centroids.T, axis=1)
        order = np.argsort(nearest, kind="stable")
        found, firsts = np.unique(nearest[order], return_index=True)
        centroids = sample[rng.choice(len(sample), count, replace=False)]
        centroids[found] = _unit(np.add.reduceat(sample[order], firsts, axis=0))
    return centroids


def _least(distance: Floats, most: int) -> tuple[Rows, Rows]:
    """Row and column of the least ``most`` of each row."""
    if distance.shape[1] > most:
        columns = np.argpartition(distance, most - 1, axis=1)[:, :most]
    else:
        columns = np.broadcast_to(np.arange(distance.shape[1]), distance.shape)
    rows = np.repeat(np.arange(len(distance)), columns.shape[1])
    flat = columns.ravel()
    kept = np.isfinite(distance[rows, flat])
    return rows[kept], flat[kept]


def _best(
    queries: list[Rows], frames: list[NDArray[np.int32]], distances: list[Floats], most: int
) -> tuple[Rows, Rows, Floats]:
    if not queries:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    query, frame = np.concatenate(queries), np.concatenate(frames)
    distance = np.concatenate(distances)
    kept = nearest_first(query, frame, distance, most)
    return query[kept], frame[kept].astype(np.intp), distance[kept]


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)
