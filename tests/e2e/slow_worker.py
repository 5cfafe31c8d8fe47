"""A worker process for tests: scores, but waits in the middle until a file appears."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.work.worker import Worker
from tests.store_factory import FixedCascade


class WaitingCascade(FixedCascade):
    """Says that it is scoring, and goes on when it is told to."""

    folder = Path()

    def assess(self, path: Any, **how: Any) -> Any:
        (self.folder / "scoring").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.02)
        return super().assess(path, **how)


def main(home: str, lease_s: str) -> None:
    """Work until the queue is empty."""
    settings = Settings(home=Path(home), lease_s=float(lease_s))
    WaitingCascade.folder = settings.home
    with open_store(settings.url) as store:
        Worker(settings, store, lambda _: WaitingCascade(), "slow").run_once()


if __name__ == "__main__":
    main(*sys.argv[1:])
