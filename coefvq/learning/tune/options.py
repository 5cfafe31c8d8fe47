"""What a fine-tune of the MLLM may be asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from coefvq.errors import TrainingError

_AT_LEAST = {
    "items": 10, "held_items": 0, "batch": 1, "emphasis": 1, "heaviest": 1, "novices": 8,
    "fewest": 4,
}  # fmt: skip


@dataclass(frozen=True)
class TuneOptions:
    """How long a fine-tune may take and how far it may move the parent.

    Attributes:
        seed: Of every draw.
        items: Most videos that are learnt from; corrected ones go first.
        held_items: Most videos of the validation split.
        item_steps: Most passes of an item through the upper layers, forth and back; 0: the
            network stays and only the readout learns.
        epochs: Most times that an item is seen.
        batch: Items a step.
        adapter_rate: Peak learning rate of LoRA in the upper layers.
        head_rate: Of late fusion and heads.
        prefer: Weight of the preference for the correction over the parent's answer.
        beta: Sharpness of that preference.
        keep: Weight of the parent's own answers, where it was right or nobody said anything.
        emphasis: How often a corrected decision counts against a confirmed one, at most.
        heaviest: Most that 1 / propensity may weigh.
        distance: Most that share of positives and score bins (Jensen-Shannon divergence, bits)
            of what is learnt from may lie from the traffic's own.
        fewest: Labels of each class from which on a policy of the parent is tuned.
        novices: Labels of each class from which on a policy is learnt that it does not answer.
        threads: CPU threads; 0: as they are.
    """

    seed: int = 0
    items: int = 1500
    held_items: int = 300
    item_steps: int = 2400
    epochs: int = 4
    batch: int = 8
    adapter_rate: float = 2e-4
    head_rate: float = 5e-4
    prefer: float = 0.3
    beta: float = 0.5
    keep: float = 1.0
    emphasis: float = 2.0
    heaviest: float = 20.0
    distance: float = 0.1
    fewest: int = 5
    novices: int = 20
    threads: int = 0

    def __post_init__(self) -> None:
        numbers = {name: float(value) for name, value in asdict(self).items()}
        if any(not math.isfinite(value) or value < 0 for value in numbers.values()):
            raise TrainingError("Every option of a fine-tune is a number of at least 0.")
        for name, least in _AT_LEAST.items():
            if numbers[name] < least:
                raise TrainingError(f"{name} of a fine-tune is at least {least}.")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> TuneOptions:
        """From plain JSON, as a job keeps it.

        Raises:
            TrainingError: An option that does not exist or has no sense.
        """
        known: dict[str, Any] = {each.name: type(each.default) for each in fields(cls)}
        if unknown := sorted(set(given) - set(known)):
            raise TrainingError(
                f"A fine-tune has no option {', '.join(unknown)}. It has: "
                f"{', '.join(sorted(known))}."
            )
        try:
            return cls(**{name: known[name](value) for name, value in given.items()})
        except (TypeError, ValueError) as error:
            raise TrainingError(f"An option of the fine-tune is no number: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, which ``of`` reads."""
        return asdict(self)
