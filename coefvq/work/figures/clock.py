"""When the worker queues the job that computes figures by itself."""

from __future__ import annotations

import time

from coefvq.store import figures
from coefvq.store.session import Store

LOOK_S = 15.0
"""A look at the store at most so often, seconds."""


class FiguresClock:
    """Queues the job when it is time; several of these queue it once.

    Args:
        every_s: Seconds between two runs; 0: never by itself.
    """

    def __init__(self, store: Store, every_s: float) -> None:
        self._store, self._every_s = store, every_s
        self._pause_s = min(LOOK_S, every_s)
        self._next_look = time.monotonic() + self._pause_s

    def look(self) -> bool:
        """Queue the job where it is due; return whether it was."""
        if not self._every_s or time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + self._pause_s
        with self._store.read() as session:
            if not figures.due(session, self._every_s):
                return False
        with self._store.write() as session:
            if not figures.due(session, self._every_s):
                return False
            figures.queue(session)
        return True
