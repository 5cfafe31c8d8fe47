"""The worker: takes jobs under leases and does them, one at a time."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Collection

from sqlalchemy.exc import OperationalError

from coefvq.errors import CoefVQError, LeaseLost, MediaError, TrainingError
from coefvq.settings import Settings
from coefvq.store import jobs, taxonomies
from coefvq.store.jobs import ClaimedJob
from coefvq.store.leases import Lease
from coefvq.store.session import Store
from coefvq.store.tables import JobKind
from coefvq.work.assessor import Assessor
from coefvq.work.bench import Bench
from coefvq.work.deletion import sweep
from coefvq.work.figures.clock import FiguresClock
from coefvq.work.handlers import HANDLERS
from coefvq.work.heartbeat import Heartbeat
from coefvq.work.models import ModelFollower
from coefvq.work.originality import Originals
from coefvq.work.routing import Follower
from coefvq.work.trainer import KINDS

log = logging.getLogger(__name__)
CascadeFactory = Callable[[Settings], Assessor]
LEARNING = frozenset(KINDS)
"""Long jobs that nobody's video waits for."""
SCORING = frozenset(JobKind) - LEARNING


def worker_name(role: str = "worker") -> str:
    """A name that no other worker has, not even the one that had this process id before."""
    return f"{role}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Worker:
    """Does jobs until told to stop. Run several in several processes, not in one.

    Args:
        cascade_factory: Loads the models; called at the first job that needs them.
        kinds: What it takes; ``None``: everything.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        cascade_factory: CascadeFactory,
        name: str | None = None,
        kinds: Collection[JobKind] | None = None,
    ):
        self.settings = settings
        self.store = store
        self.name = name or worker_name()
        self.kinds = kinds
        self._factory = cascade_factory
        self._cascade: Assessor | None = None
        self._originals: Originals | None = None
        self._follower = Follower(store)
        self._published = ModelFollower(store, settings)
        self._figures = FiguresClock(store, settings.figures_every_s)
        self._regular = False
        self._current: Lease | None = None

    def run_once(self, stop: threading.Event | None = None) -> int:
        """Work until nothing is left to take; return how many jobs were taken."""
        taken = 0
        while not (stop is not None and stop.is_set()) and self.work_one():
            taken += 1
        return taken

    def run_forever(self, stop: threading.Event, idle_s: float = 0.5) -> None:
        """Work until ``stop`` is set, looking for new jobs every ``idle_s`` seconds.

        Figures are computed now and then as well.
        """
        self._regular = self.kinds is None or JobKind.FIGURES in self.kinds
        sweep(self.store, self.settings)  # what a deletion could not remove
        while not stop.is_set():
            try:
                taken = self.run_once(stop)
            except OperationalError as error:
                # The database is busy or away: whatever was at hand is done again later.
                log.warning("%s waits for the database: %s", self.name, error.orig)
                taken = 0
            if taken == 0:
                stop.wait(idle_s)

    def work_one(self, only: str | None = None) -> bool:
        """Take one job and see it through to done, queued again or set aside.

        Args:
            only: Id of the one job that is wanted.

        Returns:
            Whether there was one.
        """
        if self._regular:
            self._figures.look()
        with self.store.write() as session:
            job = jobs.claim_next(
                session, self.name, self.settings.lease_s, kinds=self.kinds, only=only
            )
        if job is None:
            return False
        self._current = job.lease
        try:
            with Heartbeat(self.store, job.lease, self.settings.lease_s):
                self._do(job)
        except LeaseLost as error:
            log.warning("job %s: %s", job.id, error)
        finally:
            self._current = None
        return True

    def give_back(self) -> None:
        """Queue the job at hand again, for a worker that has to stop now."""
        held = self._current
        if held is None:
            return
        try:
            with self.store.write() as session:
                jobs.give_back(session, held)
        except LeaseLost as error:
            log.info("%s", error)

    def _do(self, job: ClaimedJob) -> None:
        bench = Bench(self.settings, self.store, self._models, self._index, self.name,
                      self._published.shadow)  # fmt: skip
        try:
            taxonomies.follow(self.store)
            apply = HANDLERS[job.kind](
                bench, job, lambda share, note: self._report(job, share, note)
            )
            with self.store.write() as session:
                jobs.finish(session, job.lease)
                apply(session)
        except LeaseLost:
            raise
        except (MediaError, TrainingError) as error:
            self._fail(job, error.code, str(error), permanent=True)
        except CoefVQError as error:
            self._fail(job, error.code, str(error))
        except Exception as error:
            # Whatever a model or codec throws must not stop the worker; it is kept with the job.
            log.exception("job %s (%s) failed", job.id, job.kind)
            self._fail(job, "internal_error", f"{type(error).__name__}: {error}")

    def _models(self) -> Assessor:
        if self._cascade is None:
            self._cascade = self._factory(self.settings)
        self._published.refresh(self._cascade)
        self._follower.refresh(self._cascade)
        return self._cascade

    def _index(self) -> Originals:
        if self._originals is None:
            self._originals = Originals.open(self.store, self.settings)
        return self._originals

    def _report(self, job: ClaimedJob, share: float, note: str) -> None:
        with self.store.write() as session:
            jobs.report(session, job.lease, share, note)

    def _fail(self, job: ClaimedJob, code: str, message: str, permanent: bool = False) -> None:
        log.warning("job %s (%s), attempt %d: %s", job.id, job.kind, job.attempt, message)
        with self.store.write() as session:
            jobs.fail(session, job.lease, code, message, permanent=permanent)
