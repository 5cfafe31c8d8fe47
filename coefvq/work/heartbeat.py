"""Keep a job's lease alive while the job is being done."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import OperationalError

from coefvq.errors import LeaseLost
from coefvq.store import leases
from coefvq.store.leases import Lease
from coefvq.store.session import Store

log = logging.getLogger(__name__)
_BEATS_A_LEASE = 3


class Heartbeat:
    """Renews a lease three times in its length, from a thread of its own.

    Args:
        every_s: Seconds between beats, where a third of the lease is not wanted.

    Attributes:
        lost: Set when somebody else has the job; its result will be refused anyway.
    """

    def __init__(self, store: Store, lease: Lease, ttl_s: float, every_s: float | None = None):
        self._store, self._lease, self._ttl_s = store, lease, ttl_s
        self._every_s = every_s or ttl_s / _BEATS_A_LEASE
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.lost = threading.Event()

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def beat(self) -> None:
        """Renew once.

        Raises:
            LeaseLost: Somebody else has the job.
        """
        held = self._lease
        with self._store.write() as session:
            leases.heartbeat(
                session, held.kind, held.subject_id, held.holder, held.token, self._ttl_s
            )

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.beat()
            except LeaseLost as error:
                log.warning("%s", error)
                self.lost.set()
                return
            except OperationalError as error:
                # The database is busy or away; the next beat may still come in time.
                log.warning("heartbeat of job %s: %s", self._lease.subject_id, error.orig)
