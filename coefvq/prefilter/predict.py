"""The prefilter as the cascade uses it: signals in, a calibrated probability a policy out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from coefvq.domain import Assessment, CheapSignals, PolicyScore, PostedText, Stage, WhyNot
from coefvq.prefilter.adjust import PICTURES, TEXT
from coefvq.prefilter.explain import NO_WORDS, Contributions, Seen, contributions
from coefvq.prefilter.features import BLOCKS, batch, picture_blocks
from coefvq.prefilter.model import PICTURE_POLICIES, POLICIES, TEXT_POLICIES
from coefvq.prefilter.text import counted, joined, text_hits, weigh, with_unseen
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
        self.covers: frozenset[str] = frozenset(trained.covers)
        self._trained = trained
        self._unseen = with_unseen(trained.idf) if trained.adjustments else trained.idf
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
        foreign = bool(text := joined(posted)) and self._is_foreign(text)
        seen = self._seen(cheap, posted, foreign)
        with torch.no_grad():
            raw = self._raw(seen)
            why = self._not_covered(cheap, seen, foreign)
            moved = contributions(self._trained, seen)
        scores = {name: self._score(name, raw, seen, why) for name in policies()}
        spent = (time.perf_counter() - started) * 1000
        return Assessment(
            Stage.PREFILTER,
            self.version,
            scores,
            contributions=self._told(moved, seen, why),
            milliseconds=spent,
        )

    def _seen(self, cheap: CheapSignals | None, posted: PostedText, foreign: bool) -> Seen:
        hits = text_hits(posted)
        counts = counted(posted, hits)
        row = weigh(counts, self._trained.idf)
        adjusted = weigh(counts, self._unseen) if self._trained.adjustments else row
        inputs = batch([row], [picture_blocks(cheap)], self._trained.scaling)
        return Seen(hits, row, adjusted, inputs, readable=not (row.empty or foreign))

    def _raw(self, seen: Seen) -> dict[str, float]:
        """Log-odds before calibration: the network's, with what a refit added."""
        net = self._trained.net(seen.inputs)[0].tolist()
        raw = dict(zip(POLICIES, net, strict=True))
        standard = {
            name: seen.inputs.blocks[name][0].numpy()
            if bool(seen.inputs.present[name][0])
            else None
            for name in BLOCKS
        }
        for name, adjustment in self._trained.adjustments.items():
            total = adjustment.slope * raw.get(name, 0.0) + adjustment.shift
            if seen.readable:
                total += adjustment.text_evidence(seen.adjusted)
            raw[name] = total + sum(adjustment.block_evidence(standard).values())
        return raw

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

    def _not_covered(
        self, cheap: CheapSignals | None, seen: Seen, foreign: bool
    ) -> dict[str, WhyNot]:
        """By policy, why it cannot be answered for this video."""
        dark = None
        if cheap is None:
            dark = WhyNot.NO_MEDIA
        elif cheap.frame_embeddings is None or not len(cheap.frame_embeddings):
            dark = WhyNot.NO_FRAMES
        why = {}
        for name in policies():
            found = self._reason(name, dark, seen, foreign)
            if found is not None:
                why[name] = found
        return why

    def _reason(self, name: str, dark: WhyNot | None, seen: Seen, foreign: bool) -> WhyNot | None:
        if name not in self.covers:
            return WhyNot.NOT_TRAINED
        needs = self._needs(name)
        if TEXT in needs and foreign:
            return WhyNot.LANGUAGE_NOT_COVERED
        # whoever reads both answers from the side that is there
        if PICTURES in needs and (needs == {PICTURES} or seen.row.empty):
            return dark
        return None

    def _needs(self, name: str) -> frozenset[str]:
        """The side that a policy cannot be answered without; both: one of them."""
        if name in TEXT_POLICIES:
            return frozenset({TEXT})
        if name in PICTURE_POLICIES:
            return frozenset({PICTURES})
        return self._trained.adjustments[name].reads

    def _wordless(self, name: str, seen: Seen) -> bool:
        return seen.row.empty and self._needs(name) == {TEXT}

    def _score(
        self, name: str, raw: Mapping[str, float], seen: Seen, why: Mapping[str, WhyNot]
    ) -> PolicyScore:
        if name in why:
            return PolicyScore(name, None, covered=False, why_not=why[name])
        if self._wordless(name, seen):
            return PolicyScore(name, self._trained.without_text[name])
        probability = float(self._trained.calibration[name](raw[name]))
        return PolicyScore(name, float(np.clip(probability, 1e-4, 1 - 1e-4)))

    def _told(
        self, moved: Mapping[str, Contributions], seen: Seen, why: Mapping[str, WhyNot]
    ) -> dict[str, Contributions]:
        known = policies()
        return {
            name: NO_WORDS if self._wordless(name, seen) else parts
            for name, parts in moved.items()
            if name in known and name not in why
        }
