"""A worker process for tests: the real routing, and two models that answer at once."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

from coefvq.cascade import Cascade
from coefvq.domain import CascadeResult, PostedText
from coefvq.ledger import Ledger
from coefvq.media.limits import MediaLimits
from coefvq.request import Request
from coefvq.router import Router
from coefvq.routing.entropy import EntropyRouting
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.work.worker import Worker
from tests.store_factory import info
from tests.unit.test_cascade import GIVEN, SURE, FixedMllm, FixedPrefilter

LOOK_S = 0.1


class _Slow(FixedMllm):
    """Time enough for somebody to publish while it looks."""

    def assess(self, item: Any) -> Any:
        time.sleep(LOOK_S)
        return super().assess(item)


class StandIn(Cascade):
    """The cascade without media: every video is unsure and goes to the MLLM."""

    def __init__(self) -> None:
        mllm = _Slow({"hate_harassment": 0.95})
        prefilter = FixedPrefilter(SURE | {"hate_harassment": 0.45})
        routing = Router(EntropyRouting(0.6, 0.6), audit_share=0.1)
        super().__init__(prefilter, mllm, None, None, routing, MediaLimits())  # type: ignore[arg-type]

    def assess(self, path: Any, **how: Any) -> CascadeResult:
        posted = PostedText("a title")
        request = Request(posted, "auto", "never", how["sha256"], how["uploader"])
        first = self.prefilter.assess(None, posted)
        found = info(how["sha256"])
        return self._second_stage(request, first, lambda: GIVEN, Ledger(), found)


def main(home: str, name: str) -> None:
    """Work until killed."""
    settings = Settings(home=Path(home))
    with open_store(settings.url) as store:
        (settings.home / f"{name}.ready").touch()
        Worker(settings, store, lambda _: StandIn(), name).run_forever(threading.Event(), 0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
