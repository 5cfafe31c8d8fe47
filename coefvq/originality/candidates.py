"""Which originals to look at closely: frames that look alike vote for their video."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.hashing import GOOD, NEAR_BITS, VARIANTS, hashes_of_small, turned
from coefvq.originality.near import Near
from coefvq.originality.quantise import decode
from coefvq.originality.sound_index import SoundIndex

MOST_CANDIDATES = 16
"""Originals that are looked at closely: those with the most look-alike frames."""
MORE_BY_PART = 16
"""Others that are looked at: those that one part of the picture speaks for."""
_NEIGHBOURS = 32
_LEAST_COSINE = 0.2
_MOST_LOOKS = 400  # frames of a long video that ask the index
_PAIRS = 24  # look-alike frames kept of a candidate and variant
_FLAT = 6.0  # grey levels: the spread of rows and columns that are a bar


class Searched(Protocol):
    """What is asked of an index."""

    sound: SoundIndex

    def near_hashes(self, hashes: NDArray[np.uint8], most_bits: int = NEAR_BITS) -> Near:
        """Frames within so many bits."""
        ...

    def near_codes(self, vectors: NDArray[np.float32], k: int = _NEIGHBOURS) -> Near:
        """Frames with the nearest embeddings."""
        ...


@dataclass(frozen=True)
class Pairs:
    """Frames of the query and of one original that look alike, the most alike first.

    Attributes:
        key: The original.
        variant: How the query must be turned to look like it; see ``hashing.turned``.
        query_s: float32 (n,).
        reference_s: float32 (n,).
        weight: float32 (n,), 0..1.
        bits: float32 (n,), distance of their hashes, or 256 where the embedding found them.
    """

    key: int
    variant: int
    query_s: NDArray[np.float32]
    reference_s: NDArray[np.float32]
    weight: NDArray[np.float32]
    bits: NDArray[np.float32]

    @property
    def total(self) -> float:
        """Support: the best pair of each frame of the query, summed."""
        frames, inverse = np.unique(self.query_s, return_inverse=True)
        best = np.zeros(len(frames), np.float32)
        np.maximum.at(best, inverse, self.weight)
        return float(best.sum())


def candidates(
    query: Fingerprint, index: Searched, exclude: Collection[int] = ()
) -> list[list[Pairs]]:
    """Return the originals with the most look-alike frames, each with its likely variants.

    Args:
        query: The video asked about.
        index: Where to look.
        exclude: Keys to leave out.

    Returns:
        At most ``MOST_CANDIDATES`` + ``MORE_BY_PART`` originals, best first; of each its pairs by
        variant, likeliest first.
    """
    left_out = np.array(sorted(exclude), np.int64)
    coded, near = _by_code(query, index)
    rows = [*_by_hash(query, index), *coded]
    if not rows:
        return []
    table = np.concatenate(rows)
    table = table[~np.isin(table["key"], left_out)]
    groups = [_of_key(table[table["key"] == key], int(key)) for key in np.unique(table["key"])]
    groups.sort(key=lambda pairs: -max(pair.total for pair in pairs))
    chosen, others = groups[:MOST_CANDIDATES], groups[MOST_CANDIDATES:]
    support = _by_part(near, query.codes.shape[1], left_out) if others else {}
    others.sort(key=lambda pairs: -support.get(pairs[0].key, 0.0))
    return chosen + others[:MORE_BY_PART]


_ROW = np.dtype(
    [("key", "i8"), ("variant", "i4"), ("q", "f4"), ("r", "f4"), ("weight", "f4"), ("bits", "f4")]
)


def _of_key(table: NDArray[np.void], key: int) -> list[Pairs]:
    found = [_pairs(table, key, int(v)) for v in np.unique(table["variant"])]
    return sorted(found, key=lambda pairs: -pairs.total)


def _pairs(table: NDArray[np.void], key: int, variant: int) -> Pairs:
    rows = table[table["variant"] == variant]
    rows = _fairly(rows[np.argsort(-rows["weight"], kind="stable")])
    return Pairs(key, variant, rows["q"], rows["r"], rows["weight"], rows["bits"])


def _fairly(rows: NDArray[np.void]) -> NDArray[np.void]:
    """The most alike, of every frame as many: a long stretch must not hide another."""
    order = np.argsort(rows["q"], kind="stable")
    asked = rows["q"][order]
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows)) - np.searchsorted(asked, asked)
    return rows[np.sort(np.argsort(turn, kind="stable")[: _PAIRS * 8])]


def _rows(
    near: Near, times: NDArray[np.float32], variant: int, weight: NDArray[np.float32], hashed: bool
) -> NDArray[np.void]:
    rows = np.zeros(len(near), _ROW)
    rows["key"], rows["variant"], rows["q"] = near.key, variant, times[near.query]
    rows["r"], rows["weight"] = near.time_s, weight
    rows["bits"] = near.distance if hashed else 256.0
    return rows


def _by_hash(query: Fingerprint, index: Searched) -> list[NDArray[np.void]]:
    """Hashes of the whole picture every way round, and without its bars or border."""
    chosen = spread(np.nonzero(query.quality >= GOOD)[0], _MOST_LOOKS)
    if not len(chosen):
        return []
    times, thumbs = query.times_s[chosen], query.thumbs[chosen]
    asked = [(0, query.hashes[chosen])]
    asked += [(v, hashes_of_small(turned(thumbs, v))) for v in range(1, VARIANTS)]
    inner = without_bars(query.thumbs)
    if inner is not None:
        left, top, right, bottom = inner
        part = thumbs[:, top:bottom, left:right]
        asked += [(v, hashes_of_small(turned(part, v))) for v in range(VARIANTS)]
    rows = []
    for variant, hashes in asked:
        near = index.near_hashes(hashes, NEAR_BITS)
        weight = np.asarray(1.0 - 0.5 * near.distance / (NEAR_BITS + 1), np.float32)
        rows.append(_rows(near, times, variant, weight, hashed=True))
    return rows


def _by_part(near: Near, parts: int, left_out: NDArray[np.int64]) -> dict[int, float]:
    """Originals by the part of the picture that speaks most for each.

    A picture in a picture fills one part well and all others not at all. There its embedding may
    be far from the original's, yet nearer than all but a few: so ranks count, not distances.
    """
    inside = ~np.isin(near.key, left_out)
    asked, key = near.query[inside], near.key[inside]
    _, first = np.unique(np.stack([asked, key]), axis=1, return_index=True)
    first.sort()  # the nearest frame of each original, in order of distance
    asked, key = asked[first], key[first]
    rank = np.arange(len(asked)) - np.searchsorted(asked, asked)
    keys, column = np.unique(key, return_inverse=True)
    support = np.zeros((parts, len(keys)))
    np.add.at(support, (asked % parts, column), 1.0 / (1.0 + rank))
    return dict(zip(keys.tolist(), support.max(axis=0).tolist(), strict=True))


def _by_code(query: Fingerprint, index: Searched) -> tuple[list[NDArray[np.void]], Near]:
    """Embeddings of the picture and of its parts; they do not tell a picture from its mirror."""
    if not len(query.codes):
        none = np.zeros(0, np.int64)
        return [], Near(none.astype(np.int32), none, *np.zeros((2, 0), np.float32))
    chosen = spread(np.arange(len(query.codes)), _MOST_LOOKS // 4)
    vectors = decode(query.codes[chosen])
    times = np.repeat(query.code_times_s[chosen], vectors.shape[1])
    near = index.near_codes(vectors.reshape(-1, vectors.shape[2]), _NEIGHBOURS)
    cosine = 1.0 - near.distance
    rows = _rows(
        near, times, 0, np.asarray(np.clip(0.8 * cosine, 0, 0.8), np.float32), hashed=False
    )
    rows = rows[cosine >= _LEAST_COSINE]
    mirrored = rows.copy()
    mirrored["variant"] = 4
    return [rows, mirrored], near


def spread(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of the rows, evenly."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]


def without_bars(thumbs: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Find the picture between bars or inside a border.

    A bar is flat in the mean over time and within each frame.

    Returns:
        Left, top, right, bottom in cells, or ``None`` where there is no bar, or nothing else.
    """
    some = thumbs[spread(np.arange(len(thumbs)), 32)].astype(np.float32)
    rows = np.median(some.std(axis=2), axis=0) > _FLAT
    columns = np.median(some.std(axis=1), axis=0) > _FLAT
    if not rows.any() or not columns.any():
        return None
    top, bottom = int(rows.argmax()), len(rows) - int(rows[::-1].argmax())
    left, right = int(columns.argmax()), len(columns) - int(columns[::-1].argmax())
    # A border has flat rows and columns only outside the picture's own: look again inside.
    if (top, bottom, left, right) == (0, len(rows), 0, len(columns)):
        return None
    if bottom - top < len(rows) // 4 or right - left < len(columns) // 4:
        return None
    return left, top, right, bottom
