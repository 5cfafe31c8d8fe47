"""Watches the worker from another process: one that is gone cannot say so itself."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from sqlalchemy.exc import OperationalError

from coefvq.errors import CoefVQError
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work.alarms.run import watch_worker

log = logging.getLogger(__name__)
EVERY_S = 60.0


class Watch:
    """A thread that runs ``watch_worker`` every so often while it is entered."""

    def __init__(self, store: Store, settings: Settings, every_s: float = EVERY_S):
        self._store, self._settings, self._every_s = store, settings, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarm-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; a message that is under way is waited for at most ten seconds."""
        self._stop.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                watch_worker(self._store, self._settings)
            except (CoefVQError, OperationalError) as error:
                log.warning("the worker could not be watched: %s", error)
