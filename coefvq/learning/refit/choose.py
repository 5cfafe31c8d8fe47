"""How strongly a policy's adjustment is pulled back, chosen on groups that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from coefvq.learning.crossval import grouped_folds
from coefvq.learning.refit.anchor import Anchor
from coefvq.learning.refit.solve import (
    SLOPES,
    Design,
    Problem,
    Solution,
    compact,
    log_loss,
    narrowed,
    solve,
)
from coefvq.routing.calibration import sigmoid

Floats = NDArray[np.float64]
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Ridge pulls that are tried; log-odds for a text of length one have a variance of 1 / pull."""
WARY = 1.0
"""The least pull where the decisions were picked for being the parent's mistakes."""
ENOUGH = 1500
"""Decisions that the choice is made on at most; the pull found holds for more of them too."""


@dataclass(frozen=True)
class Plan:
    """What an adjustment reads, and the ridge pull of each side; empty: slope and shift only."""

    pulls: tuple[tuple[str, float], ...] = ()

    @property
    def reads(self) -> frozenset[str]:
        """``TEXT``, ``PICTURES``, both or neither."""
        return frozenset(name for name, _ in self.pulls)

    def words(self) -> str:
        """For people and the candidate's figures."""
        return ", ".join(f"{name} {pull:g}" for name, pull in self.pulls) or "none"


@dataclass(frozen=True)
class Lesson:
    """One policy's decisions as an adjustment learns them.

    Attributes:
        sides: By what is read (``TEXT``, ``PICTURES``) the numbers (n, k); sides that no video
            here has are missing.
        parent: float64 (n,), the parent's calibrated log-odds.
        labels: float64 (n,), 0 or 1.
        weights: float64 (n,), mean about 1.
        groups: One a decision.
        known: Whether the parent knows the policy.
        anchor: The parent's Fisher information.
        hold: Multiple of it.
        picked: Whether the decisions were picked for being the parent's mistakes.
        elder: Videos without a label that keep the parent's answer: numbers by side, and the
            parent's log-odds.
    """

    sides: dict[str, sparse.csr_matrix]
    parent: Floats
    labels: Floats
    weights: Floats
    groups: list[str]
    known: bool
    anchor: Anchor
    hold: float
    picked: bool = False
    elder: tuple[dict[str, sparse.csr_matrix], Floats] | None = None

    def at(self, places: NDArray[np.intp]) -> Lesson:
        """The same with these decisions alone."""
        return Lesson(
            {name: side[places] for name, side in self.sides.items()}, self.parent[places],
            self.labels[places], self.weights[places], [self.groups[at] for at in places],
            self.known, self.anchor, self.hold, self.picked, self.elder,
        )  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """What the cross-validation found.

    Attributes:
        plan: The one that is used.
        places: int64 (m,), the decisions that it was chosen on.
        logits: float64 (m,), held out.
        parent_logits: float64 (m,), the parent's answers on the same.
        gain: Mean log-loss of the parent less that of the plan, weighted, held out.
        gain_error: Standard error of ``gain``, over groups.
        by_group: Whether folds kept groups together; else there were fewer groups than folds.
    """

    plan: Plan
    places: NDArray[np.intp]
    logits: Floats
    parent_logits: Floats
    gain: float
    gain_error: float
    by_group: bool


def design(sides: dict[str, sparse.csr_matrix], plan: Plan, rows: int) -> sparse.csr_matrix:
    """The numbers that a plan reads, side by side (n, k)."""
    parts = [sides[name] for name, _ in plan.pulls]
    return sparse.hstack(parts, format="csr") if parts else sparse.csr_matrix((rows, 0))


def fit(lesson: Lesson, plan: Plan) -> Solution:
    """Learn one plan on all of a lesson, together with the parent's answers on elder videos."""
    numbers = design(_with_elders(lesson), plan, len(lesson.labels) + _elders(lesson))
    narrow, back = narrowed(numbers, _pull(lesson, plan))
    found = solve(_problem(lesson, narrow))
    return Solution(found.slope, found.shift, np.asarray(back @ found.delta), found.loss)


def _elders(lesson: Lesson) -> int:
    return 0 if lesson.elder is None else len(lesson.elder[1])


def _with_elders(lesson: Lesson) -> dict[str, sparse.csr_matrix]:
    if lesson.elder is None:
        return lesson.sides
    return {
        name: sparse.vstack([side, lesson.elder[0][name]], format="csr")
        for name, side in lesson.sides.items()
    }


def _pull(lesson: Lesson, plan: Plan) -> Floats:
    pulls = [lesson.anchor.pull(name, pull, lesson.hold) for name, pull in plan.pulls]
    return np.concatenate(pulls) if pulls else np.zeros(0)


