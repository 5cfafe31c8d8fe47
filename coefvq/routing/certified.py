"""A routing policy whose thresholds carry a certificate (Learn then Test, fixed sequence).

One part of the labels fits the rule and lays out a path of thresholds, from safe to bold; the
other part tests along it. At each step of the path every estimated rate lies the same number of
standard errors below its target, so that all risks use up their room together and the confidence
need not be split between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.audit import draws
from coefvq.routing.bounds import labels_needed
from coefvq.routing.calibration import log_odds, sigmoid
from coefvq.routing.certify import (
    ESCALATION_RATE,
    FALSE_REMOVAL_RATE,
    MISS_RATE,
    Certified,
    Risk,
    certificate,
    certify,
    certify_or_refuse,
    check_feasible,
)
from coefvq.routing.combination import stratified_folds
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import CERTIFYING, MOST_CERTIFYING, FitRequest
from coefvq.routing.route import FLAG, PASS, ends
from coefvq.routing.uncertified import Fitted, check_fittable, fit_uncertified

STEPS = np.arange(5.0, -0.01, -0.1)
"""Standard errors between estimated rate and target along the path, safest first."""
Vector = NDArray[np.float64]
Say = Callable[[str], None]


def fit_certified(items: Predictions, request: FitRequest, say: Say) -> RoutingPolicy:
    """Fit on one part of the labels, certify on the other.

    Raises:
        RoutingError: The labels cannot carry the certificate; says how many would.
    """
    items = items.take(items.has_mllm)
    check_fittable(items)
    if items.weighted:
        raise RoutingError(
            "The rows carry unequal weights, and a binomial certificate needs labels drawn evenly. "
            "Leave the weight column out of an evenly drawn sample, or fit without a certificate."
        )
    share = certifying_share(items, request)
    apart = held_out(items, share, request.seed)
    fitted = fit_uncertified(items.take(~apart), request, say)[1]
    say("certifying the thresholds")
    trial = Trial.of(fitted, items.take(apart), request)
    found, risks = trial.certify(items.violations / len(items))
    chosen = replace(fitted.policy, thresholds=trial.path[_last(found)])
    paper = certificate(risks, request.confidence, found)
    note = (
        f"Certified on {apart.sum()} labels kept out of fitting; the rule was fitted on the other "
        f"{(~apart).sum()}. The escalation threshold stays where it was certified."
    )
    fitted_on = dict(fitted.policy.fitted_on) | {"certified_on": int(apart.sum())}
    return replace(chosen, certificate=paper.to_json(), fitted_on=fitted_on).noted(note)


def certifying_share(items: Predictions, request: FitRequest) -> float:
    """Share of labels to keep apart: half, or more where half could never certify the target.

    Raises:
        RoutingError: Not even ``MOST_CERTIFYING`` of the violations would do.
    """
    prevalence = items.violations / len(items)
    if request.miss_rate is None:
        return CERTIFYING
    target, confidence = request.miss_rate, request.confidence
    check_feasible(items.violations, target, confidence, prevalence, MOST_CERTIFYING)
    room = 1.3 * labels_needed(target, confidence) / items.violations
    return float(np.clip(room, CERTIFYING, MOST_CERTIFYING))


def held_out(items: Predictions, share: float, seed: int) -> NDArray[np.bool_]:
    """A random part of each class; (n,)."""
    slices = 100
    return stratified_folds(items.label, slices, seed + 1) < round(share * slices)


def _last(found: Certified) -> int:
    assert found.index is not None
    return found.index


@dataclass(frozen=True)
class Trial:
    """A path of thresholds and the labels that test it.

    Attributes:
        fitted: The policy before certification.
        items: Labels that nothing was fitted on.
        request: The targets.
        path: Thresholds, safest first.
    """

    fitted: Fitted
    items: Predictions
    request: FitRequest
    path: tuple[Thresholds, ...]

    @classmethod
    def of(cls, fitted: Fitted, items: Predictions, request: FitRequest) -> Trial:
        """Lay out the path on the fitted part alone."""
        rows, policy = fitted.rows, fitted.policy
        known = policy.first.know(rows.prefilter, rows.feature_matrix(policy.features))
        score = policy.score(known)
        path = tuple(_thresholds(fitted, score, items, request, step) for step in STEPS)
        return cls(fitted, items, request, path)

    def certify(self, prevalence: float) -> tuple[Certified, tuple[Risk, ...]]:
        """Test along the path.

        Raises:
            RoutingError: Not even the safest thresholds pass; says what would do.
        """
        risks = self.risks()
        if certify(risks, self.request.confidence).index is None:
            certify_or_refuse(risks, self.request.confidence, prevalence)
        return certify(risks, self.request.confidence), risks

    def risks(self) -> tuple[Risk, ...]:
        """Errors at each step of the path, a risk each."""
        policy, items, request = self.fitted.policy, self.items, self.request
        known = policy.first.know(items.prefilter, items.feature_matrix(policy.features))
        score, final = policy.score(known), policy.final(known.p1, items.mllm)
        drawn = draws(items.item_id, policy.audit.mllm, "certify")
        counts = np.zeros((3, len(self.path)), dtype=np.int64)
        for column, cut in enumerate(self.path):
            escalated = (score > cut.escalate_from) | drawn
            mixed = np.where(escalated, final, known.base)
            route = ends(replace(policy, thresholds=cut), known.p1, items.mllm, mixed, escalated)
            yes = items.label == 1
            counts[:, column] = (
                (yes & (route == PASS)).sum(), (~yes & (route == FLAG)).sum(), escalated.sum()
            )  # fmt: skip
        yes_n, n = items.violations, len(items)
        rows = (
            (MISS_RATE, request.miss_rate, counts[0], yes_n),
            (FALSE_REMOVAL_RATE, request.false_removal, counts[1], n - yes_n),
            (ESCALATION_RATE, request.budget if request.budget < 1 else None, counts[2], n),
        )
        return tuple(Risk(name, goal, count, m) for name, goal, count, m in rows if goal)


def _thresholds(
    fitted: Fitted, score: Vector, items: Predictions, request: FitRequest, step: float
) -> Thresholds:
    """Thresholds whose estimated rates lie ``step`` standard errors below their targets.

    Args:
        score: Escalation scores of the fitted rows by the final rule: out-of-fold scores come from
            other fits and are of a slightly different scale.
    """
    judged, rows, cut = fitted.judged, fitted.rows, fitted.policy.thresholds
    start, rate = cut.escalate_from, 1.0
    if request.budget < 1:
        bold = _below(request.budget, len(items), step)
        rate = max(0.0, (bold - request.audit.mllm) / (1 - request.audit.mllm))
        start = float(np.quantile(score, 1 - rate, method="higher"))
    mixed = np.where(judged.place[0] > 1 - rate, judged.final[0], judged.base[0])
    yes = rows.label == 1
    pass_below = flag_from = cut.call_from
    if request.miss_rate is not None:
        pass_below = _cut(mixed[yes], request.miss_rate, items.violations, step)
        pass_below = min(cut.call_from, pass_below)
    if request.false_removal is not None:
        kept = len(items) - items.violations
        flag_from = 1 - _cut(1 - mixed[~yes], request.false_removal, kept, step)
        flag_from = max(cut.call_from, flag_from)
    return Thresholds(start, cut.call_from, pass_below, flag_from, cut.escalate_least)


def _below(target: float, n: int, step: float) -> float:
    """The rate ``step`` standard errors of n trials below a target, at least 0."""
    return max(0.0, target - step * float(np.sqrt(target * (1 - target) / n)))


def _cut(values: Vector, target: float, n: int, step: float) -> float:
    """The probability below which the wanted share of ``values`` lies.

    Where that share is nothing, the cut moves on below the lowest value, half a log-odds for
    each further standard error: the lowest of a few values is no safe place.
    """
    spare = step - float(np.sqrt(n * target / (1 - target)))
    if spare <= 0:
        return float(np.quantile(values, _below(target, n, step)))
    return float(sigmoid(log_odds(values.min(), 1e-9) - 0.5 - spare))
