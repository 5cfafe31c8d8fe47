"""What a refit may be asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from coefvq.errors import TrainingError


@dataclass(frozen=True)
class RefitOptions:
    """How much the decisions of people may move the parent. The defaults are measured ones.

    Attributes:
        seed: Deals groups into folds.
        folds: Of the grouped cross-validation that chooses the strength, 2..10.
        anchor: How much the parent's training texts and clips still count, as a multiple of
            their Fisher information (Kirkpatrick et al. 2017); 0: not at all.
        emphasis: How much a corrected decision counts against a confirmed one, at most.
        distance: Most that share of positives and score bins (Jensen-Shannon divergence, bits)
            of what is learnt from may lie from the traffic's own.
        heaviest: Most that 1 / propensity may weigh.
        novices: Labels of each class, in train and validation together, from which on a policy
            that the parent does not know is learnt.
        fewest: Labels of each class in train from which on a policy of the parent is adjusted.
    """

    seed: int = 0
    folds: int = 5
    anchor: float = 1.0
    emphasis: float = 1.0
    distance: float = 0.1
    heaviest: float = 20.0
    novices: int = 20
    fewest: int = 5

    def __post_init__(self) -> None:
        numbers = {name: float(value) for name, value in asdict(self).items()}
        if any(not math.isfinite(value) or value < 0 for value in numbers.values()):
            raise TrainingError("Every option of a refit is a number of at least 0.")
        if not 2 <= self.folds <= 10:
            raise TrainingError(f"A refit takes 2 to 10 folds, not {self.folds}.")
        if self.emphasis < 1 or self.heaviest < 1 or self.fewest < 2 or self.novices < 2:
            raise TrainingError(
                "Emphasis and the heaviest weight of a refit are at least 1, labels a class 2."
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> RefitOptions:
        """From plain JSON, as a job keeps it.

        Raises:
            TrainingError: An option that does not exist or has no sense.
        """
        whole = {"seed", "folds", "novices", "fewest"}
        known = {each.name: int if each.name in whole else float for each in fields(cls)}
        if unknown := sorted(set(given) - set(known)):
            raise TrainingError(
                f"A refit has no option {', '.join(unknown)}. It has: {', '.join(sorted(known))}."
            )
        try:
            values: dict[str, Any] = {name: known[name](each) for name, each in given.items()}
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise TrainingError(f"An option of the refit is no number: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, which ``of`` reads."""
        return asdict(self)
