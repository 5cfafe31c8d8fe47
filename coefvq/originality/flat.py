"""Exact search over 256-bit hashes by Hamming distance: faiss where it is there, else numpy.

The two halves of the hashes lie apart. Of two unlike hashes half the bits differ, so the first 128
bits alone differ by 64 with a standard deviation of 5.7: a pair within 31 bits has to be within 31
there, and hardly any other pair is. The scan therefore reads the first halves only, and whole
hashes of the few pairs that are left. Nothing is lost by it.

Looked-up hashes that are alike share a scan: what is within ``r`` bits of one is within ``r + d``
of its neighbour at ``d`` (triangle inequality), and the exact distance decides afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.growing import Growing
from coefvq.originality.near import nearest_first

WIDTH = 32
_HALF = WIDTH // 2
_SHARE_BITS = 12
"""Looked-up hashes this near share a scan."""
_GROUP = 512
"""Looked-up hashes that are searched together: neighbours in a video are alike."""
_FAISS_BLOCK = 1 << 17
_NUMPY_BLOCK = 1 << 14
_HEAP = 1 << 20
"""Candidates that are held before they are looked at; bounds the memory of a search."""

Bytes = NDArray[np.uint8]
Rows = NDArray[np.intp]
Hits = tuple[Rows, Rows]
Pairs = tuple[Rows, Rows, Rows]


def faiss_or_none() -> Any:
    """The faiss module, or ``None`` where it is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    return faiss


class Hashes:
    """Hashes in the order they came in. 32 bytes each."""

    def __init__(self, hashes: Bytes | None = None, *, faiss: Any = None):
        """Start with hashes, uint8 (n, 32); ``faiss``: the module, or ``None`` for numpy."""
        rows = np.empty((0, WIDTH), np.uint8) if hashes is None else hashes
        self._faiss = faiss
        self._first = Growing(np.ascontiguousarray(rows[:, :_HALF]))
        self._second = Growing(np.ascontiguousarray(rows[:, _HALF:]))

    def __len__(self) -> int:
        return len(self._first)

    @property
    def nbytes(self) -> int:
        """Bytes of all hashes."""
        return WIDTH * len(self)

    def rows(self) -> Bytes:
        """A copy of all hashes, uint8 (n, 32)."""
        return np.concatenate([self._first.rows, self._second.rows], axis=1)

    def extend(self, hashes: Bytes) -> None:
        """Append hashes, uint8 (n, 32)."""
        self._first.extend(hashes[:, :_HALF])
        self._second.extend(hashes[:, _HALF:])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the rows whose mask is false."""
        self._first.keep(mask)
        self._second.keep(mask)

    def within(
        self, hashes: Bytes, bits: int, most: int, alive: NDArray[np.bool_] | None = None
    ) -> Pairs:
        """Find all rows within so many bits.

        Args:
            hashes: What to look up, uint8 (q, 32).
            bits: Largest distance, 0..255.
            most: At most so many rows of each looked-up hash, the nearest.
            alive: bool (n,), rows that count; ``None``: all.

        Returns:
            Looked-up row, indexed row, bits; by looked-up row, the nearest first.
        """
        parts = []
        for start in range(0, len(hashes), _GROUP):
            group = np.ascontiguousarray(hashes[start : start + _GROUP])
            query, row, distance = self._group(group, bits, most, alive)
            parts.append((query + start, row, distance))
        return _concatenated(parts)

    def _group(self, hashes: Bytes, bits: int, most: int, alive: NDArray[np.bool_] | None) -> Pairs:
        leaders, leader_of, spread = _shared(hashes)
        best = _concatenated([])
        for hits in self._candidates(hashes[leaders, :_HALF], bits + spread):
            more = _concatenated([best, self._exact(hashes, leader_of, hits, bits, alive)])
            kept = nearest_first(*more, most)
            best = more[0][kept], more[1][kept], more[2][kept]
        return best

    def _candidates(self, halves: Bytes, bits: int) -> Iterator[Hits]:
        """Pairs whose first halves are within so many bits, a heap of blocks at a time."""
        scan, block = (
            (_scan_numpy, _NUMPY_BLOCK) if self._faiss is None else (self._scan, _FAISS_BLOCK)
        )
        halves, first = np.ascontiguousarray(halves), self._first.rows
        held: list[Hits] = []
        for start in range(0, len(first), block):
            query, row = scan(halves, first[start : start + block], bits)
            held.append((query, row + start))
            if sum(len(one) for one, _ in held) >= _HEAP:
                yield _joined(held)
                held = []
        if held:
            yield _joined(held)

    def _scan(self, halves: Bytes, first: Bytes, bits: int) -> Hits:
        faiss = self._faiss
        result = faiss.RangeSearchResult(len(halves))
        faiss.hamming_range_search(
            faiss.swig_ptr(halves),
            faiss.swig_ptr(first),
            len(halves),
            len(first),
            bits + 1,  # faiss leaves out the radius itself
            _HALF,
            result,
        )
        ends = faiss.rev_swig_ptr(result.lims, len(halves) + 1).astype(np.intp)
        count = int(ends[-1])
        row = faiss.rev_swig_ptr(result.labels, count).astype(np.intp) if count else ends[:0]
        return np.repeat(np.arange(len(halves)), np.diff(ends)), row

    def _exact(
        self,
        hashes: Bytes,
        leader_of: Rows,
        found: Hits,
        bits: int,
        alive: NDArray[np.bool_] | None,
    ) -> Pairs:
        """Every looked-up hash against its leader's candidates, by all 256 bits."""
        leader, row = found
        if alive is not None:
            leader, row = leader[alive[row]], row[alive[row]]
        queries, rows, distances = [], [], []
        order = np.argsort(leader, kind="stable")
        ends = np.searchsorted(leader[order], np.arange(int(leader_of.max(initial=0)) + 2))
        for query, group in enumerate(leader_of):
            mine = row[order[ends[group] : ends[group + 1]]]
            if not len(mine):
                continue
            distance = _bits(self._first.rows[mine], hashes[query, :_HALF])
            distance += _bits(self._second.rows[mine], hashes[query, _HALF:])
            near = distance <= bits
            rows.append(mine[near])
            distances.append(distance[near])
            queries.append(np.full(len(rows[-1]), query, np.intp))
        return _concatenated(list(zip(queries, rows, distances, strict=True)))


