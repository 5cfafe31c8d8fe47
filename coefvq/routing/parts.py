"""What every rule is made of, fitted once on one set of rows and shared by all candidates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.calibration import log_odds
from coefvq.routing.combination import Combination, fit_combination
from coefvq.routing.features import fit_scaling
from coefvq.routing.first_stage import FirstStage
from coefvq.routing.objective import Objective
from coefvq.routing.predictions import Predictions
from coefvq.routing.regress import Mean, Regressor, fit_ridge, fit_trees, thinned
from coefvq.routing.scores import (
    BayesRisk,
    Entropy,
    EscalationScore,
    Gain,
    Margin,
    Similar,
)
from coefvq.routing.similar import fit_similar
from coefvq.routing.stage import StageCalibration, fit_stage

Vector = NDArray[np.float64]
FEWEST_TO_JUDGE = 20
"""Violations from which on the MLLM's trust may depend on features."""


@dataclass(frozen=True)
class Candidate:
    """One way to score escalations.

    Attributes:
        rule: As in ``policy.RULES``.
        score: ``entropy``, ``margin``, ``bayes_risk``, ``forecast``, ``gain`` or ``similar``.
        base: See ``FirstStage.base``.
        family: Regressors of ``learned``: ``ridge`` or ``mean`` (of ridges and trees).
    """

    rule: str
    score: str
    base: str = "prefilter"
    family: str = ""

    @property
    def name(self) -> str:
        """For tables: the rule and what distinguishes it."""
        detail = " ".join(part for part in (self.family, self.score) if part)
        base = "" if self.base == "prefilter" else f", base {self.base}"
        return self.rule if self.rule == self.score else f"{self.rule} ({detail}{base})"


