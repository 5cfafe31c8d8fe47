"""What media look like, as small vectors: kept once, compared with all others.

The mean of a video's frame embeddings, brought to 128 dimensions by a fixed random projection
(Johnson and Lindenstrauss 1984: angles stay nearly what they were), of length 1, as float16.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.store.tables import CachedSignalsRow, EmbeddingRow
from coefvq.store.upsert import insert_missing

WIDTH = 128
_SEED = 20240
_LATE = timedelta(seconds=60)
"""A row may become visible this long after it was made: its transaction ends later."""

Floats = NDArray[np.float32]


def vector_of(frames: NDArray[Any]) -> NDArray[np.float16] | None:
    """Describe a video's frames.

    Args:
        frames: (frames, width), the frame embeddings.

    Returns:
        float16 (WIDTH,), of length 1; ``None`` where there is nothing to describe.
    """
    if frames.ndim != 2 or not frames.size:
        return None
    mean = np.nan_to_num(np.asarray(frames, np.float32)).mean(axis=0)
    small = mean @ _projection(len(mean))
    length = float(np.linalg.norm(small))
    return None if length < 1e-9 else (small / length).astype(np.float16)


def put(session: Session, sha256: str, version: str, frames: NDArray[Any]) -> None:
    """Keep the vector of a media; the first of a version stays."""
    vector = vector_of(frames)
    if vector is not None:
        insert_missing(
            session, EmbeddingRow, sha256=sha256, version=version, vector=vector.tobytes()
        )


def newest(session: Session, sha256: str) -> EmbeddingRow | None:
    """The last vector that a media got."""
    query = select(EmbeddingRow).where(EmbeddingRow.sha256 == sha256)
    return session.scalars(query.order_by(EmbeddingRow.created_at.desc()).limit(1)).first()


def missing(session: Session, after: tuple[str, str], limit: int) -> list[tuple[str, str, bytes]]:
    """Cached cheap signals without a vector: (sha256, extractor, payload), in their order.

    Args:
        after: (sha256, extractor) to go on behind.
    """
    row = CachedSignalsRow
    query = (
        select(row.sha256, row.extractor, row.payload)
        .outerjoin(
            EmbeddingRow,
            (EmbeddingRow.sha256 == row.sha256) & (EmbeddingRow.version == row.extractor),
        )
        .where(EmbeddingRow.sha256.is_(None), row.extractor.startswith("cheap-"))
        .where((row.sha256 > after[0]) | ((row.sha256 == after[0]) & (row.extractor > after[1])))
        .order_by(row.sha256, row.extractor)
        .limit(limit)
    )
    return [(sha256, extractor, data) for sha256, extractor, data in session.execute(query)]


def nearest(session: Session, wanted: EmbeddingRow, limit: int) -> list[tuple[str, float]]:
    """The media that look most like one: (sha256, cosine 0..1), the likest first, without it."""
    known = _of(session, wanted.version)
    names, vectors = known.read(session)
    if not len(names):
        return []
    likeness = vectors @ np.frombuffer(wanted.vector, np.float16).astype(np.float32)
    few = min(limit + 1, len(likeness))
    best = np.argpartition(-likeness, few - 1)[:few]
    ordered = best[np.argsort(-likeness[best], kind="stable")]
    found = [(names[at], float(np.clip(likeness[at], 0, 1))) for at in ordered]
    return [(sha256, value) for sha256, value in found if sha256 != wanted.sha256][:limit]


class _Vectors:
    """All vectors of one version in this process, extended by what came since the last look."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._names: list[str] = []
        self._known: set[str] = set()
        self._rows: Floats = np.empty((0, WIDTH), np.float32)
        self._since: datetime | None = None
        self._lock = threading.Lock()

    def read(self, session: Session) -> tuple[Sequence[str], Floats]:
        """Names and float32 (n, WIDTH), in the same order."""
        with self._lock:
            self._extend(session)
            return self._names[: len(self._rows)], self._rows

    def _extend(self, session: Session) -> None:
        query = select(EmbeddingRow.sha256, EmbeddingRow.vector)
        mine = EmbeddingRow.version == self.version
        newest_at = session.scalar(select(func.max(EmbeddingRow.created_at)).where(mine))
        if self._since is not None:
            query = query.where(EmbeddingRow.created_at >= self._since - _LATE)
        fresh = [
            (str(sha256), vector)
            for sha256, vector in session.execute(query.where(mine))
            if sha256 not in self._known
        ]
        if fresh:
            joined = b"".join(vector for _, vector in fresh)
            rows = np.frombuffer(joined, np.float16).reshape(-1, WIDTH).astype(np.float32)
            self._rows = np.concatenate([self._rows, rows])
            self._names += [sha256 for sha256, _ in fresh]
            self._known.update(sha256 for sha256, _ in fresh)
        self._since = newest_at


_by_engine: WeakKeyDictionary[Any, dict[str, _Vectors]] = WeakKeyDictionary()
_lock = threading.Lock()


def _of(session: Session, version: str) -> _Vectors:
    engine = session.get_bind().engine
    with _lock:
        # Sessions of one store have engines of their own over one pool of connections.
        versions = _by_engine.setdefault(engine.pool, {})
        return versions.setdefault(version, _Vectors(version))


@cache
def _projection(width: int) -> Floats:
    """Gaussian, the same everywhere and for ever."""
    made = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((width, WIDTH))
    return (made / np.sqrt(WIDTH)).astype(np.float32)
