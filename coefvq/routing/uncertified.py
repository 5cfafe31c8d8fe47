"""A routing policy without a certificate: calibrate, choose the rule, set the thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.candidates import (
    candidates_for,
    few_labels,
    fixed_candidate,
    hardly_any_labels,
    simple_candidates,
)
from coefvq.routing.choose import Judged, Standing, choose, out_of_fold
from coefvq.routing.frozen import FrozenBaseline
from coefvq.routing.human import HumanStep, fit_human
from coefvq.routing.parts import Candidate, Parts
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from coefvq.routing.shares import lowest_of_top

FEWEST_ROWS, FEWEST_OF_EACH = 10, 3
REPEATED = 0.05
"""Share of rows that may be copies of others before a note says so."""
Say = Callable[[str], None]


def check_fittable(items: Predictions) -> None:
    """Refuse what no rule can be fitted on.

    Raises:
        RoutingError: Too few rows, one class only, an item twice.
    """
    n, yes = len(items), items.violations
    twice = n - len(set(items.item_id.tolist()))
    if twice:
        raise RoutingError(f"item_id must be unique: {twice} row(s) repeat another's.")
    if yes in (0, n):
        raise RoutingError(
            f"All {n} labels are {int(yes > 0)}: routing needs violations and non-violations."
        )
    both = items.take(items.has_mllm)
    fewest = min(both.violations, len(both) - both.violations)
    if len(both) < FEWEST_ROWS or fewest < FEWEST_OF_EACH:
        raise RoutingError(
            f"{len(both)} labelled rows have an MLLM score, {both.violations} of them violations: "
            f"at least {FEWEST_ROWS} rows and {FEWEST_OF_EACH} of each kind are needed to "
            "calibrate both stages. Label more items."
        )


@dataclass(frozen=True)
class Fitted:
    """A policy and what its thresholds were set on.

    Attributes:
        judged: Out-of-fold answers of the rule in use, on the rows that have an MLLM score.
        rows: Those rows.
    """

    policy: RoutingPolicy
    judged: Judged
    rows: Predictions


def fit_uncertified(
    items: Predictions, request: FitRequest, say: Say
) -> tuple[RoutingPolicy, Fitted]:
    """A policy without a certificate, and what a certificate starts from."""
    parts = Parts(items, request.objective, request.seed)
    judged, standings, notes = _rule(parts, request, say)
    say("fitting the rule on all rows")
    candidate = judged.candidate
    thresholds = _thresholds(judged, parts.both, request)
    policy = RoutingPolicy(
        rule=candidate.rule,
        requested=request.rule,
        objective=request.objective,
        budget=request.budget,
        first=parts.first(candidate),
        score=parts.score(candidate),
        mllm=parts.mllm,
        combination=parts.combination,
        thresholds=thresholds,
        human=_human(judged, parts, thresholds, request),
        audit=request.audit,
        fitted_on={"n": len(items), "violations": items.violations, "digest": items.digest},
        choice=tuple(standing.to_json() for standing in standings),
        notes=(*notes, *_warnings(parts)),
        baseline=_baseline(parts),
    )
    return policy, Fitted(policy, judged, parts.both)


def _rule(
    parts: Parts, request: FitRequest, say: Say
) -> tuple[Judged, list[Standing], tuple[str, ...]]:
    """The rule to use, judged out of fold; with how the others stood and notes for people."""
    both, objective = parts.both, request.objective
    if request.rule in ("auto", "learned") and not few_labels(both):
        found = candidates_for(objective, bool(parts.bare.scaling.names), len(both))
        only = None if request.rule == "auto" else request.rule
        rate = request.ruled_share
        judged, standings = choose(both, found, objective, rate, request.seed, say, only)
        return judged, standings, _chosen_note(request.rule, judged.candidate, standings)
    if request.rule == "auto" and not hardly_any_labels(both):
        found = simple_candidates(objective)
        judged, standings = choose(both, found, objective, request.ruled_share, request.seed, say)
        return judged, standings, (_few_note(both, judged.candidate),)
    candidate = fixed_candidate(request.rule, objective, parts.bare.scaling.names)
    say(f"judging {candidate.name} out of fold")
    judged = out_of_fold(both, [candidate], objective, request.seed)[0]
    note = (_few_note(both, candidate),) if request.rule in ("auto", "learned") else ()
    return judged, [], note


def _few_note(items: Predictions, chosen: Candidate) -> str:
    few = f"{len(items)} labelled rows with {items.violations} violations are too few"
    if chosen.rule == "learned":
        return f"{few} to compare learned rules; {chosen.name} was taken unseen."
    return f"{few} to learn a rule; auto uses {chosen.name}, which has nothing to learn."


def _chosen_note(rule: str, chosen: Candidate, standings: list[Standing]) -> tuple[str, ...]:
    best = max(standings, key=lambda standing: standing.value).candidate
    if best == chosen:
        return (f"{rule} chose {chosen.name}: best in cross-validation.",)
    row = next(standing for standing in standings if standing.candidate == chosen)
    if row.level:
        return (
            f"{rule} chose {chosen.name}: preferred, and within one standard error of the best, "
            f"{best.name}.",
        )
    return (f"{rule} uses {chosen.name}, but {best.name} did better in cross-validation.",)


def mixture(judged: Judged, rate: float) -> NDArray[np.float64]:
    """Out-of-fold final probabilities with the highest ``rate`` of scores escalated."""
    return np.where(judged.place[0] > 1 - rate, judged.final[0], judged.base[0])


def _thresholds(judged: Judged, rows: Predictions, request: FitRequest) -> Thresholds:
    rate = request.ruled_share
    cut = request.objective.threshold(mixture(judged, rate), rows.weight)
    start = lowest_of_top(judged.score[0], rows.weight, rate)
    return Thresholds(escalate_from=start, call_from=cut, pass_below=cut, flag_from=cut)


def _human(
    judged: Judged, parts: Parts, thresholds: Thresholds, request: FitRequest
) -> HumanStep | None:
    """The human step on the items that would be escalated; ``None`` where none is asked for."""
    share, cost = request.human_share, request.abstention_cost
    if share is None and cost is None:
        return None
    escalated = judged.place[0] > 1 - request.ruled_share
    if not escalated.any():
        raise RoutingError("Nobody is escalated at this budget, so no one can follow to a person.")
    within = None if share is None else min(1.0, share / float(escalated.mean()))
    return fit_human(
        parts.p1[escalated],
        parts.p2[escalated],
        judged.final[0][escalated],
        parts.both.label[escalated],
        thresholds.call_from,
        parts.costs,
        share=within,
        limit=cost,
    )


def _baseline(parts: Parts) -> FrozenBaseline | None:
    """What drift is measured against: the rows of the fit, as heavy as they weigh."""
    items = parts.items
    predicted = parts.bare.calibration(items.prefilter)
    return FrozenBaseline.of(items.prefilter, predicted, items.label, items.weight)


def _warnings(parts: Parts) -> tuple[str, ...]:
    """What a reader of the policy must know about its data."""
    found = []
    if not parts.bare.calibration.informative:
        found.append(
            "The prefilter's score falls where violations become likelier: higher must mean more "
            "likely a violation. It was taken as uninformative."
        )
    if not parts.mllm.informative:
        found.append("The MLLM's score falls where violations become likelier; check its sign.")
    left_out = len(parts.items) - len(parts.both)
    if left_out:
        found.append(f"{left_out} rows have no MLLM score: the prefilter's calibration uses them.")
    dropped = set(parts.items.feature_names) - set(parts.bare.scaling.names)
    if dropped:
        listed = ", ".join(f"feature_{name}" for name in sorted(dropped))
        found.append(f"Never varies and was left out: {listed}.")
    repeated = _repeated(parts.items)
    if repeated > REPEATED * len(parts.items):
        found.append(
            f"{repeated} rows repeat another row's label, scores and features. If they are the "
            "same items, keep one of each: copies make estimates look surer than they are."
        )
    return tuple(found)


def _repeated(items: Predictions) -> int:
    """Rows that are copies of another but for their name."""
    columns = (items.label, items.prefilter, items.mllm)
    rows = np.column_stack([*columns, items.features])
    return len(rows) - len(np.unique(np.nan_to_num(rows, nan=-np.pi), axis=0))
