"""What a training tells while it goes on, kept in the store for whoever watches."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy.exc import OperationalError

from coefvq.errors import TrainingStopped
from coefvq.store import jobs, training_runs
from coefvq.store.jobs import ClaimedJob
from coefvq.store.session import Store

log = logging.getLogger(__name__)
EVERY_S = 1.0
"""Progress is written, and a wish to stop is seen, at most so often."""
MOST_POINTS = 200
"""Points of a curve that are kept; of a longer one every second point goes."""
_LEAST_STEP = 0.001


class Curves:
    """Losses by name, thinned, in the order of their steps.

    Args:
        points: ``(step, name, value)`` of an earlier attempt.
    """

    def __init__(self, points: Iterable[Any] = ()) -> None:
        self._curves: dict[str, list[tuple[int, float]]] = {}
        for step, name, value in points:
            self._curves.setdefault(str(name), []).append((int(step), float(value)))

    def add(self, step: int, name: str, value: float) -> None:
        """Add a point; what an attempt does again replaces what the one before it did."""
        if not math.isfinite(value):
            return
        curve = self._curves.setdefault(name, [])
        while curve and curve[-1][0] >= step:
            curve.pop()
        curve.append((int(step), round(float(value), 6)))
        if len(curve) > MOST_POINTS:
            del curve[1:-1:2]

    def points(self) -> list[list[Any]]:
        """``[[step, name, value], ...]``, plain JSON."""
        return [
            [step, name, value] for name, curve in self._curves.items() for step, value in curve
        ]


class Pace:
    """How long a part will still take, from how long it took so far in this attempt."""

    def __init__(self) -> None:
        self.what, self.done, self.total = "", 0, 0
        self._first, self._since = 0, 0.0

    def note(self, done: int, total: int, what: str) -> None:
        """Take a report of progress in."""
        if what != self.what or done < self.done:
            self.what, self._first, self._since = what, done, time.monotonic()
        self.done, self.total = done, total

    @property
    def share(self) -> float:
        """Of the part, 0..1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds; ``None`` before the first step of this attempt."""
        steps = self.done - self._first
        if steps <= 0:
            return None
        return (time.monotonic() - self._since) / steps * max(0, self.total - self.done)


class JobMonitor:
    """Writes a job's progress and notices when the job is lost to somebody else."""

    def __init__(self, store: Store, job: ClaimedJob) -> None:
        self._store, self._job = store, job
        self._last = -math.inf
        self.pace = Pace()

    def progress(self, done: int, total: int, what: str) -> None:
        """Take a report of progress in; see ``learning.monitor``."""
        self.pace.note(done, total, what)
        self._now_and_then()

    def loss(self, step: int, name: str, value: float) -> None:
        """A gate has no losses."""

    def check(self) -> None:
        """Notice what happened outside.

        Raises:
            LeaseLost: Somebody else has the job now.
        """
        self._now_and_then()

    def _now_and_then(self) -> None:
        if time.monotonic() - self._last < EVERY_S:
            return
        try:
            self._write()
        except OperationalError as error:
            # A database that is busy or full must not end hours of training.
            log.warning("progress of job %s: %s", self._job.id, error.orig)
        self._last = time.monotonic()

    def _write(self) -> None:
        with self._store.write() as session:
            jobs.report(session, self._job.lease, self.pace.share, self.pace.what)


class RunMonitor(JobMonitor):
    """The same for a training: progress, time left and losses go into its run.

    Args:
        losses: Of an earlier attempt.
    """

    def __init__(self, store: Store, job: ClaimedJob, losses: Iterable[Any] = ()) -> None:
        super().__init__(store, job)
        self.run_id = str(job.payload[training_runs.RUN])
        self._curves = Curves(losses)
        self._reached: dict[str, float] = dict(job.payload.get(jobs.REACHED) or {})
        self._new_points = self._stop = False

    def loss(self, step: int, name: str, value: float) -> None:
        """Add a point to the plot."""
        self._curves.add(step, name, value)
        self._new_points = True

    def check(self) -> None:
        """Notice what happened outside.

        Raises:
            TrainingStopped: Somebody asked for it.
            LeaseLost: Somebody else has the job now.
        """
        super().check()
        if self._stop:
            raise TrainingStopped(f"Training {self.run_id} was asked to stop; its work is kept.")

    def last_word(self) -> None:
        """Write what the last second brought."""
        self._write()

    def _write(self) -> None:
        with self._store.write() as session:
            jobs.report(session, self._job.lease, self.pace.share, self.pace.what)
            if self._further():
                jobs.got_further(session, self._job.lease, self._reached)
            row = training_runs.get(session, self.run_id)
            row.progress, row.note = self.pace.share, self.pace.what
            row.eta_s = self.pace.left_s
            if self._new_points:
                row.losses = self._curves.points()
            self._stop = row.cancel
        self._new_points = False

    def _further(self) -> bool:
        """Whether this attempt is where none was before, by a step that is worth a note."""
        before = self._reached.get(self.pace.what, -1.0)
        if not self.pace.what or self.pace.share < before + _LEAST_STEP:
            return False
        self._reached[self.pace.what] = self.pace.share
        return True
