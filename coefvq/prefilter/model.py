"""The prefilter's network: each modality gives evidence for each policy, and evidence adds up.

A policy's log-odds are a bias plus one number from each modality that it reads. Where a
modality is absent, a learnt number stands in for it (absent is not zero). Because evidence adds
up, what moved a score can be read off without a second model.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from coefvq.prefilter.features import BLOCKS, CHANGE, MOTION, Batch
from coefvq.prefilter.text import BUCKETS, STATES, SURFACE

TEXT_POLICIES = ("hate_harassment", "scam_spam")
PICTURE_POLICIES = ("violence", "watermark", "static_slideshow", "screen_recording")
POLICIES = TEXT_POLICIES + PICTURE_POLICIES
"""What the prefilter is trained for; every other policy is answered ``not_trained``."""

BENT_POLICIES = PICTURE_POLICIES[1:]
"""Read a small hidden layer too. Violence has 180 clips: it stays linear."""

READS = dict.fromkeys(PICTURE_POLICIES, BLOCKS) | {
    "violence": (CHANGE, MOTION),
    "static_slideshow": (CHANGE, MOTION),
}
"""Blocks a policy reads. Violence and slideshows are matters of movement: what places look like
only tells their few sources apart (on unseen sources it lowers the AUC of violence by 0.03)."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the network.

    Attributes:
        widths: By block name, its numbers.
        hidden: By block name, width of its hidden layer; 0 or missing: none.
        buckets: Hash buckets of the text table.
    """

    widths: dict[str, int]
    hidden: dict[str, int] = field(default_factory=dict)
    buckets: int = 2 * BUCKETS


class Branch(nn.Module):
    """One block of picture numbers to evidence for ``PICTURE_POLICIES``."""

    heard: Tensor
    straight: nn.Linear
    into: nn.Linear | None
    out: nn.Linear | None

    def __init__(self, width: int, hidden: int, readers: Collection[str] = PICTURE_POLICIES):
        super().__init__()
        heard = [float(policy in readers) for policy in PICTURE_POLICIES]
        self.register_buffer("heard", torch.tensor(heard), persistent=False)
        self.straight = nn.Linear(width, len(PICTURE_POLICIES), bias=False)
        self.absent = nn.Parameter(torch.zeros(len(PICTURE_POLICIES)))
        nn.init.zeros_(self.straight.weight)
        self.into = nn.Linear(width, hidden) if hidden else None
        self.out = nn.Linear(hidden, len(BENT_POLICIES), bias=False) if hidden else None
        if self.into is not None:
            nn.init.normal_(self.into.weight, std=0.3 / width**0.5)
            nn.init.zeros_(self.into.bias)

    def forward(self, block: Tensor, present: Tensor) -> Tensor:
        """Evidence (n, 4) of rows (n, width); the learnt stand-in where not ``present`` (n,)."""
        evidence = self.straight(block)
        if self.into is not None and self.out is not None:
            bent = self.out(torch.tanh(self.into(block)))
            evidence = evidence + nn.functional.pad(bent, (1, 0))
        return torch.where(present[:, None], evidence, self.absent) * self.heard


def _readers(block: str) -> frozenset[str]:
    return frozenset(policy for policy, blocks in READS.items() if block in blocks)


class PrefilterNet(nn.Module):
    """Text table, surface counts and picture branches, added up."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.words = nn.EmbeddingBag(shape.buckets, len(TEXT_POLICIES), mode="sum")
        self.surface = nn.Linear(len(SURFACE) + len(STATES), len(TEXT_POLICIES))
        self.branches = nn.ModuleDict(
            {
                name: Branch(shape.widths[name], shape.hidden.get(name, 0), _readers(name))
                for name in BLOCKS
            }
        )
        self.picture_bias = nn.Parameter(torch.zeros(len(PICTURE_POLICIES)))
        for table in (self.words.weight, self.surface.weight, self.surface.bias):
            nn.init.zeros_(table)

    def branch(self, name: str) -> Branch:
        """The branch of one block."""
        return cast(Branch, self.branches[name])

    def text_logits(self, batch: Batch) -> Tensor:
        """Log-odds (n, 2) of ``TEXT_POLICIES``."""
        table = self.words(batch.buckets, batch.offsets, per_sample_weights=batch.weights)
        return table + self.surface(batch.surface)

    def picture_evidence(self, batch: Batch) -> dict[str, Tensor]:
        """By block, evidence (n, 4) for ``PICTURE_POLICIES``."""
        return {
            name: self.branch(name)(batch.blocks[name], batch.present[name])
            for name in self.branches
        }

    def picture_logits(self, batch: Batch) -> Tensor:
        """Log-odds (n, 4) of ``PICTURE_POLICIES``."""
        evidence = torch.stack(list(self.picture_evidence(batch).values()))
        return evidence.sum(dim=0) + self.picture_bias

    def forward(self, batch: Batch) -> Tensor:
        """Log-odds (n, 6) in the order of ``POLICIES``, not yet calibrated."""
        return torch.cat([self.text_logits(batch), self.picture_logits(batch)], dim=1)
