"""A process that registers and promotes a model and lets a worker reload, and dies on the way.

    python -m tests.e2e.promotion_steps POINT HOME CANDIDATE PARENT SNAPSHOT

``POINT`` names where it kills itself, as a power cut would; ``none``: it gets through.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coefvq.cascade import Cascade
from coefvq.domain import Stage
from coefvq.learning import promote as store_part
from coefvq.learning import registry
from coefvq.learning.candidate import Candidate
from coefvq.learning.dataset import make
from coefvq.learning.dataset.items import GivenSignals
from coefvq.learning.dataset.read import read_snapshot
from coefvq.media.limits import MediaLimits
from coefvq.prefilter.predict import Prefilter
from coefvq.review.access import LOCAL
from coefvq.router import Router
from coefvq.settings import Settings
from coefvq.store import model_publications, trained_models
from coefvq.store.session import Store, open_store
from coefvq.work import models as followed
from coefvq.work import promotion

NO_MLLM = "endpoint:http://127.0.0.1:9/v1#none"
PLACES: dict[str, tuple[Any, str, bool]] = {
    "copying": (registry, "_copy", True),
    "copied": (registry, "record", False),
    "before the commit": (model_publications, "publish", True),
    "after the commit": (store_part, "promote", True),
    "reloading": (followed, "load_model", False),
}
"""By point: a module's function, and whether it is done before the process dies."""


class NoMllm:
    """Is never asked."""

    version = "endpoint-none"
    covers: frozenset[str] = frozenset()


def die_at(point: str) -> None:
    """Kill this process at a point."""
    if point == "none":
        return
    module, name, after = PLACES[point]
    real: Callable[..., Any] = getattr(module, name)

    def dies(*args: Any, **more: Any) -> Any:
        if after:
            real(*args, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, dies)


def served(store: Store, settings: Settings) -> str:
    """The version that a fresh worker's cascade serves."""
    none: Any = None
    mllm: Any = NoMllm()
    cascade = Cascade(Prefilter.load(), mllm, none, none, Router.from_settings(settings),
                      MediaLimits.from_settings(settings))  # fmt: skip
    followed.ModelFollower(store, settings).refresh(cascade)
    return cascade.prefilter.version


def steps(settings: Settings, folder: Path, parent: str, snapshot_id: str) -> str:
    """Register, let pass, promote, reload; what serves in the end."""
    stage = Stage.PREFILTER
    version = registry.version_in(stage, folder)
    covers = frozenset(Prefilter.load(folder=folder).covers)
    made = Candidate(stage, version, folder, parent, covers)
    with open_store(settings.url) as store:
        items = read_snapshot(store, settings, snapshot_id).items
        make.items_now = lambda session, wanted=None: list(items)  # type: ignore[assignment]
        registry.register(store, settings, "ann", made, snapshot_id=snapshot_id)
        with store.write() as session:
            now = registry.in_force(session)[stage]
            if now != version:
                document = {"stage": stage.value, "reasons": []}
                trained_models.add_report(session, version, now, True, document, [])
        if now != version:
            promotion.promote_with_routing(
                store, settings, LOCAL, version, "better", signals=GivenSignals()
            )
        return served(store, settings)


if __name__ == "__main__":
    point, home, folder, parent, snapshot = sys.argv[1:]
    die_at(point)
    print(steps(Settings(home=Path(home), mllm=NO_MLLM), Path(folder), parent, snapshot))
