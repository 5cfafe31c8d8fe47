"""How often one key may call: a bucket of tokens that fills at a steady rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

_MOST = 10_000


class Buckets:
    """One bucket a name, in this process.

    Args:
        per_minute: Tokens a minute, and how many a bucket holds; 0: no limit.
        clock: Seconds, never back.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._size, self._clock = per_minute / 60.0, max(per_minute, 1.0), clock
        self._unlimited = per_minute <= 0
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, name: str) -> float:
        """Take a token; seconds until there is one, 0 where it was taken."""
        if self._unlimited:
            return 0.0
        with self._lock:
            now = self._clock()
            left, then = self._left.get(name, (self._size, now))
            left = min(self._size, left + (now - then) * self._rate)
            if left < 1.0:
                self._left[name] = (left, now)
                return (1.0 - left) / self._rate
            if len(self._left) >= _MOST:  # a full bucket says nothing: begin anew
                self._left.clear()
            self._left[name] = (left - 1.0, now)
            return 0.0
