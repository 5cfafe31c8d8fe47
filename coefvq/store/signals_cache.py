"""Extracted signals by (sha256, extractor version): made once, read many times."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from coefvq.store.session import Store
from coefvq.store.tables import CachedSignalsRow
from coefvq.store.upsert import insert_missing


def get(session: Session, sha256: str, extractor: str) -> bytes | None:
    """The bytes that were put, or ``None``."""
    row = session.get(CachedSignalsRow, (sha256, extractor))
    return None if row is None else row.payload


def readable(session: Session, sha256: str, extractor: str) -> dict[str, Any] | None:
    """The lines people read (see ``codec.readable_to``), or ``None``."""
    row = session.get(CachedSignalsRow, (sha256, extractor))
    return None if row is None else row.readable


def put(
    session: Session,
    sha256: str,
    extractor: str,
    payload: bytes,
    readable: dict[str, Any] | None = None,
) -> None:
    """Keep signals; the media must be in the store. The first to come stays."""
    insert_missing(
        session,
        CachedSignalsRow,
        sha256=sha256,
        extractor=extractor,
        payload=payload,
        readable=readable,
    )


class SignalsCache:
    """What a cascade is given to look signals up in.

    ``put`` only remembers: whoever runs the cascade writes ``pending`` in the transaction that
    stores the result, so that a killed worker leaves nothing half done.

    Attributes:
        pending: (sha256, extractor) to bytes, not stored yet.
    """

    def __init__(self, store: Store):
        self._store = store
        self.pending: dict[tuple[str, str], bytes] = {}

    def get(self, sha256: str, extractor: str) -> bytes | None:
        """The bytes, from this run or from the store."""
        if (sha256, extractor) in self.pending:
            return self.pending[(sha256, extractor)]
        with self._store.read() as session:
            return get(session, sha256, extractor)

    def put(self, sha256: str, extractor: str, payload: bytes) -> None:
        """Remember bytes until they are stored with the result."""
        self.pending[(sha256, extractor)] = payload
