"""Scores videos with the fused model and its readout, and keeps what a rationale can reuse."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.pooled import pooled_states, words_of
from coefvq.mllm.fused.processing import FusedProcessor
from coefvq.mllm.fused.readout import Readout
from coefvq.mllm.fused.split import Embedded, Lower, answer, embed, lower, mean_of_words, upper
from coefvq.mllm.fused.towers import look
from coefvq.mllm.fused.words import count_words

_BATCH = 8


@dataclass(frozen=True)
class Scored:
    """What the model says of one item, by policy of the readout.

    Attributes:
        probability: 0..1, calibrated.
        terms: The summands (4,) of the log-odds, in the order of ``readout.PARTS``.
        mass: 0..1, next-token probability on the label tokens; only of policies with a slot.
        tokens: Of the prompt.
    """

    probability: dict[str, float]
    terms: dict[str, NDArray[np.float64]]
    mass: dict[str, float]
    tokens: int


@dataclass(frozen=True)
class Filled:
    """The prompt of one item as it stands in the cache.

    Attributes:
        inputs: ``input_ids``, ``modality_ids`` and ``attention_mask``, int64 (1, L), of the
            tokens in the cache: those of the processor that are attended.
        cache: Keys and values of all attended tokens; the scorer's own, valid until the next
            item is scored alone.
    """

    inputs: Any
    cache: DynamicCache


class FusedScorer:
    """Joins model, processor and readout. One item at a time may hold the cache."""

    def __init__(
        self, model: FusedForConditionalGeneration, processor: FusedProcessor, readout: Readout
    ):
        self.model, self.processor, self.readout = model.eval(), processor, readout
        self._split = int(model.config.late_text_layer or 0)
        self.lock = threading.RLock()
        self._cache = DynamicCache(config=model.config.text_config)
        self._opened = 0

    @torch.inference_mode()
    def look(self, item: FusedItem) -> FusedItem:
        """The item with feature maps in place of frames, so that variants of it cost no look."""
        if item.frames is None or len(item.frames) == 0 or self.model.vision_tower is None:
            return item
        ready = self.processor.image_processor(images=list(item.frames), return_tensors="pt")
        maps = look(self.model.vision_tower, ready["pixel_values"]).permute(0, 3, 1, 2)
        return replace(item, frames=None, frame_features=maps.float().numpy())

    def score(self, items: Sequence[FusedItem]) -> list[Scored]:
        """Score items in batches of at most eight; nothing is kept."""
        found: list[Scored] = []
        for start in range(0, len(items), _BATCH):
            with self.lock:  # the halves take layers off the decoder for a moment
                found += self._score_batch(items[start : start + _BATCH])
        return found

    @torch.inference_mode()
    def _score_batch(self, items: Sequence[FusedItem]) -> list[Scored]:
        embedded = embed(self.model, self.processor(list(items)))
        states = lower(self.model, embedded, self._split)
        output, _, _ = upper(self.model, states, self._split)
        return [
            self._read(item, state, output, row)
            for row, (item, state) in enumerate(zip(items, states, strict=True))
        ]

    @torch.inference_mode()
    def score_one(self, item: FusedItem) -> tuple[Scored, Filled]:
        """Score one item and keep its cache. The policy text before it is computed only once."""
        with self.lock:
            inputs = self.processor(item)
            embedded = embed(self.model, inputs)[0]
            last, at_split = self._run(embedded)
            text = mean_of_words(at_split, embedded.modality[self._opened :])
            state = Lower(last, embedded.slots - self._opened, embedded.labels, text,
                          embedded.pooled, embedded.absent)  # fmt: skip
            output, _ = answer(self.model, last[None], [state])
            return self._read(item, state, output, 0), Filled(_attended(inputs), self._cache)

    def _run(self, one: Embedded) -> tuple[Tensor, Tensor]:
        """Last states and states at the split of everything behind the policy text."""
        decoder: Any = self.model.language_model.get_decoder()
        layers: Any = self._cache.layers
        lengths = {layer.get_seq_length() for layer in layers}
        if not self._opened or len(lengths) > 1:  # a pass that failed fills some layers only
            self._open(decoder)
        self._cache.crop(self._opened - self._cache.get_seq_length())
        found = decoder(
            inputs_embeds=one.embeds[None, self._opened :],
            position_ids=torch.arange(self._opened, len(one.embeds))[None],
            past_key_values=self._cache,
            use_cache=True,
            output_hidden_states=True,
        )
        return found.last_hidden_state[0], found.hidden_states[self._split][0]

    def _open(self, decoder: Any) -> None:
        """Fill a new cache with the policy text."""
        opening = torch.tensor([self.processor.writer.opening])
        self._cache = DynamicCache(config=self.model.config.text_config)
        decoder(
            inputs_embeds=self.model.get_input_embeddings()(opening),
            past_key_values=self._cache, use_cache=True,
        )  # fmt: skip
        self._opened = opening.shape[1]

    def _read(self, item: FusedItem, state: Lower, output: Any, row: int) -> Scored:
        states, counted = pooled_states(state), count_words(words_of(item))
        probability, terms, mass = {}, {}, {}
        columns = {name: at for at, name in enumerate(self.model.config.policies or ())}
        for name, readout in self.readout.policies.items():
            slot = (0.0, 0.0)  # a policy that a fine-tune added is read from states and words
            if name in columns:
                at = (row, columns[name])
                slot = (float(output.label_logits[at]), float(output.fused_logits[at]))
                mass[name] = float(output.label_mass[at])
            parts = readout.parts(*slot, states, counted)
            probability[name] = float(readout.probability(parts))
            terms[name] = readout.terms(parts)
        return Scored(probability, terms, mass, len(state.labels))


def _attended(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The token rows of one item without what is not attended."""
    kept = inputs["attention_mask"][0] > 0
    names = ("input_ids", "modality_ids", "attention_mask")
    return {name: inputs[name][:, kept] for name in names}
