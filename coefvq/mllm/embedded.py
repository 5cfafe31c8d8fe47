"""The embedded MLLM: the fused model, small enough for a CPU, with its readout.

It sees eight pictures, how things move, hears the sound as the speech recogniser's states, and
reads title, caption, speech and screen text. It answers all its policies in one forward pass.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq import taxonomy
from coefvq.domain import Assessment, PolicyScore, Rationale, Stage, WhyNot
from coefvq.ledger import loading
from coefvq.media.limits import MediaLimits
from coefvq.mllm.backend import IsForeign, MllmInput
from coefvq.mllm.fused.configuration import TEXT_MODALITIES
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.readout import PARTS, PolicyReadout
from coefvq.mllm.fused.reasons.lines import item_lines
from coefvq.mllm.fused.reasons.rationale import Case, explain, likeliest, write_rationale
from coefvq.mllm.fused.reasons.shown import Shown
from coefvq.mllm.fused.reasons.text import Reason
from coefvq.mllm.fused.scorer import Filled, FusedScorer, Scored
from coefvq.mllm.fused.shipped import SHIPPED, Shipped, load_scorer, read_shipped
from coefvq.mllm.sanitise import sanitise
from coefvq.mllm.senses import SOUND_STATES_PER_SECOND, pictures_if_any
from coefvq.mllm.steering import other_readings


@dataclass(frozen=True)
class _Scoring:
    """The last item that was scored, for a rationale that may follow."""

    item: MllmInput
    fused: FusedItem
    scored: Scored
    filled: Filled


class EmbeddedMllm:
    """The default backend. Make one with ``load``."""

    def __init__(
        self,
        shipped: Shipped,
        load: Callable[[], FusedScorer],
        limits: MediaLimits,
        is_foreign: IsForeign | None = None,
    ):
        """Keep what the checkpoint says; the models load at the first video that needs them.

        Args:
            load: Returns the model with its adapters merged.
        """
        self._shipped, self._load, self._limits = shipped, load, limits
        self._is_foreign, self._loading = is_foreign, threading.Lock()
        self._scorer: FusedScorer | None = None
        self._last: _Scoring | None = None

    @classmethod
    def load(
        cls,
        cache_dir: Path,
        *,
        threads: int = 0,
        limits: MediaLimits | None = None,
        is_foreign: IsForeign | None = None,
        folder: Path = SHIPPED,
    ) -> EmbeddedMllm:
        """Check the checkpoint now and load models at first use (the first ever converts them).

        Args:
            threads: CPU threads; 0 leaves torch's choice.
            limits: What decoding pictures may cost.
            is_foreign: Says whether a text is surely not English.
            folder: Where the checkpoint lies.

        Raises:
            ModelError: If weights are missing, damaged or do not fit together.
        """
        shipped = read_shipped(folder)
        return cls(
            shipped,
            lambda: load_scorer(shipped, cache_dir, threads),
            limits or MediaLimits(),
            is_foreign,
        )

    @property
    def version(self) -> str:
        """Changes with the checkpoint's bytes."""
        return self._shipped.version

    @property
    def covers(self) -> frozenset[str]:
        """Policies this model was trained for and measured on."""
        return frozenset(self._shipped.readout.policies)

    @property
    def loaded(self) -> bool:
        """Whether the models are in memory."""
        return self._scorer is not None

    def scorer(self) -> FusedScorer:
        """The loaded models; loads them at the first call."""
        if self._scorer is None:
            with loading("the MLLM"), self._loading:
                if self._scorer is None:
                    self._scorer = self._load()
        return self._scorer

    def assess(self, item: MllmInput) -> Assessment:
        """Score every policy of the taxonomy; what cannot be answered is not covered."""
        started = time.perf_counter()
        fused = self.fused_item(item)
        why_not = unanswerable(self._shipped.readout.policies, item, fused, self._is_foreign)
        scores = {name: _not_covered(name, WhyNot.NOT_TRAINED) for name in taxonomy.policies()}
        known = {name: why for name, why in why_not.items() if name in scores}
        scores |= {name: _not_covered(name, reason) for name, reason in known.items()}
        asked = (self.covers & scores.keys()) - why_not.keys()
        if not asked:
            return self._assessment(scores, started)
        scored = self._score(item, fused)
        for name in asked:
            scores[name] = PolicyScore(
                name, scored.probability[name], label_mass=scored.mass.get(name)
            )
        return self._assessment(scores, started, scored, asked)

    def explain(self, item: MllmInput, assessment: Assessment) -> Rationale:
        """Let the model pick what speaks for and against, and measure what it picked."""
        if likeliest(assessment) is None:
            return self._nothing_scored(item, assessment)
        scorer = self.scorer()
        with scorer.lock:
            last = self._last
            if last is None or not _same(last.item, item):
                fused = self.fused_item(item)
                self._score(item, fused)
                last = self._last
            assert last is not None
            return explain(
                scorer.model, scorer.processor, item, last.fused, assessment, self._measure,
                inputs=last.filled.inputs, cache=last.filled.cache,
            )  # fmt: skip

    def _nothing_scored(self, item: MllmInput, assessment: Assessment) -> Rationale:
        """Say why; this needs no model."""
        fused, policies = self.fused_item(item), self._shipped.parts.layout.policies
        seen = Shown(item_lines(fused, policies), cut=False)
        case = Case(item, fused, assessment, seen, policies)
        return write_rationale(case, Reason(None), self._measure)

    def fused_item(self, item: MllmInput) -> FusedItem:
        """What the model is given of a video."""
        return fused_item(item, self._limits)

    def _score(self, item: MllmInput, fused: FusedItem) -> Scored:
        """Score a video; words that speak to a machine cannot lower what it gets."""
        scorer = self.scorer()
        with scorer.lock:
            self._last = None  # the cache is about to hold something else
            fused = scorer.look(fused)
            others = scorer.score(other_readings(fused))
            scored, filled = scorer.score_one(fused)
            self._last = _Scoring(item, fused, scored, filled)
        return _highest(scored, others)

    def _measure(self, items: Sequence[FusedItem]) -> dict[str, NDArray[np.float64]]:
        """Probabilities of variants of a video, by policy, exactly as ``assess`` makes them."""
        others = [other_readings(item) for item in items]
        found = self.scorer().score([*items, *(one for extra in others for one in extra)])
        rest = iter(found[len(items) :])
        rows = [
            _highest(one, [next(rest) for _ in extra])
            for one, extra in zip(found, others, strict=False)
        ]
        return {name: np.array([row.probability[name] for row in rows]) for name in self.covers}

    def _assessment(
        self,
        scores: dict[str, PolicyScore],
        started: float,
        scored: Scored | None = None,
        asked: Collection[str] = (),
    ) -> Assessment:
        contributions = {}
        for name in asked:
            assert scored is not None
            parts = zip(PARTS, map(float, scored.terms[name]), strict=True)
            known = [part for part in parts if part[1] != 0.0]
            contributions[name] = tuple(sorted(known, key=lambda part: -abs(part[1])))
        return Assessment(
            stage=Stage.MLLM,
            model_version=self.version,
            scores=scores,
            contributions=contributions,
            milliseconds=(time.perf_counter() - started) * 1000.0,
            tokens_in=scored.tokens if scored else 0,
        )


