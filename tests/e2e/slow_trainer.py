"""A trainer process for tests: takes steps, and waits before the third until a file appears."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.work.worker import LEARNING, Worker
from tests.store_factory import FixedCascade
from tests.unit.work.training_double import Script, play

WAITS_AT = 2


def main(home: str, lease_s: str) -> None:
    """Work until the queue is empty; the steps taken are lines of a file."""
    settings = Settings(home=Path(home), lease_s=float(lease_s))

    def at(step: int) -> None:
        with (settings.home / "steps").open("a", encoding="utf-8") as file:
            file.write(f"{step}\n")
        if step == WAITS_AT:
            (settings.home / "waiting").touch()
            while not (settings.home / "go").exists():
                time.sleep(0.02)

    with pytest.MonkeyPatch.context() as patch, open_store(settings.url) as store:
        play(patch, Script(at=at))
        Worker(settings, store, lambda _: FixedCascade(), "slow", LEARNING).run_once()


if __name__ == "__main__":
    main(*sys.argv[1:])
