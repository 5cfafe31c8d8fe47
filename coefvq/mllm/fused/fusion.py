"""Early fusion (what a modality puts into the prompt) and what is absent or dropped.

A prompt carries one *absent token* a modality. It is masked where the modality is there; where
the modality is absent or dropped it is attended and holds a learnt embedding, and everything of
that modality is masked instead. Positions count attended tokens only, so an item that lost a
modality to dropout is, to the model, the item that never had it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coefvq.errors import ModelError
from coefvq.mllm.fused.configuration import MODALITIES, TEXT_MODALITIES, FusedConfig
from coefvq.mllm.fused.projectors import Projector, merge_patches, pool_groups
from coefvq.mllm.fused.towers import listen, look, tower_width


@dataclass(frozen=True)
class Stream:
    """Features of one sense over time.

    Attributes:
        steps: (B, N, C), what late fusion pools.
        mask: bool (B, N).
        tokens: (B, G, t, H), what early fusion splices.
        groups: bool (B, G), which groups have tokens.
    """

    steps: Tensor
    mask: Tensor
    tokens: Tensor
    groups: Tensor


def drop_modalities(
    attention_mask: Tensor, modality_ids: Tensor, dropped: Tensor
) -> tuple[Tensor, Tensor]:
    """Mask what is dropped and attend its absent token in its place.

    Args:
        attention_mask: (B, L), 1 where attended.
        modality_ids: (B, L): 0 for the prompt's frame, ``m`` for tokens of ``MODALITIES[m - 1]``,
            ``-m`` for that modality's absent token.
        dropped: bool (B, 6).

    Returns:
        The new mask (B, L), and bool (B, 6): which modalities are absent or dropped now.
    """
    lost = F.pad(dropped, (1, 0)).gather(1, modality_ids.abs())
    attention_mask = attention_mask.masked_fill(lost & (modality_ids > 0), 0)
    attention_mask = attention_mask.masked_fill(lost & (modality_ids < 0), 1)
    shown = (modality_ids < 0) & (attention_mask > 0)
    return attention_mask, _by_modality(shown, modality_ids)


def _by_modality(marked: Tensor, modality_ids: Tensor) -> Tensor:
    counts = modality_ids.new_zeros(len(modality_ids), len(MODALITIES) + 1)
    return counts.scatter_add(1, modality_ids.abs(), marked.to(counts.dtype))[:, 1:] > 0


def draw_dropped(
    attention_mask: Tensor,
    modality_ids: Tensor,
    probability: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw which modalities each item loses; no item loses all that it has.

    Args:
        generator: Source of chance on the CPU; ``None``: torch's own.

    Returns:
        bool (B, 6).
    """
    none = torch.zeros(len(modality_ids), len(MODALITIES), dtype=torch.bool)
    _, absent = drop_modalities(attention_mask, modality_ids, none.to(modality_ids.device))
    present = ~absent.cpu()
    drawn = torch.rand(present.shape, generator=generator) < probability
    everything = ~(present & ~drawn).any(1, keepdim=True)
    return (drawn & present & ~everything).to(modality_ids.device)


def positions_of(attention_mask: Tensor) -> Tensor:
    """Positions (B, L) that count attended tokens only."""
    places = attention_mask.long().cumsum(-1) - 1
    return places.masked_fill(attention_mask == 0, 0)


