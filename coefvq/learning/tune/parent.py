"""The parent in two halves: below the split frozen and merged, above it open to change.

The split lies where the text states are pooled. So everything below (projectors, embeddings, the
lower layers and their adapters) stays, its states are computed once an item, the pooled states
are what the parent's own heads know, and a fine-tune costs a fifth of a whole pass a step.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from coefvq.learning.fused.fit import load_into
from coefvq.mllm.fused.heads import FusedOutput
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.scorer import FusedScorer
from coefvq.mllm.fused.shipped import Shipped, load_model
from coefvq.mllm.fused.split import Lower, embed, lower, upper
from coefvq.mllm.fused.trained import (
    as_saved,
    layer_of,
    merge_lora,
    read_trained,
    save_trained,
    trained_parameters,
)

_ABOVE = ("late.", "head.", "combination.")


@dataclass(frozen=True)
class Answered:
    """What a network says of one item at its slots, float32 (P,) each.

    Attributes:
        log_mass: Log of the probability on all label tokens.
    """

    label_logits: Tensor
    fused_logits: Tensor
    slot_logits: Tensor
    log_mass: Tensor


class Parent:
    """A checkpoint that is being tuned. Make one with ``open``."""

    def __init__(
        self, shipped: Shipped, model: FusedForConditionalGeneration, processor: Any
    ) -> None:
        self.shipped, self.model, self.processor = shipped, model, processor
        self.split = int(model.config.late_text_layer or 0)
        merge_lora(model, below=self.split)
        for name, parameter in trained_parameters(model):
            parameter.requires_grad_(self._is_open(name))
        self._looker = FusedScorer(model, processor, shipped.readout)

    @classmethod
    def open(cls, shipped: Shipped, cache_dir: Path) -> Parent:
        """Load the network of a checkpoint.

        Raises:
            ModelError: If bases are missing or are not those of the training.
        """
        return cls(shipped, *load_model(shipped, cache_dir))

    @property
    def slots(self) -> tuple[str, ...]:
        """Policies that have a slot, in their order."""
        return tuple(self.model.config.policies or ())

    def open_parameters(self) -> dict[str, nn.Parameter]:
        """What a fine-tune changes, by name."""
        return {n: p for n, p in trained_parameters(self.model) if self._is_open(n)}

    def look(self, item: FusedItem) -> FusedItem:
        """The item with feature maps in place of frames."""
        return self._looker.look(item)

    @torch.inference_mode()
    def below(self, items: Sequence[FusedItem]) -> list[Lower]:
        """States of the frozen half."""
        return lower(self.model, embed(self.model, self.processor(list(items))), self.split)

    def above(self, states: Sequence[Lower]) -> tuple[FusedOutput, Tensor]:
        """Answers of the open half as it is now, and the log of the label mass (B, P)."""
        output, log_mass, _ = upper(self.model, states, self.split)
        return output, log_mass

    @torch.inference_mode()
    def answers(self, states: Sequence[Lower]) -> list[Answered]:
        """The same, one item a row, without gradients."""
        output, log_mass = self.above(states)
        parts = (output.label_logits, output.fused_logits, output.slot_logits, log_mass)
        rows = [part.float().clone() for part in parts if part is not None]
        return [Answered(*(part[row] for part in rows)) for row in range(len(states))]

    def as_served(self) -> Parent:
        """A copy that answers as the saved checkpoint will: rounded, adapters merged."""
        twin = copy.copy(self)
        twin.model = copy.deepcopy(self.model)
        named = dict(trained_parameters(twin.model))
        rounded = {
            name: as_saved({name: p})[name.replace(".default", "")] for name, p in named.items()
        }
        load_into(named, rounded)
        merge_lora(twin.model)
        twin.model.eval()
        return twin

    def save(self, folder: Path) -> None:
        """Write the checkpoint; what was not open keeps the parent's very numbers."""
        parts, _, tensors = read_trained(self.shipped.folder)
        opened: Mapping[str, Tensor] = as_saved(self.open_parameters())
        save_trained(self.model, replace(parts, facts={}), folder, {**tensors, **opened})

    def _is_open(self, name: str) -> bool:
        return name.startswith(_ABOVE) or ("lora_" in name and layer_of(name) >= self.split)