def _shared(hashes: Bytes) -> tuple[Rows, Rows, int]:
    """Leaders, the leader's number of each hash, and how far a hash is from its leader at most."""
    words = _words(hashes)
    leaders: list[int] = []
    leader_of = np.full(len(hashes), -1, np.intp)
    spread = 0
    for at in range(len(hashes)):
        if leader_of[at] >= 0:
            continue
        distance = np.bitwise_count(words ^ words[at]).sum(axis=1)
        mine = (distance <= _SHARE_BITS) & (leader_of < 0)
        leader_of[mine] = len(leaders)
        leaders.append(at)
        spread = max(spread, int(distance[mine].max()))
    return np.array(leaders, np.intp), leader_of, spread


def _scan_numpy(halves: Bytes, first: Bytes, bits: int) -> Hits:
    words = _words(first)
    queries, rows = [], []
    for query, wanted in enumerate(_words(halves)):
        counts = np.bitwise_count(words ^ wanted)
        row = np.flatnonzero(counts[:, 0] + counts[:, 1] <= bits)
        rows.append(row)
        queries.append(np.full(len(row), query, np.intp))
    return np.concatenate(queries), np.concatenate(rows)


def _concatenated(parts: list[Pairs]) -> Pairs:
    if not parts:
        empty = np.empty(0, np.intp)
        return empty, empty, empty
    query, row, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return query, row, distance


def _joined(held: list[Hits]) -> Hits:
    return np.concatenate([query for query, _ in held]), np.concatenate([row for _, row in held])


def _words(hashes: Bytes) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64)


def _bits(halves: Bytes, wanted: Bytes) -> Rows:
    counts = np.bitwise_count(_words(halves) ^ _words(wanted))
    return counts.sum(axis=1, dtype=np.intp)
