"""The prefilter as the cascade uses it: signals in, a calibrated probability a policy out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from coefvq.domain import Assessment, CheapSignals, PolicyScore, PostedText, Stage, WhyNot
from coefvq.prefilter.explain import Contributions, picture_contributions, text_contributions
from coefvq.prefilter.features import Batch, batch, picture_blocks
from coefvq.prefilter.model import PICTURE_POLICIES, POLICIES, TEXT_POLICIES
from coefvq.prefilter.text import Hits, TextRow, counted, joined, text_hits, weigh
from coefvq.prefilter.weights import SHIPPED, Trained, load
from coefvq.routing.calibration import log_odds
from coefvq.taxonomy import policies, task

IsForeign = Callable[[str], bool]


class Prefilter:
    """A small model over the cheap signals. Safe to call from several threads.

    Attributes:
        version: Names the exact weights and calibration.
        covers: Policies that it was trained for.
    """

    def __init__(self, trained: Trained, version: str, is_foreign: IsForeign | None = None):
        """
        Args:
            is_foreign: Whether a text is surely not English; without it nothing counts as foreign.
        """
        self.version = version
        self.covers: frozenset[str] = frozenset(POLICIES)
        self._trained = trained
        self._is_foreign = is_foreign or (lambda text: False)

    @classmethod
    def load(
        cls, threads: int = 0, *, folder: Path = SHIPPED, is_foreign: IsForeign | None = None
    ) -> Prefilter:
        """Read the shipped weights, or those of ``folder``.

        Args:
            threads: CPU threads of torch, for the whole process; 0: its default.

        Raises:
            ModelError: If the weights are missing or damaged.
        """
        if threads:
            torch.set_num_threads(threads)
        trained, version = load(folder)
        return cls(trained, version, is_foreign)

    def assess(self, cheap: CheapSignals | None, posted: PostedText) -> Assessment:
        """Score one video.

        Args:
            cheap: ``None`` where there is only text: policies of the picture are not covered.
            posted: Title and caption; hostile text, only counted and hashed here.

        Returns:
            A score for every policy of the taxonomy. Contributions are in log-odds before
            calibration, against the average training clip; ``policies`` not covered have none.
        """
        started = time.perf_counter()
        hits = text_hits(posted)
        row = weigh(counted(posted, hits), self._trained.idf)
        pictures = picture_blocks(cheap)
        inputs = batch([row], [pictures], self._trained.scaling)
        with torch.no_grad():
            raw = dict(zip(POLICIES, self._trained.net(inputs)[0].tolist(), strict=True))
            why = self._not_covered(cheap, posted)
            moved = self._moved(inputs, hits, row, why)
        scores = {name: self._score(name, raw, row, why) for name in policies()}
        spent = (time.perf_counter() - started) * 1000
        return Assessment(
            Stage.PREFILTER, self.version, scores, contributions=moved, milliseconds=spent
        )

    def task_probability(self, task_id: str, probabilities: Mapping[str, float]) -> float:
        """The largest covered probability among a task's policies, recalibrated for the task.

        Args:
            probabilities: By policy; policies of other tasks are passed over.

        Returns:
            0..1; 0.0 where none of the task's policies is there.

        Raises:
            SettingsError: For an unknown task.
        """
        members = {policy.id for policy in task(task_id).policies}
        found = [value for name, value in probabilities.items() if name in members]
        if not found:
            return 0.0
        recalibrate = self._trained.tasks.get(task_id)
        if recalibrate is None:
            return float(max(found))
        return float(recalibrate(log_odds(max(found))))

    def _not_covered(self, cheap: CheapSignals | None, posted: PostedText) -> dict[str, WhyNot]:
        """By policy, why it cannot be answered for this video."""
        why = {name: WhyNot.NOT_TRAINED for name in policies() if name not in POLICIES}
        if cheap is None:
            why |= dict.fromkeys(PICTURE_POLICIES, WhyNot.NO_MEDIA)
        elif cheap.frame_embeddings is None or not len(cheap.frame_embeddings):
            why |= dict.fromkeys(PICTURE_POLICIES, WhyNot.NO_FRAMES)
        if (text := joined(posted)) and self._is_foreign(text):
            why |= dict.fromkeys(TEXT_POLICIES, WhyNot.LANGUAGE_NOT_COVERED)
        return why

    def _score(
        self, name: str, raw: Mapping[str, float], row: TextRow, why: Mapping[str, str]
    ) -> PolicyScore:
        if name in why:
            return PolicyScore(name, None, covered=False, why_not=why[name])
        if name in TEXT_POLICIES and row.empty:
            return PolicyScore(name, self._trained.without_text[name])
        probability = float(self._trained.calibration[name](raw[name]))
        return PolicyScore(name, float(np.clip(probability, 1e-4, 1 - 1e-4)))

    def _moved(
        self, inputs: Batch, hits: Hits, row: TextRow, why: Mapping[str, str]
    ) -> dict[str, Contributions]:
        found = picture_contributions(self._trained, inputs)
        if row.empty:
            found |= {name: (("no title and no caption", 0.0),) for name in TEXT_POLICIES}
        else:
            found |= text_contributions(self._trained, hits, row)
        known = policies()
        return {name: parts for name, parts in found.items() if name in known and name not in why}
