"""Late fusion and the answers: pooled states, label tokens, the fused head, their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from coefvq.mllm.fused.configuration import FusedConfig
from coefvq.mllm.fused.fusion import Stream
from coefvq.mllm.fused.towers import tower_width

PARTS = ("visual", "sound", "motion", "text")
_HALF = -0.4328  # softplus(_HALF) = 0.5: at first both parts count half
_MOST = 10.0  # standard deviations; what a measurement beyond that says is "very much"


@dataclass
class FusedOutput(ModelOutput):
    """What a pass of the fused model gives.

    Attributes:
        loss: Scalar, where ``slot_labels`` or ``labels`` were given.
        logits: (B, kept, vocabulary) next-token logits, as ``logits_to_keep`` says.
        slot_logits: (B, P) log-odds of a violation: both parts with their learnt weights.
        label_logits: (B, P) log-odds of the YES against the NO tokens at each slot.
        fused_logits: (B, P) log-odds of the fused head.
        label_mass: (B, P), 0..1: next-token probability on all label tokens.
        past_key_values: The cache, where it was asked for.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    slot_logits: Tensor | None = None
    label_logits: Tensor | None = None
    fused_logits: Tensor | None = None
    label_mass: Tensor | None = None
    past_key_values: Any = None


def stream_statistics(stream: Stream) -> Tensor:
    """Mean, spread and mean absolute step over time, (B, 3 * C); the last depends on order."""
    mask = stream.mask.to(stream.steps.dtype)[..., None]
    steps = torch.where(mask > 0, stream.steps, torch.zeros_like(stream.steps))
    count = mask.sum(1).clamp(min=1.0)
    mean = steps.sum(1) / count
    spread = (((steps - mean[:, None]) * mask) ** 2).sum(1) / count
    both = mask[:, 1:] * mask[:, :-1]
    step = ((steps[:, 1:] - steps[:, :-1]).abs() * both).sum(1) / both.sum(1).clamp(min=1.0)
    return torch.cat([mean, (spread + 1e-6).sqrt(), step], -1)


class Standardise(nn.Module):
    """Subtract a mean, divide by a spread; both are measured on training data, not learnt."""

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))

    def forward(self, values: Tensor) -> Tensor:
        """Standardised values, within ten spreads; what is not a number counts as the mean."""
        mean, spread = self.get_buffer("mean"), self.get_buffer("spread")
        scaled = (values.float() - mean.float()) / spread.float().clamp(min=1e-6)
        return scaled.nan_to_num(0.0, _MOST, -_MOST).clamp(-_MOST, _MOST)


class LateFusion(nn.Module):
    """Brings each modality's pooled state to one width; a learnt state stands for an absent one."""

    def __init__(self, config: FusedConfig):
        super().__init__()
        width = config.late_size
        seen, heard = 3 * tower_width(config.vision_config), 3 * tower_width(config.sound_config)
        read = int(config.text_config.hidden_size)
        self.scale_motion = Standardise(config.motion_size)
        self.norms = nn.ModuleDict(
            {"visual": nn.LayerNorm(seen), "sound": nn.LayerNorm(heard), "text": nn.LayerNorm(read)}
        )
        self.maps = nn.ModuleDict(
            {"visual": nn.Linear(seen, width), "sound": nn.Linear(heard, width)}
        )
        self.maps["text"] = nn.Linear(read, width)
        if config.motion_size:
            self.maps["motion"] = nn.Linear(config.motion_size, width)
        self.absent = nn.Embedding(len(PARTS), width)

    def forward(self, pooled: dict[str, Tensor], there: dict[str, Tensor]) -> Tensor:
        """Pooled states by part, and where they count, bool (B,); to (B, 4 * width)."""
        parts = []
        for number, name in enumerate(PARTS):
            absent = self.absent.weight[number]
            state = absent.expand(len(there[name]), -1)
            if name in pooled and name in self.maps:
                state = torch.where(there[name][:, None], self._map(name, pooled[name]), state)
            parts.append(state)
        return torch.cat(parts, -1)

    def _map(self, name: str, state: Tensor) -> Tensor:
        linear = cast(nn.Linear, self.maps[name])
        if name == "motion":
            return linear(self.scale_motion(state).to(linear.weight.dtype))
        return linear(self.norms[name](state.to(linear.weight.dtype)))


class FusedHead(nn.Module):
    """One log-odds a policy from its slot's state and the pooled states.

    A linear model on everything plus one on a hidden layer: the linear path alone is a logistic
    regression on the pooled states, which small data can carry.
    """

    def __init__(self, config: FusedConfig):
        super().__init__()
        width = config.late_size
        inside = width * (1 + len(PARTS) * config.late_fusion)
        self.norm = nn.LayerNorm(int(config.text_config.hidden_size))
        self.slot = nn.Linear(int(config.text_config.hidden_size), width)
        self.mix = nn.Linear(inside, width)
        self.dropout = nn.Dropout(config.head_dropout)
        policies = max(1, len(config.policies or ()))
        self.weight = nn.Parameter(torch.zeros(policies, inside + width))
        self.bias = nn.Parameter(torch.zeros(policies))

    def forward(self, slots: Tensor, late: Tensor | None) -> Tensor:
        """Slot states (B, P, H) and pooled states (B, 4 * width) to float32 (B, P)."""
        parts = [self.slot(self.norm(slots.to(self.slot.weight.dtype)))]
        if late is not None:
            parts.append(late[:, None].expand(-1, slots.shape[1], -1))
        joined = self.dropout(torch.cat(parts, -1))
        features = torch.cat([joined, self.dropout(F.gelu(self.mix(joined)))], -1)
        return (features * self.weight).sum(-1).float() + self.bias.float()


class Combination(nn.Module):
    """Adds label tokens' and head's log-odds; weights are learnt and cannot turn negative."""

    def __init__(self, policies: int):
        super().__init__()
        self.raw = nn.Parameter(torch.full((max(1, policies), 2), _HALF))
        self.bias = nn.Parameter(torch.zeros(max(1, policies)))

    def forward(self, label_logits: Tensor, fused_logits: Tensor) -> Tensor:
        """(B, P) of each to float32 (B, P)."""
        weights = F.softplus(self.raw.float())
        joined = label_logits * weights[:, 0] + fused_logits * weights[:, 1]
        return joined + self.bias.float()


def read_labels(logits: Tensor, yes: list[int], no: list[int]) -> tuple[Tensor, Tensor]:
    """Log-odds of YES against NO, and the log of the probability on all of them.

    Args:
        logits: (B, P, vocabulary).

    Returns:
        Two float32 (B, P).
    """
    logits = logits.float()
    for_it, against = logits[..., yes].logsumexp(-1), logits[..., no].logsumexp(-1)
    return for_it - against, torch.logaddexp(for_it, against) - logits.logsumexp(-1)
