"""Order what is not labelled by how much a label would teach.

Four things speak for a candidate: the model is unsure of it, the two stages disagree on it, it is
unlike what is labelled already, and it stands for many others (its nearest neighbours are near;
what resembles nothing teaches nothing else). Each counts by rank, so that none needs calibration.
A batch is picked one by one, and what resembles a pick already made counts less. The rest of the
batch is drawn at random, with known probability: without it the labels could not say how often
anything happens (Settles 2009, sections 3 and 5; Horvitz and Thompson 1952). While few labels are
known the random part is larger, for a model that knows little does not know what it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
NEIGHBOURS = 10
_LOW = -1e9
_BLOCK = 2048


@dataclass(frozen=True)
class Mixing:
    """How much each reason counts against the others; the defaults are measured.

    Attributes:
        uncertainty: The probability is near a half.
        disagreement: The two stages' probabilities differ.
        distance: Far from all labelled examples.
        density: Near to many other candidates.
        diversity: How much likeness to an earlier pick of the batch takes off.
        random: Least share of a batch that is drawn at random, 0..1.
        warm_up: With fewer labels than this the random share is ``1 - labels / warm_up``.
    """

    uncertainty: float = 1.0
    disagreement: float = 0.5
    distance: float = 0.25
    density: float = 0.5
    diversity: float = 0.3
    random: float = 0.1
    warm_up: int = 100

    def random_share(self, labels: int) -> float:
        """Share of the next batch that is drawn at random."""
        cold = 1 - labels / self.warm_up if self.warm_up else 0.0
        return min(1.0, max(self.random, cold))


@dataclass(frozen=True)
class Pool:
    """What could be labelled; all in the same order.

    Attributes:
        keys: Unique; they also settle ties.
        probabilities: Of a violation, float (n,); NaN: nothing covers it, so nobody is surer.
        disagreement: float (n,), largest difference between the stages, 0..1; NaN: only one spoke.
        vectors: float (n, d), rows of length 1, or of length 0 where nothing is known.
    """

    keys: Sequence[str]
    probabilities: Floats
    disagreement: Floats
    vectors: Floats


@dataclass(frozen=True)
class Choice:
    """One candidate to label.

    Attributes:
        score: The larger, the more a label would teach; also known of what was drawn at random.
        propensity: Probability with which it was chosen, in (0, 1].
        reason: What spoke most for it: ``uncertain``, ``stages disagree``, ``unlike the labelled
            ones``, ``stands for many`` or ``random``.
    """

    key: str
    score: float
    propensity: float
    reason: str


REASONS = ("uncertain", "stages disagree", "unlike the labelled ones", "stands for many")
RANDOM = "random"


def rank(
    pool: Pool,
    labelled: Floats,
    number: int,
    *,
    labels: int,
    mixing: Mixing = Mixing(),
    seed: int = 0,
) -> list[Choice]:
    """Choose what to label next, the best first and then what was drawn.

    What is picked by score has propensity 1, what is drawn the share of the rest that is drawn: so
    the batch weighted by 1 / propensity stands for the whole pool.

    Args:
        labelled: float (m, d), vectors of labelled examples; m may be 0.
        number: How many; fewer where the pool is smaller.
        labels: How many labels the model has learnt from.
        seed: Of the draw.
    """
    size = len(pool.keys)
    wanted = min(number, size)
    if wanted <= 0:
        return []
    parts = signals(pool, labelled)
    weights = np.array([mixing.uncertainty, mixing.disagreement, mixing.distance, mixing.density])
    scores = parts @ weights
    rng = np.random.default_rng(seed)
    drawn = wanted if wanted == size else _round(mixing.random_share(labels) * wanted, rng)
    picked = _pick(scores, pool, wanted - drawn, mixing.diversity)
    rest = np.setdiff1d(np.arange(size), picked)
    chosen = rng.choice(rest, drawn, replace=False) if drawn else rest[:0]
    chance = drawn / len(rest) if len(rest) else 1.0
    why = (parts * weights).argmax(axis=1)
    best = [Choice(pool.keys[i], float(scores[i]), 1.0, REASONS[why[i]]) for i in picked]
    return best + [Choice(pool.keys[i], float(scores[i]), chance, RANDOM) for i in chosen]


def signals(pool: Pool, labelled: Floats) -> Floats:
    """The four reasons of each candidate, float (n, 4), each a rank in 0..1."""
    unsure = 1 - np.abs(2 * np.nan_to_num(pool.probabilities, nan=0.5) - 1)
    differ = np.nan_to_num(pool.disagreement, nan=0.0)
    known = np.linalg.norm(pool.vectors, axis=1) > 0
    far = np.where(known, 1 - nearest(pool.vectors, labelled), 0.0)
    parts = (unsure, differ, far, density(pool.vectors))
    return np.stack([_ranked(part) for part in parts], axis=1)


def nearest(vectors: Floats, others: Floats) -> Floats:
    """Cosine with the nearest of ``others``, float (n,), 0..1; 0 where there is none."""
    if not len(others) or not len(vectors):
        return np.zeros(len(vectors))
    found = [
        (vectors[at : at + _BLOCK] @ others.T).max(axis=1) for at in range(0, len(vectors), _BLOCK)
    ]
    return np.clip(np.concatenate(found), 0.0, 1.0)


def density(vectors: Floats, neighbours: int = NEIGHBOURS) -> Floats:
    """Mean cosine with the nearest other candidates, float (n,)."""
    size = len(vectors)
    few = min(neighbours, size - 1)
    if few <= 0:
        return np.zeros(size)
    found = []
    for at in range(0, size, _BLOCK):
        likeness = vectors[at : at + _BLOCK] @ vectors.T
        rows = np.arange(len(likeness))
        likeness[rows, at + rows] = -1.0  # not with itself
        found.append(np.partition(likeness, -few, axis=1)[:, -few:].mean(axis=1))
    return np.concatenate(found)


def _ranked(values: Floats) -> Floats:
    """0..1, equal ones alike; all 0 where they say nothing."""
    if len(values) < 2 or np.ptp(values) < 1e-12:
        return np.zeros(len(values))
    return (rankdata(values) - 1) / (len(values) - 1)


def _pick(scores: Floats, pool: Pool, number: int, diversity: float) -> list[int]:
    """The best by score, each less for its likeness to those before it; ties by key."""
    order = np.argsort(np.asarray(pool.keys))
    left, likeness = scores[order].astype(np.float64), np.zeros(len(order))
    vectors, found = pool.vectors[order], []
    for _ in range(number):
        at = int(np.argmax(left - diversity * likeness))
        found.append(int(order[at]))
        left[at] = _LOW
        likeness = np.maximum(likeness, np.clip(vectors @ vectors[at], 0.0, 1.0))
    return found


def _round(value: float, rng: np.random.Generator) -> int:
    """To a whole number, up as often as its fraction says."""
    low = int(value)
    return low + int(rng.random() < value - low)
