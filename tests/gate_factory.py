"""Labelled texts and snapshots of them, for gates and promotions.

The texts are drawn from two lists of made-up words, so that how much a model has seen decides how
well it does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gate_models import candidate, text_model
from coefvq.domain import PostedText, Stage
from coefvq.learning.dataset import files, make
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo, Split
from coefvq.learning.dataset.snapshot import Snapshot
from coefvq.learning.gate.report import GateReport
from coefvq.learning.gate.run import run_gate
from coefvq.learning.registry import in_force, register, shipped_version
from coefvq.prefilter.model import TEXT_POLICIES
from coefvq.prefilter.weights import Trained
from coefvq.settings import Settings
from coefvq.store import model_publications
from coefvq.store.session import Store
from coefvq.store.tables import SnapshotRow

__all__ = [
    "HATE",
    "SCAM",
    "Home",
    "Models",
    "candidate",
    "items",
    "models",
    "snapshot",
    "text_model",
]
NO_MLLM = "endpoint:http://127.0.0.1:9/v1#none"
HATE, SCAM = TEXT_POLICIES
_SPLITS: tuple[tuple[Split, float], ...] = (
    ("train", 0.6), ("validation", 0.1), ("test", 0.25), ("golden", 0.05),
)  # fmt: skip
_WORDS = 120
"""How many words speak for or against a policy: few texts teach few of them."""


@dataclass(frozen=True)
class Models:
    """Texts, and prefilters that learnt from few and from many of them."""

    rows: list[LabelledVideo]
    little: Trained
    much: Trained


@cache
def models(count: int = 600) -> Models:
    """The same ones for every test of a run."""
    rows = items(count)
    taught = [item for item in rows if item.split in ("train", "validation")]
    return Models(rows, text_model(taught[:70]), text_model(taught))


@dataclass(frozen=True)
class Home:
    """A store with a snapshot in which ``little`` is in force.

    Attributes:
        base: Version in force.
        made: Snapshot of all texts.
    """

    store: Store
    settings: Settings
    folder: Path
    models: Models
    base: str
    made: Snapshot

    def add(self, model: Trained, name: str = "candidate", **more: Any) -> str:
        """Register a model that learnt from the snapshot; its version."""
        found = candidate(model, self.folder / name, self.base, **more)
        return register(self.store, self.settings, "ann", found, snapshot_id=self.made.id)

    def gate(self, version: str, **more: Any) -> GateReport:
        """Judge it on the snapshot's held-out texts."""
        return run_gate(self.store, self.settings, version, signals=GivenSignals(), **more)

    def live(self) -> str:
        """The prefilter in force."""
        with self.store.read() as session:
            return in_force(session)[Stage.PREFILTER]


def home(store: Store, settings: Settings, folder: Path, patch: pytest.MonkeyPatch) -> Home:
    """Open one; what is labelled "now" are the snapshot's texts."""
    known = models()
    patch.setattr(make, "items_now", lambda session, wanted=None: known.rows)
    made = snapshot(store, settings, known.rows)
    base = candidate(known.little, folder / "base", shipped_version(Stage.PREFILTER))
    register(store, settings, "ann", base, snapshot_id=made.id)
    put_in_force(store, base.version)
    return Home(store, settings, folder, known, base.version, made)


def put_in_force(store: Store, version: str, stage: Stage = Stage.PREFILTER) -> None:
    """Publish a model as it is, without a gate: where a test begins."""
    with store.write() as session:
        before = {str(each.value): name for each, name in in_force(session).items()}
        model_publications.publish(
            session, stage, version, "ann", "the first one", routing={},
            before={"models": before, "routing": {}},
        )  # fmt: skip


def items(count: int, seed: int = 0, uploaders: int | None = None) -> list[LabelledVideo]:
    """Texts with both policies labelled; an uploader's texts are of one split."""
    rng = random.Random(seed)
    return [_item(number, rng, uploaders or max(4, count // 4)) for number in range(count)]


def _item(number: int, rng: random.Random, uploaders: int) -> LabelledVideo:
    group = f"uploader-{rng.randrange(uploaders)}"
    labels = {policy: int(rng.random() < 0.4) for policy in TEXT_POLICIES}
    words = [_word("plain", rng.randrange(60)) for _ in range(4)]
    for policy, bad in labels.items():
        # One in ten says nothing: no model gets those right.
        kind = policy if bad and rng.random() > 0.1 else f"not {policy}"
        words += [_word(kind, rng.randrange(_WORDS)) for _ in range(2)]
    rng.shuffle(words)
    return LabelledVideo(
        video_id=f"video{number:05d}", sha256=None, posted=PostedText(" ".join(words), None),
        group=group, split=_split(group), labels=labels, weights=dict.fromkeys(labels, 1.0),
        language="en", propensities=dict.fromkeys(labels, 1.0),
    )  # fmt: skip


def _word(kind: str, number: int) -> str:
    """A made-up word of no language; one kind's are no more alike than another's."""
    return f"w{random.Random(f'{kind} {number}').randrange(10**7):07d}"


def _split(group: str) -> Split:
    at, share = random.Random(f"split {group}").random(), 0.0
    for name, size in _SPLITS:
        share += size
        if at < share:
            return name
    return "golden"


def snapshot(store: Store, settings: Settings, rows: Sequence[LabelledVideo]) -> Snapshot:
    """A snapshot of these videos on disk and in the store."""
    ordered = sorted(rows, key=lambda item: item.video_id)
    lines = [files.line_of(item) for item in ordered]
    made = files.id_of(map(files.digest_of, lines))
    folder = settings.datasets_dir / made
    folder.mkdir(parents=True, exist_ok=True)
    files.write_whole(folder / files.ITEMS, lines)
    with store.write() as session:
        number = session.query(SnapshotRow).count() + 1
        if session.get(SnapshotRow, made) is None:
            session.add(
                SnapshotRow(
                    id=made, number=number, document={"videos": len(ordered)},
                    videos=len(ordered), labels=2 * len(ordered), made_by="test",
                )
            )  # fmt: skip
    return Snapshot(made, number, tuple(ordered), {}, folder)