def pooled_text(states: Tensor, attended: Tensor, modality_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Mean state over the tokens of speech, screen text and caption.

    Args:
        states: (B, L, H).
        attended: bool (B, L).
        modality_ids: (B, L).

    Returns:
        (B, H), and bool (B,): whether there was any.
    """
    numbers = [MODALITIES.index(name) + 1 for name in TEXT_MODALITIES]
    is_text = torch.isin(modality_ids, modality_ids.new_tensor(numbers)) & attended
    weights = is_text.to(states.dtype)[..., None]
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1.0), is_text.any(1)


class EarlyFusion(nn.Module):
    """Projectors and learnt embeddings of all placeholders in a prompt."""

    def __init__(self, config: FusedConfig):
        super().__init__()
        self.config = config
        width = int(config.text_config.hidden_size)
        middle = config.projector_size or width
        bands, scale = config.time_bands, config.embedding_scale
        seen = tower_width(config.vision_config)
        if config.merge_mode == "concat":
            seen *= config.patch_merge**2
        heard = tower_width(config.sound_config)
        self.visual = Projector(seen, middle, width, bands, scale)
        self.sound = Projector(heard, middle, width, bands, scale)
        self.absent = nn.Embedding(len(MODALITIES), width)
        self.slots = nn.Embedding(max(1, len(config.policies or ())), width)

    def see(
        self, tower: Any, pictures: Tensor | None, maps: Tensor | None, mask: Tensor, times: Tensor
    ) -> Stream:
        """Frames as pixels (B, F, 3, S, S) or maps (B, F, C, h, w) to a stream."""
        grid = _look_where(tower, pictures, mask) if maps is None else maps.permute(0, 1, 3, 4, 2)
        pooled, groups = pool_groups(grid, mask, self.config.frame_pool)
        merged = merge_patches(pooled, self.config.patch_merge, self.config.merge_mode)
        seconds = _group_times(times, mask, self.config.frame_pool)[..., None]
        tokens = self.visual(merged, seconds.expand(merged.shape[:3]))
        return Stream(grid.mean((2, 3)), mask, tokens, groups)

    def hear(
        self, tower: Any, mel: Tensor | None, states: Tensor | None, mask: Tensor, times: Tensor
    ) -> Stream:
        """Log-mel windows (B, W, bands, frames) or states (B, T, C) to a stream."""
        if states is None:
            states = _listen_where(tower, mel, mask)
        pooled, groups = pool_groups(states, mask, self.config.sound_pool)
        tokens = self.sound(pooled, _group_times(times, mask, self.config.sound_pool))
        return Stream(pooled, groups, tokens[:, :, None], groups)

    def embed(self, table: nn.Module, input_ids: Tensor, streams: dict[str, Stream]) -> Tensor:
        """Text embeddings (B, L, H) with every visual and sound placeholder filled.

        Raises:
            ModelError: If placeholders and features do not fit each other.
        """
        places = self._places(input_ids)
        special = torch.stack(list(places.values())).any(0)
        embeds = table(input_ids.masked_fill(special, 0))
        for name in ("visual", "sound"):
            if places[name].any():
                embeds = _splice(embeds, places[name], streams.get(name), name)
        return embeds

    def learnt(self, embeds: Tensor, modality_ids: Tensor, slots: Tensor | None) -> Tensor:
        """Put the absent embeddings and the policies' slot embeddings in their places."""
        absent = self.absent((-modality_ids - 1).clamp(min=0)).to(embeds.dtype)
        embeds = torch.where((modality_ids < 0)[..., None], absent, embeds)
        if slots is None:
            return embeds
        rows = torch.arange(len(slots), device=slots.device)[:, None]
        value = self.slots.weight.to(embeds.dtype).expand(len(slots), -1, -1)
        return embeds.index_put((rows, slots), value)

    def _places(self, input_ids: Tensor) -> dict[str, Tensor]:
        names = ("visual", "sound", "absent", "slot")
        ids = {name: getattr(self.config, f"{name}_token_id") for name in names}
        if None in ids.values() or not (self.config.yes_token_ids and self.config.no_token_ids):
            raise ModelError(
                "The configuration names no placeholder or label tokens. Make it for a tokenizer "
                "with coefvq.mllm.fused.assemble.configure."
            )
        return {name: input_ids == at for name, at in ids.items()}


def _splice(embeds: Tensor, places: Tensor, stream: Stream | None, name: str) -> Tensor:
    each = stream.tokens.shape[2] if stream is not None else 0
    wanted = places.sum(1)
    given = stream.groups.sum(1) * each if stream is not None else torch.zeros_like(wanted)
    if not torch.equal(wanted, given):
        raise ModelError(
            f"The prompts hold {wanted.tolist()} {name} placeholders but the features make "
            f"{given.tolist()} tokens. Use a processor made for this model's configuration."
        )
    assert stream is not None
    features = stream.tokens[stream.groups].to(embeds.dtype)
    return embeds.masked_scatter(places[..., None].expand_as(embeds), features)


def _group_times(times: Tensor, mask: Tensor, size: int) -> Tensor:
    return pool_groups(times.float()[..., None], mask, size)[0][..., 0]


def _look_where(tower: Any, pictures: Tensor | None, mask: Tensor) -> Tensor:
    assert pictures is not None
    found = look(tower, pictures[mask] if mask.any() else pictures[:1, 0])
    grid = found.new_zeros(*mask.shape, *found.shape[1:])
    return grid.masked_scatter(mask[:, :, None, None, None], found) if mask.any() else grid


def _listen_where(tower: Any, mel: Tensor | None, mask: Tensor) -> Tensor:
    assert mel is not None
    windows = mask.unflatten(1, (mel.shape[1], -1)).any(-1)
    found = listen(tower, mel[windows] if windows.any() else mel[:1, 0])
    states = found.new_zeros(*windows.shape, *found.shape[1:])
    if windows.any():
        states = states.masked_scatter(windows[:, :, None, None], found)
    return states.flatten(1, 2)
