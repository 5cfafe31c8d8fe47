"""Escalation rules: each gives every item a score, and the highest scores go to the MLLM.

For one binary probability entropy, margin and largest probability order items alike, whatever
a wrong answer costs (Jitkrittum et al. 2023, arXiv 2307.02764). What beats them knows the costs
(``bayes_risk``), knows what the MLLM is likely to change (``learned``), or does not need the
prefilter to be unsure (``similar``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.routing.regress import Regressor, regressor_from_json

Vector = NDArray[np.float64]
Json = dict[str, Any]
TOUCHING = 0.05
"""Added to distances, in standard deviations: two copies are near, not infinitely near."""


@dataclass(frozen=True)
class Known:
    """What is known of n items before the MLLM runs.

    Attributes:
        p1: The prefilter's calibrated probability.
        base: The probability that counts if the item is not escalated.
        inputs: (n, d) inputs of the regressors: the score's place, then the features.
        forecast: What the MLLM is expected to say, (n,); ``None`` where the policy has no forecast.
    """

    p1: Vector
    base: Vector
    inputs: Vector
    forecast: Vector | None = None


class EscalationScore(Protocol):
    """Known items -> (n,) scores."""

    def __call__(self, known: Known) -> Vector:
        """Score; higher goes first."""

    def to_json(self) -> Json:
        """As stored in a routing policy."""


def entropy_bits(probabilities: ArrayLike) -> Vector:
    """Binary entropy in bits, 0..1; see ``coefvq.routing.entropy.binary_entropy``."""
    inner = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-12, 1 - 1e-12)
    return -(inner * np.log2(inner) + (1 - inner) * np.log2(1 - inner))


@dataclass(frozen=True)
class Entropy:
    """The paper's rule: bits of the prefilter's probability."""

    def __call__(self, known: Known) -> Vector:
        """0..1."""
        return entropy_bits(known.p1)

    def to_json(self) -> Json:
        """No number of its own."""
        return {"kind": "entropy"}


@dataclass(frozen=True)
class Margin:
    """One minus the distance of the two classes' probabilities."""

    def __call__(self, known: Known) -> Vector:
        """0..1."""
        return 1 - np.abs(2 * known.p1 - 1)

    def to_json(self) -> Json:
        """No number of its own."""
        return {"kind": "margin"}


@dataclass(frozen=True)
class BayesRisk:
    """What the better automatic answer is expected to cost: min(cost_fn p, cost_fp (1 - p)).

    For average precision there is no cut and no cost: an item weighs more the higher it ranks, so
    what is at risk in it is its probability itself.

    Attributes:
        ranking: Whether the objective is a ranking.
        forecast: Whether p is the MLLM's expected answer instead of the prefilter's.
    """

    cost_fn: float
    cost_fp: float
    ranking: bool = False
    forecast: bool = False

    def __call__(self, known: Known) -> Vector:
        """>= 0."""
        p = known.p1 if not self.forecast or known.forecast is None else known.forecast
        return p if self.ranking else np.minimum(self.cost_fn * p, self.cost_fp * (1 - p))

    def to_json(self) -> Json:
        """Costs and what they apply to."""
        costs = {"cost_fn": self.cost_fn, "cost_fp": self.cost_fp}
        return {"kind": "bayes_risk", "ranking": self.ranking, "forecast": self.forecast} | costs


@dataclass(frozen=True)
class Gain:
    """Expected saving if the MLLM answers in the prefilter's place, by which answer stands now.

    Attributes:
        cut: From this probability the prefilter's answer is "violation".
        of_passed: Expected saving where it is "not a violation" (a miss may be caught).
        of_flagged: Expected saving where it is "violation" (a false alarm may be lifted).
    """

    cut: float
    of_passed: Regressor
    of_flagged: Regressor

    def __call__(self, known: Known) -> Vector:
        """Cost units; near 0 where the MLLM would agree."""
        flagged = known.base >= self.cut
        return np.where(flagged, self.of_flagged(known.inputs), self.of_passed(known.inputs))

    def to_json(self) -> Json:
        """Cut and both regressors."""
        parts = {"passed": self.of_passed.to_json(), "flagged": self.of_flagged.to_json()}
        return {"kind": "gain", "cut": self.cut} | parts


@dataclass(frozen=True)
class Similar:
    """Like known violations rather than like the rest, or unsure: whichever stands out more.

    A bank of violations is searched by nearest neighbours in the space of the features, so that a
    video can be escalated though the prefilter is sure of it (Filter-And-Refine, arXiv 2507.17204,
    recalls by similarity to seed videos). Distance to violations alone would call every crowded
    place near; it is set against the distance to ordinary items.

    Attributes:
        bank: (violations, k) scaled features of known violations.
        ordinary: (items, k) scaled features of non-violations.
        neighbours: How many of each the distance is averaged over.
        likeness: Rising quantiles of the likeness over the fitted items.
        bits: Rising quantiles of the entropy over the same items.
        first_input: Column of ``Known.inputs`` where the features begin.
    """

    bank: Vector
    ordinary: Vector
    neighbours: int
    likeness: Vector
    bits: Vector
    first_input: int = 1

    def __call__(self, known: Known) -> Vector:
        """0..1: the larger of the two ranks."""
        like = _rank(self.likeness, self.like(known.inputs[:, self.first_input :]))
        return np.maximum(like, _rank(self.bits, entropy_bits(known.p1)))

    def like(self, points: Vector) -> Vector:
        """Log of distance to ordinary items over distance to violations, (n, k) -> (n,)."""
        near, far = (self._distance(bank, points) for bank in (self.bank, self.ordinary))
        return np.log((far + TOUCHING) / (near + TOUCHING))

    def _distance(self, bank: Vector, points: Vector) -> Vector:
        from scipy.spatial import cKDTree

        found, _ = cKDTree(bank).query(points, k=self.neighbours, workers=-1)
        return found if self.neighbours == 1 else found.mean(1)

    def to_json(self) -> Json:
        """Banks and quantiles."""
        return {
            "kind": "similar",
            "bank": self.bank.tolist(),
            "ordinary": self.ordinary.tolist(),
            "neighbours": self.neighbours,
            "likeness": self.likeness.tolist(),
            "bits": self.bits.tolist(),
        }


def _rank(quantiles: Vector, values: Vector) -> Vector:
    """Ranks 0..1; the middle of the ranks that equal values share."""
    marks = np.linspace(0, 1, len(quantiles))
    highest = np.interp(values, quantiles, marks)
    lowest = 1 - np.interp(-values, -quantiles[::-1], marks)
    return (lowest + highest) / 2


def score_from_json(data: Json) -> EscalationScore:
    """Read what a score's ``to_json`` wrote."""
    kind = data["kind"]
    if kind == "bayes_risk":
        costs = float(data["cost_fn"]), float(data["cost_fp"])
        return BayesRisk(*costs, bool(data["ranking"]), bool(data["forecast"]))
    if kind == "gain":
        parts = regressor_from_json(data["passed"]), regressor_from_json(data["flagged"])
        return Gain(float(data["cut"]), *parts)
    if kind == "similar":
        bank, ordinary, likeness, bits = (
            np.asarray(data[k], float) for k in ("bank", "ordinary", "likeness", "bits")
        )
        return Similar(bank, ordinary, int(data["neighbours"]), likeness, bits)
    plain: dict[str, EscalationScore] = {"margin": Margin(), "entropy": Entropy()}
    return plain[kind]
