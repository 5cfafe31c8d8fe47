"""The fused model in two halves: lower layers once, upper layers many times.

Where the lower layers, projectors and embeddings are frozen, their states are the same in every
epoch and every fold. ``lower`` computes them with everything else a pass needs; ``upper`` goes on
from there. Both halves together give what ``FusedForConditionalGeneration.forward`` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from coefvq.mllm.fused.configuration import MODALITIES
from coefvq.mllm.fused.fusion import pooled_text
from coefvq.mllm.fused.heads import FusedOutput, stream_statistics
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration

_SENSE_INPUTS = {
    "visual": ("pixel_values", "vision_features", "frame_mask", "frame_times"),
    "sound": ("input_features", "sound_features", "sound_mask", "sound_times"),
}


@dataclass(frozen=True)
class Embedded:
    """One item before the first layer: attended tokens only, so nothing is masked or padded.

    Attributes:
        embeds: (L, H), every placeholder filled.
        modality: int64 (L,), as in ``fusion.drop_modalities``.
        slots: int64 (P,), index into ``embeds``.
        labels: int64 (L,), next-token targets, -100 where none.
        pooled: Float32 statistics by sense that is there: ``visual``, ``sound``, ``motion``.
        absent: bool (6,), in the order of ``MODALITIES``.
    """

    embeds: Tensor
    modality: Tensor
    slots: Tensor
    labels: Tensor
    pooled: dict[str, Tensor]
    absent: Tensor


@dataclass(frozen=True)
class Lower:
    """One item after the lower half.

    Attributes:
        states: (L, H) after the split layer.
        slots: int64 (P,), index into ``states``.
        labels: int64 (L,), next-token targets, -100 where none.
        text: float32 (H,), mean state of the item's words; zeros without any.
        pooled: As in ``Embedded``.
        absent: As in ``Embedded``.
    """

    states: Tensor
    slots: Tensor
    labels: Tensor
    text: Tensor
    pooled: dict[str, Tensor]
    absent: Tensor


@dataclass(frozen=True)
class Top:
    """What the head reads of one item: the language model's part of the work is done.

    Attributes:
        slots: float32 (P, H), last hidden states of the slots.
        label_logits: float32 (P,), log-odds of the YES against the NO tokens.
        log_mass: float32 (P,), log of the probability on all label tokens.
        text: As in ``Lower``.
        pooled: As in ``Embedded``.
        absent: As in ``Embedded``.
    """

    slots: Tensor
    label_logits: Tensor
    log_mass: Tensor
    text: Tensor
    pooled: dict[str, Tensor]
    absent: Tensor


@contextmanager
def part_of(decoder: Any, first: int, last: int) -> Iterator[Any]:
    """A decoder that runs layers ``first`` up to ``last``; the norm only after the last layer."""
    layers, norm, count = decoder.layers, decoder.norm, decoder.config.num_hidden_layers
    decoder.layers = layers[first:last]
    decoder.norm = norm if last == len(layers) else nn.Identity()
    decoder.config.num_hidden_layers = last - first
    try:
        yield decoder
    finally:
        decoder.layers, decoder.norm = layers, norm
        decoder.config.num_hidden_layers = count


def embed(
    model: FusedForConditionalGeneration, batch: Any, dropped: Tensor | None = None
) -> list[Embedded]:
    """Fill the prompts of a right-padded batch and leave out what is not attended.

    Args:
        batch: From the processor.
        dropped: bool (B, 6), modalities to leave out; ``None``: none.
    """
    ids, modality = batch["input_ids"], batch["modality_ids"]
    if dropped is None:
        dropped = torch.zeros(len(ids), len(MODALITIES), dtype=torch.bool, device=ids.device)
    mask, absent = model._presence(ids, batch["attention_mask"], modality, dropped, None)
    streams = model._streams(
        {name: tuple(batch.get(key) for key in keys) for name, keys in _SENSE_INPUTS.items()}
    )
    embeds = model.early.embed(model.get_input_embeddings(), ids, streams)
    embeds = model.early.learnt(embeds, modality, batch["slot_positions"])
    pooled = {name: stream_statistics(stream).float() for name, stream in streams.items()}
    if batch.get("motion_features") is not None:
        pooled["motion"] = batch["motion_features"].float()
    labels = batch.get("labels")
    labels = torch.full_like(ids, -100) if labels is None else labels
    return [
        _compact(embeds[row], mask[row] > 0, modality[row], batch["slot_positions"][row],
                 labels[row], {k: v[row] for k, v in pooled.items()}, absent[row])
        for row in range(len(ids))
    ]  # fmt: skip


def _compact(
    embeds: Tensor, attended: Tensor, modality: Tensor, slots: Tensor, labels: Tensor,
    pooled: dict[str, Tensor], absent: Tensor,
) -> Embedded:  # fmt: skip
    """Positions count attended tokens only, so leaving the others out changes nothing."""
    place = attended.long().cumsum(0) - 1
    there = {k: v for k, v in pooled.items() if not absent[MODALITIES.index(k)]}
    return Embedded(
        embeds[attended], modality[attended], place[slots], labels[attended], there, absent
    )


@torch.no_grad()
def lower(
    model: FusedForConditionalGeneration, items: Sequence[Embedded], split: int
) -> list[Lower]:
    """Run the lower half."""
    found = run(model, [item.embeds for item in items], 0, split)
    return [
        Lower(
            states := found[row, : len(item.embeds)].clone(), item.slots, item.labels,
            mean_of_words(states, item.modality), item.pooled, item.absent,
        )
        for row, item in enumerate(items)
    ]  # fmt: skip


def run(
    model: FusedForConditionalGeneration, states: Sequence[Tensor], first: int, last: int
) -> Tensor:
    """Run layers ``first`` up to ``last`` over states (L, H) each, to (B, longest, H).

    Padding stands on the right and attention is causal, so no mask is needed.
    """
    longest = max(map(len, states))
    padded = torch.stack([_padded(one, longest) for one in states])
    with part_of(model.language_model.get_decoder(), first, last) as decoder:
        places = torch.arange(longest, device=padded.device)[None]
        return decoder(inputs_embeds=padded, position_ids=places, use_cache=False).last_hidden_state


def mean_of_words(states: Tensor, modality: Tensor) -> Tensor:
    """Mean state of the item's words, float32 (H,); zeros without any."""
    one = torch.ones_like(modality, dtype=torch.bool)[None]
    return pooled_text(states.float()[None], one, modality[None])[0][0]


