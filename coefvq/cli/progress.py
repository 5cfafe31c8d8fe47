"""Progress and remaining time on stderr."""

from __future__ import annotations

import sys
import time


class Progress:
    """A line that says how many are done and how long the rest will take.

    On a terminal the line rewrites itself; into a file it prints at most once in five seconds.
    """

    def __init__(self, total: int, what: str, quiet: bool = False):
        self._total, self._what, self._quiet = total, what, quiet
        self._started = time.monotonic()
        self._last = 0.0
        self._live = sys.stderr.isatty()

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Say that ``done`` of ``total`` are finished."""
        self._total = total or self._total
        now = time.monotonic()
        finished = done >= self._total
        if self._quiet or (not finished and now - self._last < (0.2 if self._live else 5.0)):
            return
        self._last = now
        end = "\r" if self._live and not finished else "\n"
        line = f"{self._what}: {done}/{self._total}{self._remaining(done, now)} {note}"
        print(f"{line:<78}"[:100], end=end, file=sys.stderr, flush=True)

    def _remaining(self, done: int, now: float) -> str:
        if not done or done >= self._total:
            return ""
        return f", about {duration((now - self._started) / done * (self._total - done))} left"


def duration(seconds: float) -> str:
    """``75`` -> ``1 min 15 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
