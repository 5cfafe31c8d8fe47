"""From a video's parts to the tensors of the fused model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoProcessor, BatchFeature, ProcessorMixin

from coefvq.errors import ModelError
from coefvq.mllm.fused.configuration import FusedConfig
from coefvq.mllm.fused.items import FusedItem, Seen, heard, seen
from coefvq.mllm.fused.layout import (
    MARKS,
    Event,
    Layout,
    PromptWriter,
    Written,
    claim_marks,
)
from coefvq.mllm.fused.projectors import tokens_a_group
from coefvq.mllm.fused.towers import grid_side
from coefvq.mllm.prompt import posted_lines, timed_lines


class FusedProcessor(ProcessorMixin):
    """Turns items into prompts with placeholders in time order, and their features.

    Args:
        image_processor: Of the vision tower.
        feature_extractor: Of the sound tower; ``SoundStatesExtractor`` for precomputed states.
        tokenizer: Of the language model; it must know the layout's marks.
        chat_template: Unused; kept for the processor's conventions.
        layout: ``Layout.to_dict()``; make one with ``for_model``.
    """

    def __init__(
        self,
        image_processor: Any = None,
        feature_extractor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        layout: dict[str, Any] | None = None,
    ):
        super().__init__(image_processor, feature_extractor, tokenizer, chat_template=chat_template)
        self.layout = Layout.from_dict(layout or {"marks": claim_marks(tokenizer)}).to_dict()
        self._layout = Layout.from_dict(self.layout)
        self._writer = PromptWriter(tokenizer, self._layout)

    @classmethod
    def for_model(
        cls,
        config: FusedConfig,
        image_processor: Any,
        feature_extractor: Any,
        tokenizer: Any,
        *,
        rules: Sequence[str] = (),
        **options: Any,
    ) -> FusedProcessor:
        """Make the processor that fits a configuration.

        Args:
            rules: One line a policy for the system text.
            options: ``max_tokens``, ``max_frames``, ``max_sound_tokens`` of ``Layout``.
        """
        ids = {name: getattr(config, f"{name}_token_id") for name in MARKS}
        layout = Layout(
            policies=tuple(config.policies or ()),
            rules=tuple(rules),
            marks={name: tokenizer.convert_ids_to_tokens(at) for name, at in ids.items()},
            early_fusion=config.early_fusion,
            frame_pool=config.frame_pool,
            patch_merge=config.patch_merge,
            sound_pool=config.sound_pool,
            motion_size=config.motion_size,
            grid_side=grid_side(config.vision_config),
            **options,
        )
        return cls(image_processor, feature_extractor, tokenizer, layout=layout.to_dict())

    @property
    def writer(self) -> PromptWriter:
        """Writes the prompts; gives the positions and the room for text."""
        return self._writer

    @property
    def model_input_names(self) -> list[str]:
        """Names of all tensors that a call can give."""
        return [
            "input_ids", "attention_mask", "modality_ids", "slot_positions", "labels",
            "pixel_values", "vision_features", "frame_mask", "frame_times",
            "input_features", "sound_features", "sound_mask", "sound_times", "motion_features",
        ]  # fmt: skip

    def __call__(
        self,
        items: FusedItem | Sequence[FusedItem],
        *,
        reasons: Sequence[str | None] | None = None,
        explain: bool = False,
        padding_side: str = "right",
        **_: Any,
    ) -> BatchFeature:
        """Prepare a batch.

        Args:
            items: One or more items.
            reasons: Rationales to learn, one an item; gives ``labels``.
            explain: End the prompts with the call for a rationale, for ``generate``.
            padding_side: ``right``, or ``left`` to generate for several items at once.

        Returns:
            Tensors for ``FusedForConditionalGeneration.forward``, batch first.

        Raises:
            ModelError: If media do not fit the model, or mix pixels and feature maps.
        """
        batch = [items] if isinstance(items, FusedItem) else list(items)
        wanted = list(reasons) if reasons is not None else [None] * len(batch)
        if not batch or len(wanted) != len(batch):
            raise ModelError(f"{len(batch)} items with {len(wanted)} rationales; give one each.")
        pictures = [seen(item, self._layout, self.image_processor) for item in batch]
        sounds = [heard(item, self._layout, self.feature_extractor) for item in batch]
        written = [
            self._write(item, picture, sound, reason, explain)
            for item, picture, sound, reason in zip(batch, pictures, sounds, wanted, strict=True)
        ]
        data = self._collate(written, padding_side == "left", reasons is not None)
        data |= _stack(pictures, "frame") | _stack(sounds, "sound")
        return BatchFeature(data | self._motion(batch))

    def _write(
        self, item: FusedItem, picture: Seen | None, sound: Seen | None, reason: str | None,
        explain: bool,
    ) -> Written:  # fmt: skip
        posted = {
            "title": [line.raw for line in posted_lines("title", item.posted.title)],
            "caption": [line.raw for line in posted_lines("caption", item.posted.caption)],
        }
        events = _text_events(item)
        events = [event for event in events if self._writer.readable(event.text)]
        present = {event.modality for event in events}
        if any(self._writer.readable(text) for texts in posted.values() for text in texts):
            present.add("caption")
        for name, sense in (("visual", picture), ("sound", sound)):
            if sense is not None:
                present.add(name)
                events += self._media_events(name, sense)
        if self._layout.motion_size and item.motion is not None:
            present.add("motion")
        return self._writer.write(posted, events, frozenset(present), reason, explain=explain)

    def _media_events(self, name: str, sense: Seen) -> list[Event]:
        if not self._layout.early_fusion:
            return []
        each, pool = 1, self._layout.sound_pool
        if name == "visual":
            pool = self._layout.frame_pool
            rows, columns = sense.grid or (self._layout.grid_side,) * 2
            each = tokens_a_group(rows, columns, self._layout.patch_merge)
        starts = sense.times[::pool]
        return [Event(name, float(start), tokens=each) for start in starts]

    def _collate(self, written: list[Written], left: bool, learn: bool) -> dict[str, Tensor]:
        longest = max(len(one.ids) for one in written)
        blank = self.tokenizer.pad_token_id
        blank = self.tokenizer.eos_token_id if blank is None else blank
        fields: dict[str, Any] = {"input_ids": (lambda one: one.ids, blank or 0)}
        fields["attention_mask"] = (lambda one: one.attended, 0)
        fields["modality_ids"] = (lambda one: one.modality_ids, 0)
        if learn:
            fields["labels"] = (lambda one: one.labels, -100)
        data = {}
        for name, (values, fill) in fields.items():
            rows = [_padded(values(one), longest, fill, left) for one in written]
            data[name] = torch.tensor(rows)
        shift = [longest - len(one.ids) if left else 0 for one in written]
        slots = [[at + by for at in one.slots] for one, by in zip(written, shift, strict=True)]
        return data | {"slot_positions": torch.tensor(slots, dtype=torch.long)}

    def _motion(self, batch: list[FusedItem]) -> dict[str, Tensor]:
        size = self._layout.motion_size
        if not size or all(item.motion is None for item in batch):
            return {}
        rows = [np.zeros(size) if item.motion is None else item.motion for item in batch]
        if any(len(row) != size for row in rows):
            sizes = [len(row) for row in rows]
            raise ModelError(f"Motion has {sizes} statistics, expected {size} each.")
        return {"motion_features": torch.tensor(np.stack(rows), dtype=torch.float32)}


def _text_events(item: FusedItem) -> list[Event]:
    events = []
    for field, lines in (("speech", item.speech), ("screen_text", item.screen_text)):
        ordered = sorted(lines or (), key=lambda line: _second(line.start_s))
        events += [
            Event(field, _second(line.start_s), line.raw) for line in timed_lines(field, ordered)
        ]
    return events


def _second(value: float) -> float:
    return float(value) if np.isfinite(value) and value > 0 else 0.0


def _padded(values: list[int], length: int, fill: int, left: bool) -> list[int]:
    blank = [fill] * (length - len(values))
    return blank + values if left else values + blank


def _stack(found: list[Seen | None], prefix: str) -> dict[str, Tensor]:
    """Pad one sense of a batch: features, bool mask (B, N), times (B, N)."""
    there = [one for one in found if one is not None]
    if not there:
        return {}
    kinds = {(one.name, one.values.shape[1:]) for one in there}
    if len(kinds) > 1:
        raise ModelError(
            f"A batch cannot mix {prefix} inputs of different kinds or sizes: {sorted(kinds)}."
        )
    name, shape = next(iter(kinds))
    longest, steps = (max(len(getattr(one, k)) for one in there) for k in ("values", "times"))
    values = torch.zeros(len(found), longest, *shape)
    mask = torch.zeros(len(found), steps, dtype=torch.bool)
    times = torch.zeros(len(found), steps)
    for row, one in enumerate(found):
        if one is not None:
            values[row, : len(one.values)] = torch.from_numpy(one.values)
            mask[row, : len(one.times)] = True
            times[row, : len(one.times)] = torch.from_numpy(one.times)
    if name == "input_features":  # a window is longer than the sound in its last part
        missing = longest * there[0].states_a_window - steps
        mask, times = (torch.nn.functional.pad(x, (0, missing)) for x in (mask, times))
    return {name: values, f"{prefix}_mask": mask, f"{prefix}_times": times}


AutoProcessor.register(FusedConfig, FusedProcessor)
