"""Held-out videos scored by the two models that would be in force: what routing is fitted on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from coefvq import taxonomy
from coefvq.domain import Assessment, Stage
from coefvq.errors import TrainingError
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.gate import answers
from coefvq.learning.gate.choose import HELD_OUT, LEARNT, choose
from coefvq.learning.gate.stages import Desk, escalated
from coefvq.learning.gate.tasks import Pair, TaskRows, task_rows
from coefvq.learning.monitor import Monitor
from coefvq.learning.pair import PairFit, fit_pair
from coefvq.learning.registry import serving
from coefvq.routing.entropy import EntropyRouting
from coefvq.settings import Settings
from coefvq.store import trained_models
from coefvq.store.session import Store

MOST_CALLS = 300
"""Calls of the MLLM for videos that it never saw, where no certificate needs all of them."""


@dataclass(frozen=True)
class Rescored:
    """What both models say of the held-out videos.

    Attributes:
        pair: How their answers are combined, fitted on these videos; figures out of fold.
    """

    items: tuple[LabelledVideo, ...]
    models: Pair
    pair: PairFit
    infos: Sequence[Any]
    notes: tuple[str, ...] = ()

    def rows(self, task: str) -> TaskRows:
        """One task; a video's probability comes from a combination that did not see its group."""
        return task_rows(task, self.items, self.models, self.infos)


def rescore(
    store: Store,
    settings: Settings,
    version: str,
    certified: Collection[str],
    monitor: Monitor,
    signals: Signals | None = None,
) -> Rescored:
    """Score every held-out video with a candidate and the other model in force.

    Held out is what the candidate did not learn from: decisions of the test split as they stand
    now, and golden cases.

    Args:
        certified: Tasks whose routing promises rates: the MLLM is asked about all their videos.
        signals: What the models are shown; ``None``: what the store has, or extracts.

    Raises:
        TrainingError: Nobody knows what the candidate learnt from.
        ModelError: A model cannot be loaded.
        TrainingStopped: Somebody stopped it; the MLLM's answers are kept.
    """
    from coefvq.learning.dataset.signals import StoreSignals

    with store.read() as session:
        row, force = trained_models.get(session, version), serving(session, settings)
    stage = Stage(row.stage)
    names = {**force, stage: version}
    items = _held_out(store, settings, row.snapshot_id)
    desk = Desk(store, settings, signals or StoreSignals(store, settings), monitor)
    model = desk.model(Stage.PREFILTER, names[Stage.PREFILTER])
    said = answers.ask([model], Stage.PREFILTER, items, desk.signals, monitor)
    first = desk.firsts(said.items, said.answers[0], frozenset(model.covers))
    second, note = _second(desk, said.items, model, first, names[Stage.MLLM], certified)
    pair = fit_pair((names[Stage.PREFILTER], names[Stage.MLLM]), said.items, first, second)
    notes = tuple(filter(None, (note, _unreadable(said.unreadable))))
    return Rescored(
        said.items, Pair(model, first, second, pair.by_item), pair, desk.infos(said.items), notes
    )


def _held_out(
    store: Store, settings: Settings, snapshot_id: str | None
) -> tuple[LabelledVideo, ...]:
    from coefvq.learning.dataset.make import items_now
    from coefvq.learning.dataset.read import read_snapshot

    if snapshot_id is None:
        raise TrainingError("Nobody knows what this model learnt from. Train it from a snapshot.")
    learnt = read_snapshot(store, settings, snapshot_id)
    with store.read() as session:
        chosen = choose(items_now(session), (), learnt.items)
    return tuple(item for item in chosen.items if item.video_id not in chosen.overlap)


def _second(
    desk: Desk,
    items: Sequence[LabelledVideo],
    model: Any,
    first: Sequence[Assessment],
    version: str,
    certified: Collection[str],
) -> tuple[list[Assessment | None], str]:
    chosen = desk.settings
    entropy = EntropyRouting(chosen.entropy_threshold, chosen.human_entropy_threshold)
    # Routing is fitted after this: the settings' rule says well enough who may be escalated.
    wanted = escalated(items, model, first, dict.fromkeys(taxonomy.tasks(), entropy))
    needed = {
        item.video_id
        for item in items
        for task in certified
        if task in taxonomy.tasks()
        and any(policy.id in item.labels for policy in taxonomy.task(task).policies)
    }
    most = None if needed else MOST_CALLS
    return desk.seconds(items, version, wanted | needed, most)


def _unreadable(number: int) -> str:
    return f"{number:,} held-out videos were left out: their files are gone." if number else ""


__all__ = ("HELD_OUT", "LEARNT", "Rescored", "rescore")