@dataclass
class Parts:
    """Calibrations and regressors of one set of rows; each is fitted when it is first asked for.

    Attributes:
        items: Rows to fit on.
        objective: What routing is for.
        seed: Of everything random.
    """

    items: Predictions
    objective: Objective
    seed: int = 0
    _forecasts: dict[str, Regressor] = field(default_factory=dict)
    _gains: dict[tuple[str, bool], Regressor] = field(default_factory=dict)

    @cached_property
    def both(self) -> Predictions:
        """The rows that have an MLLM score."""
        rows = self.items.take(self.items.has_mllm)
        if rows.violations in (0, len(rows)):
            raise RoutingError(
                f"Of {len(rows)} rows with an MLLM score, {rows.violations} are violations: both "
                "kinds are needed. Run the MLLM on more labelled items."
            )
        return rows

    @cached_property
    def mllm(self) -> StageCalibration:
        """The MLLM's calibration."""
        return fit_stage(self.both.mllm, self.both.label, self.both.weight, "mllm")

    @cached_property
    def bare(self) -> FirstStage:
        """Calibration and scaling; the calibrated score is the base."""
        items = self.items
        calibration = fit_stage(items.prefilter, items.label, items.weight)
        return FirstStage(calibration, fit_scaling(items.feature_names, items.features))

    @cached_property
    def p1(self) -> Vector:
        """Calibrated prefilter probabilities of ``both``."""
        return self.bare.calibration(self.both.prefilter)

    @cached_property
    def p2(self) -> Vector:
        """Calibrated MLLM probabilities of ``both``."""
        return self.mllm(self.both.mllm)

    @cached_property
    def inputs(self) -> Vector:
        """Inputs of the regressors for ``both``."""
        features = self.both.feature_matrix(self.bare.scaling.names)
        return self.bare.inputs(self.both.prefilter, features)

    @cached_property
    def combination(self) -> Combination:
        """Final probabilities of escalated items."""
        return fit_combination(self.p1, self.p2, self.both.label, self.both.weight, self.seed)

    @cached_property
    def final(self) -> Vector:
        """Final probabilities of ``both`` if all of it were escalated."""
        return self.combination(self.p1, self.p2)

    @cached_property
    def costs(self) -> tuple[float, float]:
        """(miss, false alarm) costs that the objective comes down to."""
        return self.objective.action_costs(self.final, self.both.weight)

    @cached_property
    def logistic(self) -> tuple[float, ...]:
        """Score and features in one logistic regression, lightly penalised."""
        from sklearn.linear_model import LogisticRegression

        items = self.items
        features = items.feature_matrix(self.bare.scaling.names)
        inputs = self.bare.inputs(items.prefilter, features)
        model = LogisticRegression(C=1.0).fit(inputs, items.label, sample_weight=items.weight)
        return (*(float(w) for w in model.coef_[0]), float(model.intercept_[0]))

    def first(self, candidate: Candidate) -> FirstStage:
        """What a candidate makes of the prefilter's score and the features."""
        needs_features = candidate.rule in ("learned", "similar") or candidate.base != "prefilter"
        bare = self.bare
        if not needs_features:
            scaling = fit_scaling((), np.empty((0, 0)))
            return replace(bare, scaling=scaling)
        forecast = None
        if candidate.score == "forecast":
            forecast = self.forecast(candidate.family)
        logistic = self.logistic if candidate.base == "features" else ()
        return replace(bare, base=candidate.base, logistic=logistic, forecast=forecast)

    def score(self, candidate: Candidate) -> EscalationScore:
        """A candidate's escalation score."""
        if candidate.score in ("bayes_risk", "forecast"):
            ranking, forecast = self.objective.name == "ap", candidate.score == "forecast"
            return BayesRisk(*self.costs, ranking=ranking, forecast=forecast)
        if candidate.score == "gain":
            cost_fn, cost_fp = self.costs
            cut = cost_fp / (cost_fn + cost_fp)
            return Gain(cut, self.gain(candidate.family, False), self.gain(candidate.family, True))
        if candidate.score == "similar":
            return self.similar
        return Margin() if candidate.score == "margin" else Entropy()

    @cached_property
    def similar(self) -> Similar:
        """Bank of violations and the ranks of distances."""
        items = self.items
        scaled = self.bare.scaling(items.feature_matrix(self.bare.scaling.names))
        return fit_similar(scaled, items.label, self.bare.calibration(items.prefilter), self.seed)

    def forecast(self, family: str) -> Regressor:
        """What the MLLM is likely to say: regress the root of its probability.

        The root lies between the probability, where rare violations are drowned, and its
        log-odds, where differences between sure negatives count most.
        """
        if family not in self._forecasts:
            self._forecasts[family] = self._fit(family, np.sqrt(self.final))
        return self._forecasts[family]

    @cached_property
    def judged(self) -> Vector:
        """Probability given all that is known after the MLLM; what a gain is counted in.

        With features, how much the MLLM is to be trusted may depend on them: an MLLM that knows
        one field only must not count as right outside it. Hence a logistic regression with
        interactions, penalised; without features the combination itself.
        """
        from sklearn.linear_model import LogisticRegression

        features = self.inputs[:, 1:]
        if not features.shape[1] or self.both.violations < FEWEST_TO_JUDGE:
            return self.final
        second = log_odds(self.p2)[:, None] / 2
        columns = [self.inputs, second, second * features, self.inputs[:, :1] * features]
        model = LogisticRegression(C=0.3, max_iter=500)
        known = np.concatenate(columns, axis=1)
        model.fit(known, self.both.label, sample_weight=self.both.weight / self.both.weight.mean())
        return np.asarray(model.predict_proba(known)[:, 1])

    def gain(self, family: str, flagged: bool) -> Regressor:
        """Expected saving where the MLLM overturns the prefilter; below 0 where it errs more."""
        if (family, flagged) not in self._gains:
            cost_fn, cost_fp = self.costs
            saved = cost_fn * self.judged - cost_fp * (1 - self.judged)
            yes = self.final >= cost_fp / (cost_fn + cost_fp)
            target = np.where(yes, 0.0, -saved) if flagged else np.where(yes, saved, 0.0)
            self._gains[family, flagged] = self._fit(family, target)
        return self._gains[family, flagged]

    def _fit(self, family: str, target: Vector) -> Regressor:
        weights = self.both.weight / self.both.weight.mean()
        rows = thinned(self.inputs, target, weights, self.seed)
        cubic = fit_ridge(*rows)
        if family == "ridge":
            return cubic
        return Mean((cubic, fit_ridge(*rows, degree=2), fit_trees(*rows, self.seed)))
