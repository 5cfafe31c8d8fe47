"""Vectors for media that were scored before vectors were kept, a little at a time."""

from __future__ import annotations

import logging
import time

from coefvq.domain import CheapSignals
from coefvq.errors import StoreError
from coefvq.signals import serialise
from coefvq.store import embeddings
from coefvq.store.session import Store

_BATCH = 32
log = logging.getLogger(__name__)


def fill_missing(store: Store, seconds: float = 0.3) -> int:
    """Make vectors out of cached signals for about so long; return how many were looked at.

    Signals without frames, or that cannot be read, get none.
    """
    end, after, seen = time.monotonic() + seconds, ("", ""), 0
    while time.monotonic() < end:
        with store.read() as session:
            waiting = embeddings.missing(session, after, _BATCH)
        if not waiting:
            break
        after = waiting[-1][:2]
        seen += len(waiting)
        _store(store, waiting)
    return seen


def _store(store: Store, waiting: list[tuple[str, str, bytes]]) -> None:
    frames = {(sha256, version): _frames(sha256, data) for sha256, version, data in waiting}
    with store.write() as session:
        for (sha256, version), found in frames.items():
            if found is not None:
                embeddings.put(session, sha256, version, found)


def _frames(sha256: str, payload: bytes) -> embeddings.Floats | None:
    try:
        signals = serialise.load(payload)
    except StoreError as error:
        log.warning("media %s: %s", sha256[:12], error)
        return None
    return signals.frame_embeddings if isinstance(signals, CheapSignals) else None
