"""How the thresholds of one certified policy learn from decisions: start, step, effect.

A certificate holds for its thresholds, and item by item for every safer pair: where ``pass_below``
is lower or ``flag_from`` higher, no item passes or is flagged that did not before. So these two may
move to their safe side at any time, by any look at the data, and back up to what was certified.

``escalate_from`` stays. Fewer calls would keep the certified escalation rate, but put the
prefilter's answer where the miss rate was certified on the MLLM's; more calls would break the
escalation rate. A threshold whose rate has no certificate stays as well: nobody has said what it
should aim for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from coefvq.domain import Route, RouteName
from coefvq.routing.certificate import FALSE_REMOVAL_RATE, MISS_RATE
from coefvq.routing.online import (
    AUTO_FLAG,
    AUTO_PASS,
    CertifiedBounds,
    LabelledOutcome,
    LearningTargets,
    LearntThreshold,
    OnlineThresholds,
)
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.published import BETWEEN, Learnt

_PEOPLE = (RouteName.HUMAN, RouteName.MLLM)
"""``mllm`` is where the MLLM was due and could not run: a person decides instead."""


def start(policy: RoutingPolicy) -> OnlineThresholds | None:
    """The thresholds as they were certified; ``None`` where none of them may move."""
    targets = _targets(policy.certificate or {})
    if not targets:
        return None
    cut, audits = policy.thresholds, policy.audit.people
    miss, removal = targets.get(MISS_RATE), targets.get(FALSE_REMOVAL_RATE)
    least = cut.pass_below if miss is None else min(0.0, cut.pass_below)
    most = cut.flag_from if removal is None else max(1.0, cut.flag_from)
    return OnlineThresholds(
        LearntThreshold(cut.pass_below, CertifiedBounds(least, cut.pass_below)),
        LearntThreshold(cut.flag_from, CertifiedBounds(cut.flag_from, most)),
        LearntThreshold(cut.escalate_from, CertifiedBounds(cut.escalate_from, cut.escalate_from)),
        LearningTargets(
            miss_rate=1.0 if miss is None else miss,
            false_removal_rate=1.0 if removal is None else removal,
            weight_cap=1 / audits if audits else 1.0,
        ),
    )


def taught(
    state: OnlineThresholds, route: Route, probability: float | None, violation: bool
) -> LabelledOutcome | None:
    """What a decision on a case teaches; ``None``: nothing.

    An automatic outcome that was not drawn for an audit teaches nothing, because why somebody
    looked at it is unknown. What went to a person for another reason than its probability (a gap,
    a limit, doubt after the MLLM) was neither missed nor wrongly flagged, whatever its probability.

    Args:
        route: By which the case came to the person.
        probability: The task's, as shown to the person; ``None`` where nobody had judged it.
        violation: The person's answer.
    """
    sent = route.name in _PEOPLE
    if not sent and (not route.audit or probability is None):
        return None
    if sent and (probability is None or BETWEEN not in route.reason):
        probability = _caught(state, probability, violation)
    assert probability is not None
    return LabelledOutcome(probability, violation, 1.0 if sent else route.propensity)


def in_force(state: OnlineThresholds) -> Learnt:
    """What the router needs of a state."""
    return Learnt(state.auto_pass.value, state.auto_flag.value, state.applied)


def spent(state: OnlineThresholds, hits: tuple[str, ...]) -> tuple[str, ...]:
    """Thresholds among ``hits`` that wanted to go beyond their safe end.

    There nothing is automatic any more and errors still come: what was certified is no longer
    true. The other end is where learning starts, and being held there is its normal state.
    """
    ends = {
        AUTO_PASS: state.auto_pass.value == state.auto_pass.bounds.low,
        AUTO_FLAG: state.auto_flag.value == state.auto_flag.bounds.high,
    }
    return tuple(name for name in hits if ends.get(name))


def _targets(certificate: Mapping[str, Any]) -> dict[str, float]:
    risks = certificate.get("risks", ())
    wanted = (MISS_RATE, FALSE_REMOVAL_RATE)
    return {risk["name"]: float(risk["target"]) for risk in risks if risk["name"] in wanted}


def _caught(state: OnlineThresholds, probability: float | None, violation: bool) -> float:
    """A probability on the harmless side of every threshold that the state can reach."""
    if violation:
        least = state.auto_pass.bounds.high
        return min(1.0, least if probability is None else max(probability, least))
    most = math.nextafter(state.auto_flag.bounds.low, 0.0)
    return max(0.0, most if probability is None else min(probability, most))