def _problem(lesson: Lesson, numbers: Design) -> Problem:
    """Labels of the decisions, then the parent's own answers as the labels of elder videos."""
    parent, targets, weights = lesson.parent, lesson.labels, lesson.weights
    if lesson.elder is not None:
        answers = lesson.elder[1]
        share = lesson.hold * min(1.0, float(weights.sum()) / max(len(answers), 1))
        parent = np.concatenate([parent, answers])
        targets = np.concatenate([targets, sigmoid(answers)])
        weights = np.concatenate([weights, np.full(len(answers), share)])
    slopes = SLOPES if lesson.known and not lesson.picked else (1.0, 1.0)
    return Problem(numbers, parent, targets, weights, slopes)


def choose(
    lesson: Lesson, folds: int, seed: int, tried: Callable[[float, float], None] = lambda a, b: None
) -> Chosen:
    """Try plans on held-out groups and take the one with the least log-loss.

    Text and pictures are tried alone first, then both with the pulls that were best alone.

    Args:
        tried: Called after each plan with its training and held-out log-loss.
    """
    places = _some(lesson, seed)
    part = lesson.at(places)
    dealt, by_group = deal(part.groups, part.labels, folds, seed)
    found: dict[Plan, Floats] = {}

    def loss(plan: Plan) -> float:
        if plan not in found:
            found[plan], trained = _held_out(part, plan, dealt)
            tried(trained, log_loss(part.labels, found[plan], part.weights))
        return log_loss(part.labels, found[plan], part.weights)

    best = min(_plans(part, loss), key=loss)
    gain, error = _gain(part, found[best], part.parent)
    return Chosen(best, places, found[best], part.parent, gain, error, by_group)


def _plans(lesson: Lesson, loss: Callable[[Plan], float]) -> Iterator[Plan]:
    if lesson.known:
        yield Plan()
    alone = []
    for name in lesson.sides:
        pulls = [pull for pull in STRENGTHS if pull >= WARY or not lesson.picked]
        alone.append(min((Plan(((name, pull),)) for pull in pulls), key=loss))
        yield alone[-1]
    if len(alone) > 1:
        yield Plan(tuple(sorted(pull for plan in alone for pull in plan.pulls)))


def deal(
    groups: Sequence[str], labels: Floats, folds: int, seed: int
) -> tuple[NDArray[np.int64], bool]:
    """Folds that keep groups together, or by video where there are fewer groups than folds."""
    whole = len(set(groups)) >= folds
    names = list(groups) if whole else [f"{group}/{at}" for at, group in enumerate(groups)]
    return grouped_folds(names, [int(each) for each in labels], folds, seed), whole


def _some(lesson: Lesson, seed: int) -> NDArray[np.intp]:
    """All decisions, or whole groups drawn at random until there are ``ENOUGH``."""
    count = len(lesson.labels)
    if count <= ENOUGH:
        return np.arange(count)
    names = sorted(set(lesson.groups))
    order = np.random.default_rng(seed).permutation(len(names))
    rank = {names[name]: place for place, name in enumerate(order)}
    places = np.argsort([rank[group] for group in lesson.groups], kind="stable")
    return np.sort(places[:ENOUGH])


def _held_out(lesson: Lesson, plan: Plan, folds: NDArray[np.int64]) -> tuple[Floats, float]:
    """Log-odds (n,) from fits that did not see the row's fold, and their mean training loss."""
    count, elders = len(lesson.labels), _elders(lesson)
    sides = _with_elders(lesson)
    parts = [(sides[n], lesson.anchor.pull(n, pull, lesson.hold)) for n, pull in plan.pulls]
    square = compact(parts, count + elders) if parts else np.zeros((count + elders, 0))
    logits, losses = np.zeros(count), []
    for number in np.unique(folds):
        held, kept = np.flatnonzero(folds == number), np.flatnonzero(folds != number)
        shown = np.concatenate([kept, np.arange(count, count + elders)])
        found = solve(_problem(lesson.at(kept), square[shown]))
        logits[held] = found.logits(square[held], lesson.parent[held])
        losses.append(found.loss)
    return logits, float(np.mean(losses))


def _gain(lesson: Lesson, logits: Floats, before: Floats) -> tuple[float, float]:
    """Mean fall of the log-loss and its standard error, by groups."""
    y, w = lesson.labels, lesson.weights
    each = np.logaddexp(0, before) - y * before - np.logaddexp(0, logits) + y * logits
    _, group = np.unique(lesson.groups, return_inverse=True)
    total = max(float(w.sum()), 1e-9)
    mean = float(w @ each) / total
    sums = np.bincount(group, weights=w * (each - mean))
    return mean, float(np.sqrt((sums**2).sum())) / total
