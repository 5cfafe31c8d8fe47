"""The budget of a published routing policy, item by item.

The tracker starts where the fit put the threshold: its window is filled with that score, so that
at first exactly the scores above it are due, and fills with the scores of the traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from coefvq.routing.one_video import Demand, Grant
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.tracker import Escalation, QuantileTracker

OVER = "over the MLLM budget"
_NEVER = 2.0
"""A level above every rank: nothing is due by its score."""
State = Mapping[str, Any]


def start(policy: RoutingPolicy) -> QuantileTracker:
    """The tracker before the first item; a budget of 0 has nothing saved up."""
    made = QuantileTracker.from_scores([policy.thresholds.escalate_from], policy.budget)
    return made if policy.budget > 0 else replace(made, tokens=0.0)


def reserve(
    policy: RoutingPolicy, state: State, demand: Demand, key: str, severity: int | None
) -> tuple[dict[str, Any], Grant]:
    """Step the tracker by one item.

    A certified policy keeps its threshold; the tracker then only counts calls. What is over the
    budget goes to a person where nobody has judged it or where a certificate would be broken;
    otherwise the prefilter's answer stands.
    """
    tracker = QuantileTracker.from_json(state) if state else start(policy)
    after, answer = _step(policy, tracker, demand, key, severity)
    threshold = answer.threshold if policy.tracked else policy.thresholds.escalate_from
    person = demand.gap or (not policy.tracked and not demand.drawn)
    grant = Grant(answer.call, threshold, OVER if answer.shed else "", answer.shed and person)
    return after.to_json(), grant


def refund(state: State) -> dict[str, Any]:
    """Give a call back that was taken and will not be made."""
    tracker = QuantileTracker.from_json(state)
    tokens = min(tracker.burst, tracker.tokens + 1)
    return replace(tracker, tokens=tokens, calls=tracker.calls - 1).to_json()


def worth(policy: RoutingPolicy, score: float) -> bool:
    """Whether a score may be escalated at all; for a certified policy, whether it is due."""
    cut = policy.thresholds
    least = cut.escalate_least if policy.tracked else max(cut.escalate_least, cut.escalate_from)
    return score > least


def _step(
    policy: RoutingPolicy,
    tracker: QuantileTracker,
    demand: Demand,
    key: str,
    severity: int | None,
) -> tuple[QuantileTracker, Escalation]:
    score = demand.score
    if demand.gap or demand.drawn:
        return tracker.step(score, key=key, severity=severity, forced=True)
    if score is None:
        return tracker, Escalation(False, False, policy.thresholds.escalate_from)
    if worth(policy, score):
        return tracker.step(score, key=key, severity=severity, forced=not policy.tracked)
    return _passed_by(tracker, score, key)


def _passed_by(
    tracker: QuantileTracker, score: float, key: str
) -> tuple[QuantileTracker, Escalation]:
    """An item that is not worth a call: it counts, and leaves its share to the others."""
    after, answer = replace(tracker, level=_NEVER).step(score, key=key)
    level = max(-tracker.step_size, tracker.level - tracker.step_size * tracker.share)
    return replace(after, level=level), answer
