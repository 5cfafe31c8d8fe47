"""Let a decision move the thresholds of the policy that routed its case, in one transaction."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy.orm import Session

from coefvq.errors import RoutingError
from coefvq.routing import learnt
from coefvq.routing.online import OnlineThresholds
from coefvq.routing.policy import RoutingPolicy
from coefvq.store import codec, decisions, events, routing_policies, routing_state
from coefvq.store.tables import DecisionRow, VerdictRow

log = logging.getLogger(__name__)

BOUND_HIT = "routing.bound_hit"
ACTOR = "routing"
ADVICE = "fit again on `coefvq routing predictions`: what was certified no longer holds"


def from_decision(session: Session, row: DecisionRow, verdict: VerdictRow | None) -> bool:
    """Step the thresholds by a decision that was just stored; return whether they were stepped.

    Only the policy in force learns, and only under a certificate. A case teaches each answer
    once: the same answer again, by whomever, changes nothing. An undo does not take its step
    back; the answer given instead is a step of its own.

    A policy that this version of the program cannot read learns nothing; the decision counts.
    """
    if verdict is None:
        return False
    version = str(verdict.route["version"])
    if routing_policies.versions_in_force(session).get(row.task) != version:
        return False
    try:
        return _step(session, row, verdict, version)
    except RoutingError as error:
        log.warning(
            "decision %s: the routing of task %s learns nothing: %s", row.id, row.task, error
        )
        return False


def _step(session: Session, row: DecisionRow, verdict: VerdictRow, version: str) -> bool:
    subject = routing_state.of_version(row.task, version)
    if routing_state.peek(session, routing_state.ONLINE, subject).get("fixed"):
        return False
    violation = decisions.VIOLATION in row.labels.values()
    if _taught_before(session, row, version, violation):
        return False
    kept = routing_state.locked(session, routing_state.ONLINE, subject)
    state = _state(session, kept.state, version)
    if state is None:
        routing_state.save(kept, {"fixed": True})
        return False
    route = codec.route_from(verdict.route)
    outcome = learnt.taught(state, route, verdict.probability, violation)
    if outcome is None:
        return False
    after, hits = state.apply(outcome)
    told = [str(name) for name in kept.state.get("told", ())]
    news = [name for name in learnt.spent(after, hits) if name not in told]
    routing_state.save(kept, {"thresholds": after.to_json(), "told": told + news})
    for name in news:
        data = {"version": version, "threshold": name, "step": after.applied, "advice": ADVICE}
        events.append(session, ACTOR, BOUND_HIT, "task", row.task, data)
    return True


def _state(session: Session, kept: dict[str, Any], version: str) -> OnlineThresholds | None:
    """The thresholds so far; at first the policy's own, ``None`` where they may not move."""
    if "thresholds" in kept:
        return OnlineThresholds.from_json(kept["thresholds"])
    policy = routing_policies.get(session, version)
    return learnt.start(RoutingPolicy.from_json(policy.document))


def _taught_before(session: Session, row: DecisionRow, version: str, violation: bool) -> bool:
    return any(
        other.id != row.id
        and (other.snapshot.get("route") or {}).get("version") == version
        and (decisions.VIOLATION in other.labels.values()) == violation
        for other in decisions.of_case(session, row.case_id)
    )
