"""How the answers of two models are combined, fitted on videos that neither learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import Assessment
from coefvq.learning.crossval import grouped_folds
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.measures import auc
from coefvq.routing.combination import Combination, fit_combination

LEAST = 20
"""Violations, and as many others, that both models answered; with fewer the MLLM's answer stands,
as in the paper."""
FOLDS = 5
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class PairFit:
    """Combinations of one pair of models.

    Attributes:
        document: As ``coefvq/combinations.json`` has a pair.
        by_item: For each video, the combinations that were fitted without its group.
    """

    document: Mapping[str, Any]
    by_item: tuple[Mapping[str, Combination], ...]

    @property
    def combinations(self) -> dict[str, Combination]:
        """Fitted on all of them, by policy."""
        return {
            name: Combination.from_json(found["combination"])
            for name, found in self.document["policies"].items()
        }


def fit_pair(
    names: tuple[str, str],
    items: Sequence[LabelledVideo],
    first: Sequence[Assessment],
    second: Sequence[Assessment | None],
) -> PairFit:
    """Fit one combination a policy, and one a fold for figures.

    Args:
        names: Versions of the prefilter and of the MLLM.
        items: Held-out videos.
        first, second: What both models say of them; ``None`` where the MLLM was not asked.
    """
    policies: dict[str, Any] = {}
    by_item: list[dict[str, Combination]] = [{} for _ in items]
    for policy in sorted({name for item in items for name in item.labels}):
        at, y, p1, p2 = _columns(policy, items, first, second)
        if min(int(y.sum()), int(len(y) - y.sum())) < LEAST:
            continue
        folds = grouped_folds([items[i].group for i in at], [int(v) for v in y], FOLDS)
        crossed = np.empty_like(y)
        for fold in np.unique(folds):
            test = folds == fold
            combine = fit_combination(p1[~test], p2[~test], y[~test])
            crossed[test] = combine(p1[test], p2[test])
            for row in at[test]:
                by_item[row][policy] = combine
        policies[policy] = _figures(y, p1, p2, crossed)
    document = {"prefilter": names[0], "mllm": names[1], "policies": policies}
    return PairFit(document, tuple(by_item))


def _columns(
    policy: str,
    items: Sequence[LabelledVideo],
    first: Sequence[Assessment],
    second: Sequence[Assessment | None],
) -> tuple[NDArray[np.intp], Vector, Vector, Vector]:
    rows = []
    for place, (item, one, two) in enumerate(zip(items, first, second, strict=True)):
        p1, p2 = _probability(one, policy), _probability(two, policy)
        if policy in item.labels and p1 is not None and p2 is not None:
            rows.append((place, item.labels[policy], p1, p2))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.intp), table[:, 1], table[:, 2], table[:, 3]


def _probability(said: Assessment | None, policy: str) -> float | None:
    score = said.scores.get(policy) if said is not None else None
    return None if score is None else score.probability


def _figures(y: Vector, p1: Vector, p2: Vector, crossed: Vector) -> dict[str, Any]:
    found = fit_combination(p1, p2, y).to_json()
    stages = {"prefilter": p1, "mllm": p2, "both": crossed}
    return {
        "combination": {name: round(value, 5) for name, value in found.items()},
        "n": len(y),
        "violations": int(y.sum()),
        "auc": {name: round(auc(y, p), 4) for name, p in stages.items()},
    }
