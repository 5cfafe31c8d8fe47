"""Which rules ``auto`` compares, and what it falls back to."""

from __future__ import annotations

from coefvq.errors import RoutingError
from coefvq.routing.objective import Objective
from coefvq.routing.parts import Candidate
from coefvq.routing.predictions import Predictions

FEW_ROWS, FEW_VIOLATIONS = 200, 20
"""Up to so many rows, or below so many violations, nothing is learned."""
FEWEST_ROWS, FEWEST_VIOLATIONS = 40, 8
"""Up to so many rows, or below so many violations, nothing is chosen either."""
RIDGE_UP_TO = 3000
"""Rows up to which a ridge alone competes with the mean of ridges and trees: above, it loses."""

ENTROPY = Candidate("entropy", "entropy")
MARGIN = Candidate("margin", "margin")
BAYES = Candidate("bayes_risk", "bayes_risk")
SIMILAR = Candidate("similar", "similar")


def few_labels(items: Predictions) -> bool:
    """Whether the labels are too few to learn a rule."""
    return _below(items, FEW_ROWS, FEW_VIOLATIONS)


def hardly_any_labels(items: Predictions) -> bool:
    """Whether the labels are too few to choose between simple rules."""
    return _below(items, FEWEST_ROWS, FEWEST_VIOLATIONS)


def _below(items: Predictions, rows: int, of_each: int) -> bool:
    return len(items) <= rows or min(items.violations, len(items) - items.violations) < of_each


def fallback(objective: Objective) -> Candidate:
    """The rule that needs no choice: it follows from the objective and its costs.

    Where a miss and a false alarm cost differently, the Bayes risk knows more than entropy and has
    nothing to learn. Otherwise the paper's entropy.
    """
    unequal = objective.name == "cost" and objective.cost_fn != objective.cost_fp
    return BAYES if unequal else ENTROPY


def simple_candidates(objective: Objective) -> list[Candidate]:
    """What ``auto`` compares with few labels: rules without anything to learn, safest first.

    For F1 the Bayes risk hardly differs from entropy, so there is no choice.
    """
    first = fallback(objective)
    if objective.name == "f1":
        return [first]
    return [first, BAYES if first == ENTROPY else ENTROPY]


def learned(objective: Objective, features: bool, family: str = "mean") -> list[Candidate]:
    """Learned rules for an objective, the likeliest first."""
    if objective.name == "ap":
        return [Candidate("learned", "forecast", "forecast", family)]
    base = "features" if features else "prefilter"
    gain = Candidate("learned", "gain", base, family)
    forecast = Candidate("learned", "forecast", "prefilter", family)
    return [gain] if objective.name == "cost" else [forecast, gain]


def candidates_for(objective: Objective, features: bool, rows: int) -> list[Candidate]:
    """What ``auto`` compares, in order of preference.

    First what estimates the value of escalation: with labels enough it cannot lose to a rule that
    looks at the prefilter alone (Jitkrittum et al. 2023). Then the simple rules. ``margin`` is left
    out: for one probability it orders items exactly as entropy does.
    """
    rich = learned(objective, features, "mean")
    if rows <= RIDGE_UP_TO:
        rich += learned(objective, features, "ridge")
    similar = [SIMILAR] if features else []
    return [*rich, BAYES, ENTROPY, *similar]


def fixed_candidate(rule: str, objective: Objective, features: tuple[str, ...]) -> Candidate:
    """The candidate of a rule that was asked for by name.

    Raises:
        RoutingError: ``similar`` without features.
    """
    if rule == "auto":
        return fallback(objective)
    if rule == "learned":
        return learned(objective, bool(features))[0]
    if rule == "similar" and not features:
        raise RoutingError(
            "The rule `similar` compares features, and the predictions have none that vary. Add "
            "feature_* columns, or use another rule."
        )
    return {"entropy": ENTROPY, "margin": MARGIN, "bayes_risk": BAYES, "similar": SIMILAR}[rule]
