"""The embedded MLLM: SmolLM2-135M-Instruct with a LoRA adapter and two heads, on a CPU.

It reads text only in this version: title, caption, speech and screen text. It answers all its
policies in one forward pass.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from coefvq import taxonomy
from coefvq.domain import Assessment, PolicyScore, Rationale, Stage, WhyNot
from coefvq.mllm import checkpoint as files
from coefvq.mllm.backend import IsForeign, MllmInput
from coefvq.mllm.base import converted_hash, ensure_base
from coefvq.mllm.decoder import SplitDecoder, best_dtype, load_language_model
from coefvq.mllm.lexical import count_words
from coefvq.mllm.prompt import Line, PromptBuilder, lines_of
from coefvq.mllm.rationale import Reading, write_rationale

_MAX_BATCH = 8


Parts = tuple[SplitDecoder, PromptBuilder]


@dataclass(frozen=True)
class Answers:
    """Answers on some sets of lines: arrays (sets, policies); ``terms`` (sets, policies, parts)."""

    probability: np.ndarray
    mass: np.ndarray
    terms: np.ndarray
    tokens: int
    truncated: bool


class EmbeddedMllm:
    """The default backend. Make one with ``load``."""

    def __init__(
        self,
        checkpoint: files.Checkpoint,
        load_parts: Callable[[], Parts],
        is_foreign: IsForeign | None = None,
    ):
        """Keep the checkpoint; the language model loads at the first video that needs it.

        Args:
            load_parts: Returns the model with the adapter merged, and its prompt builder.
        """
        self._checkpoint, self._is_foreign = checkpoint, is_foreign
        self._load_parts, self._loading = load_parts, threading.Lock()
        self._loaded: Parts | None = None

    @property
    def _decoder(self) -> SplitDecoder:
        return self._parts()[0]

    @property
    def _builder(self) -> PromptBuilder:
        return self._parts()[1]

    def _parts(self) -> Parts:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load_parts()
            return self._loaded

    @classmethod
    def load(
        cls,
        cache_dir: Path,
        *,
        threads: int = 0,
        is_foreign: IsForeign | None = None,
        folder: Path = files.SHIPPED,
    ) -> EmbeddedMllm:
        """Load the checkpoint now and the base at first use (its first use ever converts it).

        Args:
            threads: CPU threads; 0 leaves torch's choice.
            is_foreign: Says whether a text is surely not English.
            folder: Where the checkpoint lies.

        Raises:
            ModelError: If weights are missing, damaged or do not fit together.
        """
        if threads:
            torch.set_num_threads(threads)
        checkpoint = files.load_checkpoint(folder)
        return cls(checkpoint, lambda: _load_parts(cache_dir, checkpoint), is_foreign)

    @property
    def version(self) -> str:
        """Changes with the checkpoint's bytes."""
        return self._checkpoint.version

    @property
    def covers(self) -> frozenset[str]:
        """Policies this model was trained for."""
        return frozenset(self._checkpoint.policies)

    def assess(self, item: MllmInput) -> Assessment:
        """Score every policy of the taxonomy; what cannot be answered is not covered."""
        started = time.perf_counter()
        lines = lines_of(item)
        why_not = self._why_not(item, lines)
        scores = {name: _not_covered(name, WhyNot.NOT_TRAINED) for name in taxonomy.policies()}
        if why_not:
            scores |= {name: _not_covered(name, why_not) for name in self._checkpoint.policies}
            return self._assessment(scores, started)
        answers = self.answer([lines])
        contributions = {}
        for column, name in enumerate(self._checkpoint.policies):
            probability = float(answers.probability[0, column])
            mass = float(answers.mass[0, column])
            scores[name] = PolicyScore(name, probability, label_mass=mass)
            parts = zip(files.PARTS, map(float, answers.terms[0, column]), strict=True)
            contributions[name] = tuple(sorted(parts, key=lambda part: -abs(part[1])))
        return self._assessment(scores, started, answers.tokens, contributions)

    def explain(self, item: MllmInput, assessment: Assessment) -> Rationale:
        """Measure what each line does to the score and put it in plain words."""
        lines = lines_of(item)
        readable = self._builder.readable(lines)
        truncated = bool(readable) and self._builder.build(readable).truncated
        return write_rationale(Reading(item, assessment, tuple(readable), truncated), self._scores)

    def answer(self, line_sets: Sequence[Sequence[Line]]) -> Answers:
        """Answer several sets of lines, in batches of at most eight."""
        prompts = [self._builder.build(lines) for lines in line_sets]
        found = [
            self._decoder.answer(prompts[start : start + _MAX_BATCH])
            for start in range(0, len(prompts), _MAX_BATCH)
        ]
        margin = torch.cat([part.margin for part in found]).numpy()
        mass = torch.cat([part.mass for part in found]).numpy()
        head = files.head_scores(self._checkpoint, torch.cat([part.pooled for part in found]))
        counted = [count_words(self._builder.readable(lines)) for lines in line_sets]
        probability, terms = [], []
        for column, name in enumerate(self._checkpoint.policies):
            words = [self._checkpoint.words[name](one) for one in counted]
            parts = np.stack([margin[:, column], head[:, column], words], axis=1)
            probability.append(self._checkpoint.readouts[name].probability(parts))
            terms.append(self._checkpoint.readouts[name].terms(parts))
        return Answers(
            probability=np.stack(probability, axis=1),
            mass=mass,
            terms=np.stack(terms, axis=1),
            tokens=sum(len(prompt.ids) for prompt in prompts),
            truncated=any(prompt.truncated for prompt in prompts),
        )

    def _scores(self, line_sets: Sequence[Sequence[Line]]) -> dict[str, np.ndarray]:
        found = self.answer(line_sets).probability
        return {name: found[:, i] for i, name in enumerate(self._checkpoint.policies)}

    def _why_not(self, item: MllmInput, lines: Sequence[Line]) -> str | None:
        if item.expensive.speech_understood is False:
            return WhyNot.SPEECH_NOT_UNDERSTOOD
        if not self._builder.readable(lines):
            return WhyNot.NOTHING_TO_READ
        if self._is_foreign and any(map(self._is_foreign, self._texts(lines))):
            return WhyNot.LANGUAGE_NOT_COVERED
        return None

    def _texts(self, lines: Sequence[Line]) -> list[str]:
        """The readable text of each modality: one foreign modality is enough to abstain."""
        by_modality: dict[str, list[str]] = {}
        for line in self._builder.readable(lines):
            by_modality.setdefault(line.modality, []).append(line.raw)
        return [" ".join(parts) for parts in by_modality.values()]

    def _assessment(
        self,
        scores: dict[str, PolicyScore],
        started: float,
        tokens: int = 0,
        contributions: dict[str, tuple[tuple[str, float], ...]] | None = None,
    ) -> Assessment:
        return Assessment(
            stage=Stage.MLLM,
            model_version=self.version,
            scores=scores,
            contributions=contributions or {},
            milliseconds=(time.perf_counter() - started) * 1000.0,
            tokens_in=tokens,
        )


def _load_parts(cache_dir: Path, checkpoint: files.Checkpoint) -> Parts:
    base = ensure_base(cache_dir)
    files.check_base(checkpoint, converted_hash(base))
    model, tokenizer = load_language_model(base, best_dtype())
    files.merge_adapter(model, checkpoint.adapter, checkpoint.scaling)
    decoder = SplitDecoder(model, tokenizer, checkpoint.split)
    return decoder, PromptBuilder(tokenizer, checkpoint.policies)


def _not_covered(policy: str, why_not: str) -> PolicyScore:
    return PolicyScore(policy, None, covered=False, why_not=why_not)
