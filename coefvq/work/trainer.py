"""``python -m coefvq.work.trainer``: the child that trains, one spell of work a life.

It waits with little in memory. When a training or a gate is queued it loads what that needs,
works until none is left, and ends; its parent starts a fresh one.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from sqlalchemy.exc import OperationalError

from coefvq.settings import Settings, load_settings
from coefvq.store import jobs
from coefvq.store.session import open_store
from coefvq.store.tables import JobKind

log = logging.getLogger(__name__)
RENEW = 75
"""Exit status that means: all well, start another."""
KINDS = (JobKind.TRAIN, JobKind.GATE)
_NICENESS = 10
_LOOK_S = 1.0


def wait_for_work(settings: Settings, ended: threading.Event) -> bool:
    """Return ``True`` when there is something to do, ``False`` when the parent is gone."""
    with open_store(settings.url) as store:
        while not ended.wait(_LOOK_S):
            try:
                with store.read() as session:
                    if jobs.waits(session, KINDS):
                        return True
            except OperationalError as error:
                log.warning("the trainer waits for the database: %s", error.orig)
    return False


def main(name: str | None) -> int:
    """The trainer's whole life; returns its exit status."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    settings, ended = load_settings(), threading.Event()
    threading.Thread(target=_watch_parent, args=(ended,), daemon=True).start()
    if not wait_for_work(settings, ended):
        return 0
    from coefvq.work.process import run_child

    run_child(settings, name, kinds=KINDS, spell=True)
    return 0 if ended.is_set() else RENEW


def _watch_parent(ended: threading.Event) -> None:
    while os.read(0, 1):
        pass
    ended.set()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    status = main(sys.argv[1] if len(sys.argv) > 1 else None)
    logging.shutdown()
    os._exit(status)  # threads that still read standard input are in nobody's way
