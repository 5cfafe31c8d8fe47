"""What training minimises: slots, each part on its own, label mass, and the rationale."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from coefvq.mllm.fused.configuration import FusedConfig
from coefvq.mllm.fused.heads import FusedOutput


def total_loss(
    config: FusedConfig,
    output: FusedOutput,
    log_mass: Tensor | None,
    labels: Tensor | None,
    slot_labels: Tensor | None,
    slot_weights: Tensor | None,
) -> Tensor | None:
    """The weighted sum of all terms for which there are targets; ``None`` without any."""
    terms = []
    if slot_labels is not None and output.slot_logits is not None and log_mass is not None:
        terms.append(slot_loss(output.slot_logits, slot_labels, slot_weights))
        for part in (output.label_logits, output.fused_logits):
            assert part is not None
            terms.append(config.part_loss_weight * slot_loss(part, slot_labels, slot_weights))
        terms.append(-config.mass_loss_weight * log_mass.mean())
    if labels is not None and output.logits is not None and (labels[:, 1:] != -100).any():
        terms.append(config.lm_loss_weight * next_token_loss(output.logits, labels))
    return torch.stack([term.float() for term in terms]).sum() if terms else None


def next_token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy (B, L, vocabulary) against the next of (B, L); -100 does not count."""
    chosen = labels[:, 1:] != -100
    return F.cross_entropy(logits[:, :-1][chosen].float(), labels[:, 1:][chosen])


def slot_loss(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Cross-entropy over the labelled slots; a target that is not a number is not labelled.

    Args:
        logits: (B, P).
        targets: 0..1 or NaN, (B, P).
        weights: (B, P) or ``None`` for equal weights.
    """
    known = ~targets.isnan()
    counts = known.float() if weights is None else torch.where(known, weights.float(), 0.0)
    losses = F.binary_cross_entropy_with_logits(
        logits.float(), targets.float().nan_to_num(0.0), reduction="none"
    )
    return (losses * counts).sum() / counts.sum().clamp(min=1e-6)
