"""A process for tests that stops in the middle of writing a snapshot of the index."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from coefvq.originality import snapshot
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.work.originality import Originals


def main(home: str) -> None:
    """Open the originals and save them, but never come to the end of it."""
    settings = Settings(home=Path(home))

    def wait(_: int) -> None:
        (settings.home / "writing").touch()
        time.sleep(600)

    snapshot.os.fsync = wait
    with open_store(settings.url) as store:
        Originals.open(store, settings).save()


if __name__ == "__main__":
    main(sys.argv[1])
