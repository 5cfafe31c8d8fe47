"""Quality against the share of items that are escalated, and how much of the gap it closes.

PGR, APGR and CPT are those of RouteLLM (Ong et al., arXiv 2406.18665, section 4): with r the
quality of the cascade, r_weak of the prefilter alone and r_strong of the MLLM alone,
PGR = (r - r_weak) / (r_strong - r_weak). They may exceed 1 where two stages together are better
than the MLLM alone, and fall below 0 where escalation does harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.routing.calibration import log_odds, sigmoid
from coefvq.routing.objective import Objective

Vector = NDArray[np.float64]
RATES = np.linspace(0.0, 1.0, 101)
"""Call rates at which a curve is measured."""
SHARES = (50, 80, 95)
"""Percent of the gap that CPT is stated for."""
LEAST_GAP = 0.01
"""Gap between the stages, as a share of the better figure, below which PGR is noise."""
EXACT_UP_TO = 10_000
"""Rows up to which every distinct probability is a place of its own."""
PLACES = 16_384
EDGE = 1e-9
"""Probabilities nearer to 0 or 1 than this share the outermost place."""


@dataclass(frozen=True)
class DeferralCurve:
    """Quality by the objective, higher = better, at rising call rates."""

    rates: Vector
    quality: Vector


def deferral_curve(
    score: ArrayLike,
    kept: ArrayLike,
    escalated: ArrayLike,
    labels: ArrayLike,
    objective: Objective,
    weights: ArrayLike | None = None,
    rates: ArrayLike = RATES,
) -> DeferralCurve:
    """Escalate the highest scores first and measure the quality of what results.

    At each call rate the cut of F1 is the one with the largest expected F1 under the probabilities
    that count at that rate: no label is used, and each rate has the cut it would be given. Rows
    with equal scores go up together, in equal shares. With more than ``EXACT_UP_TO`` rows
    probabilities are held to 16,384 places on the log-odds line (0.0025 apart), which moves
    average precision and F1 by less than 0.001.

    Args:
        score: (n,) escalation scores.
        kept: (n,) the probability of each item if it is not escalated.
        escalated: (n,) its final probability if it is.
        labels: (n,) 0/1.
        weights: (n,), default 1; call rates are shares of the weight.
        rates: Rising, in 0..1.

    Returns:
        Quality NaN throughout where it is not defined, as F1 and AP without a violation.
    """
    if not len(np.asarray(labels)):
        return DeferralCurve(np.asarray(rates, float), np.full(len(np.asarray(rates)), np.nan))
    places = _places(kept, escalated, objective)
    w = np.ones(len(places.kept)) if weights is None else np.asarray(weights, dtype=np.float64)
    asked = np.asarray(rates, dtype=np.float64)
    tables = _tables(np.asarray(score, float), places, np.asarray(labels) == 1, w, asked)
    return DeferralCurve(
        asked, np.array([_quality(table, places.middle, objective) for table in tables])
    )


def pgr(quality: float, weak: float, strong: float) -> float:
    """Share of the gap between the stages that is recovered.

    Returns:
        NaN where the strong stage is not better by at least ``LEAST_GAP`` of the better figure.
    """
    gap = strong - weak
    if not gap > LEAST_GAP * max(abs(strong), abs(weak)):
        return float("nan")
    return (quality - weak) / gap


def apgr(curve: DeferralCurve, weak: float, strong: float) -> float:
    """Area under PGR over call rates 0..1; NaN where PGR is."""
    shares = np.array([pgr(value, weak, strong) for value in curve.quality])
    return float(np.trapezoid(shares, curve.rates) / np.ptp(curve.rates))


def cpt(curve: DeferralCurve, weak: float, strong: float, percent: float) -> float:
    """The smallest call rate at which ``percent`` of the gap is recovered, 0..1.

    Read off between two measured rates on a straight line. NaN where it is never reached or where
    PGR is not defined.
    """
    shares = np.array([pgr(value, weak, strong) for value in curve.quality]) - percent / 100
    reached = np.flatnonzero(shares >= 0)
    if not len(reached):
        return float("nan")
    after = int(reached[0])
    if after == 0:
        return float(curve.rates[0])
    below, above = shares[after - 1], shares[after]
    step = curve.rates[after] - curve.rates[after - 1]
    return float(curve.rates[after] - step * above / (above - below))


def mixed_average_precision(
    labels: ArrayLike, kept: Vector, escalated: Vector, chance: Vector, weights: Vector
) -> float:
    """Average precision of the expected counts where each row is escalated with a probability.

    Args:
        labels: (n,) 0/1.
        kept: (n,) probabilities without the MLLM.
        escalated: (n,) probabilities with it.
        chance: (n,) probability of being escalated.
        weights: (n,).
    """
    goal = Objective("ap")
    places, violation = _places(kept, escalated, goal), np.asarray(labels) == 1
    size = len(places.middle)
    table = _table(violation, places.kept, weights * (1 - chance), size)
    table = table + _table(violation, places.escalated, weights * chance, size)
    return _quality(table, places.middle, goal)


@dataclass(frozen=True)
class Places:
    """Probabilities as whole numbers on one rising scale.

    Attributes:
        kept: (n,) place of each item that is not escalated.
        escalated: (n,) place of it if it is.
        middle: (places,) the probability that each place stands for, rising.
    """

    kept: NDArray[np.intp]
    escalated: NDArray[np.intp]
    middle: Vector


def _places(kept: ArrayLike, escalated: ArrayLike, objective: Objective) -> Places:
    first, second = np.asarray(kept, dtype=np.float64), np.asarray(escalated, dtype=np.float64)
    if len(first) <= EXACT_UP_TO:
        middle, found = np.unique(np.concatenate([first, second]), return_inverse=True)
        return Places(found[: len(first)], found[len(first) :], middle)
    # A border between places lies on the cut of the cost objective, so that it is exact.
    border = float(log_odds(objective.threshold([0.5]), EDGE)) if objective.name == "cost" else 0.0
    reach = float(log_odds(1 - EDGE, EDGE))
    width = 2 * reach / PLACES
    lowest = int(np.floor((-reach - border) / width)) - 1
    line = (np.arange(PLACES + 4) + lowest + 0.5) * width + border
    on_grid = [
        np.floor((log_odds(values, EDGE) - border) / width).astype(np.intp) - lowest
        for values in (first, second)
    ]
    return Places(on_grid[0], on_grid[1], sigmoid(line))


def _tables(
    score: Vector, places: Places, violation: NDArray[np.bool_], w: Vector, rates: Vector
) -> Iterator[Vector]:
    """For each call rate: weight by label and place, (2, places)."""
    size = len(places.middle)
    now = _table(violation, places.kept, w, size)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True)[: len(score)]) + 1
    mass = np.cumsum(w[order])[ends - 1]
    wanted = rates * mass[-1] if len(mass) else rates * 0
    done, part, moved = 0, -1, np.zeros_like(now)
    for want, block in zip(wanted, np.searchsorted(mass, wanted, "right"), strict=True):
        start = int(ends[block - 1]) if block else 0
        now = now + _moved(order[done:start], violation, places, w)
        done = start
        if block == len(ends):
            yield now
            continue
        if block != part:
            part, moved = block, _moved(order[start : ends[block]], violation, places, w)
        before = mass[block - 1] if block else 0.0
        yield now + moved * ((want - before) / (mass[block] - before))


def _moved(
    rows: NDArray[np.intp], violation: NDArray[np.bool_], places: Places, w: Vector
) -> Vector:
    """What changes in the table of weights when some rows are escalated."""
    y, inside, size = violation[rows], w[rows], len(places.middle)
    return _table(y, places.escalated[rows], inside, size) - _table(
        y, places.kept[rows], inside, size
    )


def _table(violation: NDArray[np.bool_], place: NDArray[np.intp], w: Vector, size: int) -> Vector:
    counted = np.bincount(place + size * violation, weights=w, minlength=2 * size)
    return counted.astype(np.float64, copy=False).reshape(2, size)


def _quality(table: Vector, middle: Vector, objective: Objective) -> float:
    """The objective's value of weights (2, places) on rising probabilities."""
    negative, positive = table[:, ::-1]
    hits, called = np.cumsum(positive), np.cumsum(positive + negative)
    if objective.name == "cost":
        return _minus_cost(hits, called, middle, objective)
    if not len(hits) or hits[-1] <= 0:
        return float("nan")
    if objective.name == "ap":
        return float(positive @ (hits / np.where(called > 0, called, 1.0)) / hits[-1])
    expected = np.cumsum((positive + negative) * middle[::-1])
    best = int((expected / (called + expected[-1])).argmax())
    return float(2 * hits[best] / (called[best] + hits[-1]))


def _minus_cost(hits: Vector, called: Vector, middle: Vector, objective: Objective) -> float:
    cut = int(np.searchsorted(middle, objective.threshold(middle), "left"))
    last = len(middle) - cut - 1
    right, calls = (hits[last], called[last]) if last >= 0 else (0.0, 0.0)
    wrong = objective.cost_fn * (hits[-1] - right) + objective.cost_fp * (calls - right)
    return -float(wrong / called[-1])