def fused_item(item: MllmInput, limits: MediaLimits) -> FusedItem:
    """What the model is given of a video."""
    pictures = pictures_if_any(item.info, limits)
    signals = item.expensive
    return FusedItem(
        posted=item.posted,
        speech=signals.speech if signals.speech_understood is not False else None,
        screen_text=signals.screen_text,
        frames=None if pictures is None else list(pictures.frames),
        frame_times_s=None if pictures is None else pictures.times_s,
        sound_states=_finite(signals.sound_states),
        states_per_second=SOUND_STATES_PER_SECOND,
        motion=signals.motion,
    )


def unanswerable(
    readouts: Mapping[str, PolicyReadout],
    item: MllmInput,
    fused: FusedItem,
    is_foreign: IsForeign | None,
) -> dict[str, str]:
    """Policies that a video cannot be scored for, with the reason."""
    no_text = _no_text(item, fused, is_foreign)
    no_picture = None if fused.frames or fused.motion is not None else WhyNot.NO_FRAMES
    found = {}
    for name, readout in readouts.items():
        reason = no_text if set(readout.needs) <= set(TEXT_MODALITIES) else no_picture
        if reason is not None:
            found[name] = str(reason)
    return found


def _no_text(item: MllmInput, fused: FusedItem, is_foreign: IsForeign | None) -> WhyNot | None:
    texts = {name: text for name, text in _texts(fused).items() if text.strip()}
    if item.expensive.speech_understood is False:
        return WhyNot.SPEECH_NOT_UNDERSTOOD
    if not any(sanitise(text) for text in texts.values()):
        return WhyNot.NOTHING_TO_READ
    if is_foreign and any(map(is_foreign, texts.values())):
        return WhyNot.LANGUAGE_NOT_COVERED
    return None


def _finite(states: NDArray[np.float16] | None) -> NDArray[np.float16] | None:
    """States with 0 for what is no number: one such value would make all scores no numbers."""
    return None if states is None else np.nan_to_num(states, posinf=0.0, neginf=0.0)


def _texts(fused: FusedItem) -> dict[str, str]:
    """The words of each modality: one foreign modality is enough to abstain."""
    posted = (fused.posted.title, fused.posted.caption)
    return {
        "caption": " ".join(text for text in posted if text),
        "speech": " ".join(line.text for line in fused.speech or ()),
        "screen_text": " ".join(line.text for line in fused.screen_text or ()),
    }


def _highest(scored: Scored, others: Sequence[Scored]) -> Scored:
    """By policy, the reading of a video that gives the highest probability."""
    best = {
        name: max((scored, *others), key=lambda one: one.probability[name])
        for name in scored.probability
    }
    return Scored(
        {name: one.probability[name] for name, one in best.items()},
        {name: one.terms[name] for name, one in best.items()},
        {name: one.mass[name] for name, one in best.items() if name in one.mass},
        scored.tokens,
    )


def _same(one: MllmInput, other: MllmInput) -> bool:
    """Whether two inputs are of one video; signals are compared by identity."""
    return one.expensive is other.expensive and (one.posted, one.info) == (other.posted, other.info)


def _not_covered(policy: str, why_not: str) -> PolicyScore:
    return PolicyScore(policy, None, covered=False, why_not=why_not)
