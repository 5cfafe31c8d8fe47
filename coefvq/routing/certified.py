"""A routing policy whose thresholds carry a certificate (Learn then Test, fixed sequence).

One part of the labels fits the rule and lays out a path of thresholds, from safe to bold; the
other part tests along it. At each step of the path the estimated miss and false-removal rates lie
the same number of standard errors below their targets, so that they use up their room together and
the confidence need not be split between them. The escalation rate keeps a distance throughout.
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
from coefvq.routing.certificate import conformal_certificate
from coefvq.routing.certify import (
    ESCALATION_RATE,
    FALSE_REMOVAL_RATE,
    MISS_RATE,
    Certificate,
    Risk,
    certificate,
    certify_or_refuse,
    check_feasible,
)
from coefvq.routing.conformal import conformal
from coefvq.routing.policy import NO_LEAST, RoutingPolicy, Thresholds
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import CERTIFYING, MOST_CERTIFYING, FitRequest
from coefvq.routing.route import FLAG, PASS, ends
from coefvq.routing.shares import lowest_of_top
from coefvq.routing.uncertified import Fitted, check_fittable, fit_uncertified

STEPS = np.arange(5.0, -1.01, -0.1)
"""Standard errors between estimated rate and target along the path, safest first. It ends beyond
the target: conformal risk control, which promises the mean only, may stop there."""
CALM = 3.0
"""Standard errors that the escalation rate keeps below its target throughout."""
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
    index, paper = trial.certify(items.violations / len(items))
    chosen = replace(fitted.policy, thresholds=trial.path[index])
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
    if request.method == "crc":
        return CERTIFYING
    check_feasible(items.violations, target, confidence, prevalence, MOST_CERTIFYING)
    room = 1.3 * labels_needed(target, confidence) / items.violations
    return float(np.clip(room, CERTIFYING, MOST_CERTIFYING))


def held_out(items: Predictions, share: float, seed: int) -> NDArray[np.bool_]:
    """A random part of each class, rounded down: what ``check_feasible`` counts on; (n,)."""
    rng, apart = np.random.default_rng(seed + 1), np.zeros(len(items), dtype=bool)
    for value in (0, 1):
        rows = rng.permutation(np.flatnonzero(items.label == value))
        apart[rows[: int(share * len(rows) + 1e-9)]] = True
    return apart


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

    def certify(self, prevalence: float) -> tuple[int, Certificate]:
        """Test along the path; the step to use and what it is certified for.

        Raises:
            RoutingError: Not even the safest thresholds pass; says what would do.
        """
        missed, removed, escalated = self.outcomes()
        if self.request.method == "crc":
            return self._conform(missed)
        confidence, risks = self.request.confidence, self._risks(missed, removed, escalated)
        found = certify_or_refuse(risks, confidence, prevalence)
        assert found.index is not None
        return found.index, certificate(risks, confidence, found)

    def _conform(self, missed: NDArray[np.bool_]) -> tuple[int, Certificate]:
        """Conformal risk control of the miss rate."""
        target = self.request.miss_rate
        assert target is not None
        found = conformal(missed, target)
        if found.index is None:
            raise RoutingError(
                f"A mean miss rate of {target:g} cannot be promised with {len(missed)} violations "
                f"kept apart: at least {int(np.ceil(1 / target - 1))} without a miss are needed."
            )
        return found.index, conformal_certificate(MISS_RATE, missed, target, found)

    def outcomes(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """(violations missed, non-violations removed, items escalated), each (rows, steps)."""
        policy, items = self.fitted.policy, self.items
        known = policy.first.know(items.prefilter, items.feature_matrix(policy.features))
        score, final = policy.score(known), policy.final(known.p1, items.mllm)
        drawn = draws(items.item_id, policy.audit.mllm, "certify")
        escalated = np.empty((len(items), len(self.path)), dtype=bool)
        routes = np.empty(escalated.shape, dtype=np.int8)
        for column, cut in enumerate(self.path):
            due = (score > cut.escalate_from) | drawn
            mixed = np.where(due, final, known.base)
            at_cut = replace(policy, thresholds=cut)
            escalated[:, column] = due
            routes[:, column] = ends(at_cut, known.p1, items.mllm, mixed, due)
        violation = items.label == 1
        return routes[violation] == PASS, routes[~violation] == FLAG, escalated

    def _risks(
        self,
        missed: NDArray[np.bool_],
        removed: NDArray[np.bool_],
        escalated: NDArray[np.bool_],
    ) -> tuple[Risk, ...]:
        """Errors at each step of the path, for each risk that was asked for."""
        request = self.request
        rows = (
            (MISS_RATE, request.miss_rate, missed),
            (FALSE_REMOVAL_RATE, request.false_removal, removed),
            (ESCALATION_RATE, request.budget if request.budget < 1 else None, escalated),
        )
        return tuple(
            Risk(name, target, wrong.sum(0).astype(np.int64), len(wrong))
            for name, target, wrong in rows
            if target
        )


def _thresholds(
    fitted: Fitted, score: Vector, items: Predictions, request: FitRequest, step: float
) -> Thresholds:
    """Thresholds whose estimated rates lie ``step`` standard errors below their targets.

    Args:
        score: Escalation scores of the fitted rows by the final rule: out-of-fold scores come from
            other fits and are of a slightly different scale.
    """
    judged, rows, cut = fitted.judged, fitted.rows, fitted.policy.thresholds
    start, rate = NO_LEAST, 1.0
    if request.budget < 1:
        # All items speak on the escalation rate, few on misses: it must not end the path first.
        bold = _below(request.budget, len(items), max(step, CALM))
        rate = max(0.0, (bold - request.audit.mllm) / (1 - request.audit.mllm))
        start = lowest_of_top(score, rows.weight, rate, above=True)
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
