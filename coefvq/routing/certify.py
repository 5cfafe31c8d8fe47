"""Certified thresholds: Learn then Test, and conformal risk control beside it.

Learn then Test (Angelopoulos et al., arXiv 2110.01052) tests each candidate policy of an ordered
path with labels that played no part in choosing the path. A candidate's null hypothesis is "at
least one of its risks is above its target", so its p-value is the largest over the risks. Testing
walks from the first candidate and stops at the first that fails (fixed-sequence testing), so the
whole error probability is available to each test and nothing is split between risks. With
probability at least ``confidence`` over the draw of the labels, every candidate that passed keeps
all targets.

Two things void the promise: labels that also chose the path, and labels that do not look like
the traffic. For labels drawn with unequal probability see ``weighted_risk``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.bounds import (
    binomial_p,
    check_share,
    clopper_pearson_upper,
    hoeffding_bentkus_p,
    labels_needed,
    passes,
    smallest_passing,
)
from coefvq.routing.certificate import (
    CONFORMAL_RISK_CONTROL,
    ESCALATION_RATE,
    FALSE_REMOVAL_RATE,
    LEARN_THEN_TEST,
    MISS_RATE,
    Certificate,
    CertifiedRisk,
    conformal_certificate,
)
from coefvq.routing.conformal import Conformal, conformal, crc_index
from coefvq.routing.feasibility import (
    check_feasible,
    counted,
    infeasible_message,
    refusal_message,
)

__all__ = [
    "CONFORMAL_RISK_CONTROL",
    "ESCALATION_RATE",
    "FALSE_REMOVAL_RATE",
    "LEARN_THEN_TEST",
    "MISS_RATE",
    "Certificate",
    "Certified",
    "CertifiedRisk",
    "Conformal",
    "Risk",
    "binomial_p",
    "certificate",
    "certify",
    "certify_or_refuse",
    "check_feasible",
    "conformal",
    "conformal_certificate",
    "crc_index",
    "hoeffding_bentkus_p",
    "infeasible_message",
    "labels_needed",
    "weighted_risk",
]


@dataclass(frozen=True, eq=False)
class Risk:
    """One risk along the path of candidates.

    Attributes:
        name: ``miss_rate``, ``false_removal_rate``, ``escalation_rate`` or another.
        target: The rate to stay at or below, strictly between 0 and 1.
        errors: int (candidates,): items that went wrong, of the ``n`` below.
        n: Labelled items that the risk is conditioned on: violations for the miss rate,
            non-violations for false removals, all items for the escalation rate.
        mean_losses: float (candidates,) in 0..1 for losses that are not 0/1: the test is then
            Hoeffding-Bentkus on these means, and ``errors`` is only reported.
        weight_share: Mean weight / largest weight, of ``weighted_risk``; else 1.0. With it
            ``mean_losses`` are weighted error means / largest weight.
    """

    name: str
    target: float
    errors: NDArray[np.int64]
    n: int
    mean_losses: NDArray[np.float64] | None = None
    weight_share: float = 1.0

    def __post_init__(self) -> None:
        check_share(f"the target of {self.name}", self.target)
        if self.n < 1:
            raise RoutingError(
                f"no {counted(self.name)} among the labels: {self.name} cannot be certified."
            )
        if self.mean_losses is not None:
            means = np.asarray(self.mean_losses, dtype=float)
            if len(means) != len(self.errors) or not np.all((means >= 0) & (means <= 1)):
                raise RoutingError(
                    f"{self.name}: mean_losses must be numbers in 0..1, one for each candidate."
                )
        self.p_values()

    def p_values(self) -> NDArray[np.float64]:
        """p-value of each candidate for "this risk is above its target", (candidates,)."""
        if self.mean_losses is None:
            return np.atleast_1d(binomial_p(self.errors, self.n, self.target))
        losses = _centred(self.mean_losses, self.weight_share, self.target)
        return np.atleast_1d(hoeffding_bentkus_p(losses, self.n, self.target))

    def upper_bound(self, index: int, confidence: float) -> float:
        """The lowest target that candidate ``index`` alone would have passed.

        Clopper-Pearson for 0/1 losses, the inverted Hoeffding-Bentkus test otherwise.
        """
        if self.mean_losses is None:
            return float(clopper_pearson_upper(self.errors[index], self.n, confidence))
        return smallest_passing(partial(self._p_at, float(self.mean_losses[index])), confidence)

    def _p_at(self, mean_loss: float, target: float) -> float:
        losses = _centred(np.array(mean_loss), self.weight_share, target)
        return float(hoeffding_bentkus_p(losses, self.n, target))


def weighted_risk(
    name: str,
    target: float,
    wrong: NDArray[np.bool_],
    weights: NDArray[np.float64],
    max_weight: float | None = None,
) -> Risk:
    """A risk from labels that carry inverse-propensity weights.

    Binomial p-values do not hold here. The weighted rate E[w wrong] / E[w] is above the target a
    exactly where L = a + (w / w_max) (wrong - a) has a mean above a. L lies in 0..1, so the
    Hoeffding-Bentkus test of L is valid for any sample size, without knowing E[w]. The price is
    power: roughly n x (mean weight / largest weight) labels count, so a 2 % audit (weights of 50)
    beside fully labelled items needs many more labels than an unweighted set.

    Args:
        wrong: bool (items, candidates), the items that the risk is conditioned on.
        weights: float (items,), positive; 1 / propensity.
        max_weight: Largest weight the sampling could have given, 1 / smallest propensity. It
            belongs to the design and should not be read off the sample; default: the largest seen.

    Raises:
        RoutingError: For weights that are not positive numbers or above ``max_weight``.
    """
    wrong, weight = np.asarray(wrong, dtype=bool), np.asarray(weights, dtype=float)
    if weight.ndim != 1 or wrong.shape[:1] != weight.shape or wrong.ndim != 2:
        raise RoutingError("weighted_risk needs wrong (items, candidates) and weights (items,).")
    if len(weight) == 0:
        raise RoutingError(f"no {counted(name)} among the labels: {name} cannot be certified.")
    top = float(weight.max()) if max_weight is None else float(max_weight)
    if not (np.all(np.isfinite(weight) & (weight > 0)) and weight.max() <= top < math.inf):
        raise RoutingError(
            "weights must be positive numbers, none above the largest of the design."
        )
    means = (weight / top) @ wrong / len(weight)
    share = float(np.mean(weight / top))
    return Risk(name, target, wrong.sum(axis=0), len(weight), np.asarray(means), share)


@dataclass(frozen=True)
class Certified:
    """What fixed-sequence testing found.

    Attributes:
        index: The last candidate that passed with all before it; ``None`` where the first fails.
        p_values: (candidates,), the largest over the risks.
        valid: bool (candidates,): the candidates up to ``index``. Any of them may be used.
    """

    index: int | None
    p_values: NDArray[np.float64]
    valid: NDArray[np.bool_]


def certify(risks: Sequence[Risk], confidence: float) -> Certified:
    """Fixed-sequence testing along the path, all risks together.

    Args:
        risks: With equally long ``errors``; candidates ordered from the safest, in an order that
            does not depend on these labels.
        confidence: Strictly between 0 and 1.

    Raises:
        RoutingError: For no risks or candidates, unequal lengths, or a bad confidence.
    """
    check_share("confidence", confidence)
    lengths = {len(np.atleast_1d(risk.errors)) for risk in risks}
    if len(lengths) != 1 or 0 in lengths:
        raise RoutingError("certify needs at least one risk and one candidate, all equally long.")
    p_values = np.max([risk.p_values() for risk in risks], axis=0)
    valid = np.logical_and.accumulate(passes(p_values, confidence))
    count = int(valid.sum())
    return Certified(count - 1 if count else None, p_values, valid)


def certify_or_refuse(
    risks: Sequence[Risk], confidence: float, prevalence: float | None = None
) -> Certified:
    """``certify``, refusing where not even the safest candidate passes.

    Args:
        prevalence: Violations / labelled items; the message then also counts labelled items.

    Raises:
        RoutingError: With the risks that failed, the labels that would do and the nearest target.
    """
    found = certify(risks, confidence)
    if found.index is not None:
        return found
    failed = [risk for risk in risks if not passes(risk.p_values()[0], confidence)]
    raise RoutingError(" ".join(_refusal(risk, confidence, prevalence) for risk in failed))


def _refusal(risk: Risk, confidence: float, prevalence: float | None) -> str:
    errors = int(risk.errors[0])
    if risk.mean_losses is not None:
        upper = min(math.ceil(risk.upper_bound(0, confidence) * 1e4) / 1e4, 1.0)
        return (
            f"A {risk.name} of {risk.target:g} cannot be certified at confidence {confidence:g} "
            f"with {risk.n:,} weighted {counted(risk.name)} ({errors:,} wrong with the safest "
            f"candidate): audit a larger share, or ask for {upper:g} or more."
        )
    too_few = None
    if risk.name == MISS_RATE:
        too_few = infeasible_message(risk.n, risk.target, confidence, prevalence)
    return too_few or refusal_message(
        risk.name, errors, risk.n, risk.target, confidence, prevalence
    )


def certificate(
    risks: Sequence[Risk], confidence: float, found: Certified, index: int | None = None
) -> Certificate:
    """The certificate of one candidate.

    Args:
        risks: As given to ``certify``.
        confidence: As given to ``certify``.
        found: What ``certify`` returned.
        index: The candidate in use; default: the last that passed, else the safest.

    Raises:
        RoutingError: If ``index`` is not among the candidates that passed.
    """
    if index is not None and not found.valid[index]:
        raise RoutingError(
            f"candidate {index} did not pass: certified are the first "
            f"{int(found.valid.sum())} of {len(found.valid)}."
        )
    at = index if index is not None else (found.index or 0)
    rows = tuple(
        CertifiedRisk(
            risk.name,
            risk.target,
            risk.n,
            int(risk.errors[at]),
            float(risk.p_values()[at]),
            risk.upper_bound(at, confidence),
        )
        for risk in risks
    )
    return Certificate(LEARN_THEN_TEST, confidence, rows, found.index is not None)


def _centred(means: NDArray[np.float64], weight_share: float, target: float) -> NDArray[np.float64]:
    """Mean of L = a + (w / w_max) (wrong - a); the mean itself where all weights are equal."""
    return np.clip(means + target * (1.0 - weight_share), 0.0, 1.0)
