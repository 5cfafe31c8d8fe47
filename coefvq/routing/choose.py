"""``auto``: cross-validated deferral curves and a one-standard-error rule.

Each candidate is fitted on some parts of the data and judged on the rest, at call rates around the
budget. The first candidate in order of preference is taken whose shortfall against the best is
within one standard error of that difference (Breiman et al. 1984; paired: both are judged on the
same items), provided that on the labels themselves it is not behind entropy by more than two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.combination import stratified_folds
from coefvq.routing.objective import Objective
from coefvq.routing.parts import Candidate, Parts
from coefvq.routing.predictions import Predictions
from coefvq.routing.shares import ranks

FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 3000
"""Parts of cross-validation up to so many rows, and above."""
BLOCKS = 20
"""Blocks of the delete-block jackknife that gives the standard errors."""
REPEATS, FEW_ENOUGH = 3, 1500
"""Rounds of cross-validation up to so many rows; one round above."""
TINY = 1e-12
AROUND = (0.8, 1.0, 1.2)
"""Call rates judged, as multiples of the budget: one rate alone is a noisy judge."""
Vector = NDArray[np.float64]
Say = Callable[[str], None]


@dataclass
class Judged:
    """Out-of-fold answers of one candidate: one row a repeat, one column an item.

    Attributes:
        score: Escalation score.
        place: Its rank inside its fold by weight, 0..1.
        base: Probability if not escalated.
        final: Probability if escalated.
    """

    candidate: Candidate
    score: list[Vector] = field(default_factory=list)
    place: list[Vector] = field(default_factory=list)
    base: list[Vector] = field(default_factory=list)
    final: list[Vector] = field(default_factory=list)


@dataclass(frozen=True)
class Standing:
    """How a candidate did.

    Attributes:
        value: Mean of the objective over the call rates judged, higher = better.
        behind: How far behind the best.
        error: Standard error of that difference.
        sound: Not behind entropy by more than two standard errors on the labels themselves.
    """

    candidate: Candidate
    value: float
    behind: float
    error: float
    sound: bool = True

    @property
    def level(self) -> bool:
        """Within one standard error of the best."""
        return self.sound and _level(self.behind, self.error)

    def to_json(self) -> dict[str, float | str | bool]:
        """For the policy's document."""
        return {
            "candidate": self.candidate.name,
            "value": round(self.value, 5),
            "behind": round(self.behind, 5),
            "error": round(self.error, 5),
            "sound": self.sound,
        }


def choose(
    items: Predictions,
    candidates: Sequence[Candidate],
    objective: Objective,
    budget: float,
    seed: int = 0,
    say: Say | None = None,
    only: str | None = None,
) -> tuple[Judged, list[Standing]]:
    """Judge candidates and choose.

    Args:
        items: Rows that have an MLLM score.
        candidates: In order of preference; ``entropy`` is among them.
        budget: Share of calls that the policy will have.
        only: Choose among the candidates of this rule alone.

    Returns:
        The choice and how each candidate stood.
    """
    repeats = REPEATS if len(items) <= FEW_ENOUGH else 1
    judged = out_of_fold(items, candidates, objective, seed, say, repeats)
    rates = sorted({min(1.0, budget * factor) for factor in AROUND})
    expected, observed = (
        np.array([_values(one, items, objective, rates, seed, soft) for one in judged])
        for soft in (True, False)
    )
    plain = next(row for row, one in enumerate(candidates) if one.rule == "entropy")
    sound = [_level(*_behind(observed, row, plain), errors=2.0) for row in range(len(judged))]
    allowed = [row for row, one in enumerate(candidates) if only in (None, one.rule)]
    best = max(
        [row for row in allowed if sound[row]] or allowed, key=lambda row: float(expected[row, 0])
    )
    standings = [
        Standing(one.candidate, float(expected[row, 0]), *_behind(expected, row, best), sound[row])
        for row, one in enumerate(judged)
    ]
    chosen = next((row for row in allowed if standings[row].level), best)
    return judged[chosen], standings


def _behind(values: Vector, row: int, best: int) -> tuple[float, float]:
    """How far a row is behind another, and the jackknife's standard error of that."""
    difference = values[best, 1:] - values[row, 1:]
    blocks = len(difference)
    error = np.sqrt((blocks - 1) / blocks * ((difference - difference.mean()) ** 2).sum())
    return float(values[best, 0] - values[row, 0]), float(error)


def _level(behind: float, error: float, errors: float = 1.0) -> bool:
    return behind <= errors * error + TINY


def out_of_fold(
    items: Predictions,
    candidates: Sequence[Candidate],
    objective: Objective,
    seed: int = 0,
    say: Say | None = None,
    repeats: int = 1,
) -> list[Judged]:
    """Answers of every candidate on rows that it was not fitted on."""
    judged = [Judged(candidate) for candidate in candidates]
    parts = FOLDS if len(items) <= MANY else FOLDS_OF_MANY
    for repeat in range(repeats):
        folds = stratified_folds(items.label, parts, seed + repeat)
        for one in judged:
            for values in (one.score, one.place, one.base, one.final):
                values.append(np.zeros(len(items)))
        for fold in range(parts):
            if say:
                say(f"cross-validation {repeat * parts + fold + 1} of {repeats * parts}")
            train = Parts(items.take(folds != fold), objective, seed)
            _answer(train, items, np.flatnonzero(folds == fold), judged)
    return judged


def _answer(train: Parts, items: Predictions, rows: NDArray[np.intp], judged: list[Judged]) -> None:
    test = items.take(rows)
    for one in judged:
        first, score = train.first(one.candidate), train.score(one.candidate)
        known = first.know(test.prefilter, test.feature_matrix(first.scaling.names))
        one.score[-1][rows] = score(known)
        one.place[-1][rows] = ranks(one.score[-1][rows], test.weight)
        one.base[-1][rows] = known.base
        one.final[-1][rows] = train.combination(known.p1, train.mllm(test.mllm))


def _values(
    one: Judged,
    items: Predictions,
    objective: Objective,
    rates: list[float],
    seed: int,
    soft: bool,
) -> Vector:
    """The objective on all items, then with each block left out; mean over repeats and rates.

    Args:
        soft: Put the out-of-fold probability given both stages in place of each label. It has the
            label's mean and far less noise (Rao-Blackwell), so differences between rules show
            with a tenth of the labels; but it knows no more than the MLLM does.
    """
    blocks = stratified_folds(items.label, min(BLOCKS, max(2, items.violations)), seed + 97)
    kept = [np.ones(len(items), dtype=bool)] + [blocks != b for b in range(blocks.max() + 1)]
    found = np.zeros(len(kept))
    for place, base, final in zip(one.place, one.base, one.final, strict=True):
        for rate in rates:
            mixed = np.where(place > 1 - rate, final, base)
            cut = objective.threshold(mixed, items.weight)
            truth = final if soft else items.label
            found += [objective.value(truth[k], mixed[k], cut, items.weight[k]) for k in kept]
    return found / (len(one.place) * len(rates))
