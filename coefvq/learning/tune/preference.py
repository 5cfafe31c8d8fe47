"""What a step of the fine-tune minimises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from coefvq.learning.tune.options import TuneOptions
from coefvq.mllm.fused.heads import FusedOutput
from coefvq.mllm.fused.losses import slot_loss

_PART, _MASS = 0.5, 0.1


@dataclass(frozen=True)
class Aims:
    """What is wanted of items at their slots, (n, P) each.

    Attributes:
        targets: 1, 0, or NaN where nothing is learnt.
        weights: Of the targets.
        preferred: The weight again where the parent's answer was another, else 0.
        keep: Weight of the parent's own answer: where it was right or nobody said anything.
        parent_label: The parent's log-odds of the YES against the NO tokens.
        parent_fused: The parent's log-odds of the fused head.
    """

    targets: Tensor
    weights: Tensor
    preferred: Tensor
    keep: Tensor
    parent_label: Tensor
    parent_fused: Tensor

    def of(self, rows: list[int]) -> Aims:
        """Those of some items."""
        return Aims(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def tuning_loss(output: FusedOutput, log_mass: Tensor, aims: Aims, options: TuneOptions) -> Tensor:
    """Labels, preference for the correction, the parent's answers, and label mass, in one."""
    joined, label, fused = output.slot_logits, output.label_logits, output.fused_logits
    assert joined is not None and label is not None and fused is not None
    learnt = slot_loss(joined, aims.targets, aims.weights)
    learnt = learnt + _PART * slot_loss(label, aims.targets, aims.weights)
    learnt = learnt + _PART * slot_loss(fused, aims.targets, aims.weights)
    kept = slot_loss(label, aims.parent_label.sigmoid(), aims.keep)
    kept = kept + slot_loss(fused, aims.parent_fused.sigmoid(), aims.keep)
    wanted = preference_loss(label, aims.parent_label, aims.targets, aims.preferred, options.beta)
    return learnt + options.prefer * wanted + options.keep * _PART * kept - _MASS * log_mass.mean()


def preference_loss(
    logits: Tensor, reference: Tensor, targets: Tensor, weights: Tensor, beta: float
) -> Tensor:
    """Direct preference optimisation (Rafailov et al. 2023) for an answer of one token.

    The correction is preferred to the parent's answer. With one token an answer, the log-ratios
    of chosen and rejected against the frozen parent reduce to the change of the margin between
    the two: ``-log sigmoid(beta * s * (margin - parent's margin))``, s = +1 where YES is right
    and -1 where NO is.

    Args:
        logits: Log-odds of YES against NO, (B, P).
        reference: The parent's, (B, P).
        targets: 1 or 0; what is NaN does not count.
        weights: (B, P), 0 where the parent was right.
    """
    known = ~targets.isnan()
    counts = torch.where(known, weights, torch.zeros_like(weights))
    sign = 2.0 * targets.nan_to_num(0.0) - 1.0
    losses = -F.logsigmoid(beta * sign * (logits.float() - reference))
    return (losses * counts).sum() / counts.sum().clamp(min=1e-6)
