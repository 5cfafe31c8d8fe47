"""Progress of long loops with the time that remains."""

from __future__ import annotations

import time
from collections.abc import Callable

Progress = Callable[[str], None]


class Clock:
    """Says how far a loop is and how long it will still take."""

    def __init__(self, total: int, what: str, progress: Progress, done: int = 0):
        self._total, self._what, self._progress = total, what, progress
        self._start, self._first, self._done = time.monotonic(), done, done

    def tick(self, note: str = "") -> None:
        """One more step is done."""
        self._done += 1
        if self._done % max(1, self._total // 20) and self._done != self._total:
            return
        spent = time.monotonic() - self._start
        left = spent / max(1, self._done - self._first) * (self._total - self._done)
        self._progress(f"{self._what}: {self._done}/{self._total} {note} {left:.0f} s left")
