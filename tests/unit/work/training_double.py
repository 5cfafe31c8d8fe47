"""A trainer that tests drive: it takes steps, keeps them on disk, and makes a registrable model."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from coefvq.domain import Stage
from coefvq.errors import TrainingError
from coefvq.learning.candidate import Candidate
from coefvq.learning.shipped_models import FOLDERS, shipped_version
from coefvq.settings import Settings
from coefvq.store import model_publications
from coefvq.store.session import Store
from coefvq.store.tables import GateReportRow
from coefvq.work import promotion, training_monitor
from coefvq.work.promotion import Promotion, TaskRouting

STEPS = 5


@dataclass
class Script:
    """What the trainer and the gate do. ``at``: called before each step with its number."""

    at: Callable[[int], None] = lambda step: None
    taken: list[int] = field(default_factory=list)
    passed: bool = True
    document: Mapping[str, Any] = field(default_factory=lambda: {"reasons": ["because"]})
    refusal: str = ""
    gate_error: Exception | None = None
    calls: list[Mapping[str, Any]] = field(default_factory=list)

    def train(self, items, signals, parent, out: Path, *, options, monitor) -> Candidate:
        """Go on at the step that ``out/work`` names."""
        self.calls.append({"items": items, "parent": parent, "options": options})
        work = out / "work"
        work.mkdir(parents=True, exist_ok=True)
        mark = work / "step"
        for step in range(int(mark.read_text()) if mark.exists() else 0, STEPS):
            monitor.check()
            self.at(step)
            self.taken.append(step)
            mark.write_text(str(step + 1))
            monitor.loss(step, "training", 1.0 / (step + 1))
            monitor.progress(step + 1, STEPS, "learning")
        return made_up(parent, out / "model")

    def gate(self, store: Store, settings: Settings, version: str, *, snapshot=None,
             monitor=None) -> Any:  # fmt: skip
        """Store a report."""
        if self.gate_error is not None:
            raise self.gate_error
        monitor.progress(1, 2, "comparing")
        with store.write() as session:
            session.add(GateReportRow(
                version=version, against=shipped_version(Stage.PREFILTER), passed=self.passed,
                document=dict(self.document),
            ))  # fmt: skip
        return SimpleNamespace(passed=self.passed, reasons=["because"])

    def plan(self, store: Store, settings: Settings, actor: Any, version: str, **_: Any) -> Any:
        """What a promotion would do."""
        if self.refusal:
            raise TrainingError(self.refusal)
        routing = TaskRouting("icd", "settings", "settings", "none", (9, 4),
                              {"miss_rate": {"value": 0.1, "low": 0.0, "high": 0.3}})  # fmt: skip
        return Promotion(Stage.PREFILTER, version, "before", (routing,))

    def promote(self, store: Store, settings: Settings, actor: Any, version: str, note: str,
                **_: Any) -> Any:  # fmt: skip
        """Put it in force without looking at the routing."""
        if self.refusal:
            raise TrainingError(self.refusal)
        with store.write() as session:
            before = {"models": {"prefilter": shipped_version(Stage.PREFILTER)}, "routing": {}}
            model_publications.publish(session, Stage.PREFILTER, version, actor.name, note,
                                       routing={}, before=before)  # fmt: skip
        return self.plan(store, settings, actor, version)


def made_up(parent: Path, folder: Path, version: str = "prefilter-candidate") -> Candidate:
    """A copy of a prefilter under another name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "model.json"):
        shutil.copy(parent / name, folder / name)
    document = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    document["version"] = version
    (folder / "model.json").write_text(json.dumps(document), encoding="utf-8")
    before = json.loads((FOLDERS[Stage.PREFILTER] / "model.json").read_text(encoding="utf-8"))
    return Candidate(Stage.PREFILTER, version, folder, before["version"],
                     frozenset(before["covers"]), {"auc": 0.9}, {})  # fmt: skip


def play(monkeypatch: pytest.MonkeyPatch, script: Script) -> Script:
    """Put the double where the trainer of the prefilter and the gate are; progress at once."""
    for name, attribute, value in (
        ("coefvq.learning.refit.run", "refit_prefilter", script.train),
        ("coefvq.learning.gate.run", "run_gate", script.gate),
    ):
        module = ModuleType(name)
        setattr(module, attribute, value)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(promotion, "plan", script.plan)
    monkeypatch.setattr(promotion, "promote_with_routing", script.promote)
    monkeypatch.setattr(training_monitor, "EVERY_S", 0.0)
    return script