def upper(
    model: FusedForConditionalGeneration, items: Sequence[Lower], split: int
) -> tuple[FusedOutput, Tensor, Tensor]:
    """Run the upper half.

    Returns:
        The answers, the log of the label mass (B, P), and the last hidden states (B, L, H).
    """
    hidden = run(model, [item.states for item in items], split, _layers(model))
    output, log_mass = answer(model, hidden, items)
    return output, log_mass, hidden


def answer(
    model: FusedForConditionalGeneration, hidden: Tensor, items: Sequence[Lower]
) -> tuple[FusedOutput, Tensor]:
    """Read the slots of last hidden states (B, L, H).

    Returns:
        The answers and the log of the label mass (B, P).
    """
    output = FusedOutput()
    slots = torch.stack([item.slots for item in items])
    return output, model._answer(output, hidden, slots, late_states(model, items))


@torch.no_grad()
def tops(model: FusedForConditionalGeneration, items: Sequence[Embedded], split: int) -> list[Top]:
    """Run the whole language model and keep what the head reads."""
    states = lower(model, items, split)
    output, log_mass, hidden = upper(model, states, split)
    assert output.label_logits is not None
    return [
        Top(hidden[row, item.slots].float(), output.label_logits[row].float(),
            log_mass[row].float(), item.text, item.pooled, item.absent)
        for row, item in enumerate(states)
    ]  # fmt: skip


def answer_tops(model: FusedForConditionalGeneration, items: Sequence[Top]) -> FusedOutput:
    """The head's answers and their sum with the label tokens', (B, P) each."""
    slots = torch.stack([item.slots for item in items])
    label = torch.stack([item.label_logits for item in items])
    fused = model.head(slots, late_states(model, items))
    mass = torch.stack([item.log_mass for item in items]).exp().clamp(0.0, 1.0)
    return FusedOutput(
        slot_logits=model.combination(label, fused),
        label_logits=label,
        fused_logits=fused,
        label_mass=mass,
    )


def late_states(
    model: FusedForConditionalGeneration, items: Sequence[Lower] | Sequence[Top]
) -> Tensor | None:
    """The late-fusion input of the head, (B, 4 * width)."""
    if model.late is None:
        return None
    names = {name for item in items for name in item.pooled}
    pooled = {name: torch.stack([_or_zeros(item, name, items) for item in items]) for name in names}
    pooled["text"] = torch.stack([item.text for item in items])
    absent = torch.stack([item.absent for item in items])
    senses = ("visual", "sound", "motion")
    there = {name: ~absent[:, MODALITIES.index(name)] for name in senses}
    read = torch.tensor([bool(item.text.any()) for item in items])
    return model.late(pooled, there | {"text": read})


def _or_zeros(item: Lower | Top, name: str, items: Sequence[Lower] | Sequence[Top]) -> Tensor:
    if name in item.pooled:
        return item.pooled[name]
    return torch.zeros_like(next(i.pooled[name] for i in items if name in i.pooled))


def _padded(states: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(states, (0, 0, 0, length - len(states)))


def _layers(model: FusedForConditionalGeneration) -> int:
    return int(model.language_model.get_decoder().config.num_hidden_layers)
