"""A worker process for tests: real fingerprints, a real index, a cascade that answers at once."""

from __future__ import annotations

import sys
from pathlib import Path

from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.work.worker import Worker
from tests.store_factory import FixedCascade


def main(home: str, lease_s: str) -> None:
    """Say that work begins, and work until the queue is empty."""
    settings = Settings(home=Path(home), lease_s=float(lease_s))
    cascade = FixedCascade()
    with open_store(settings.url) as store:
        print("working", flush=True)
        Worker(settings, store, lambda _: cascade).run_once()


if __name__ == "__main__":
    main(*sys.argv[1:])
