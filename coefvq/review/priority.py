"""How urgent a case is for a person; its age comes to it when it is enqueued.

``urgency = severity / 5 x probability of the policy where that is largest + entropy in bits``,
``+ 1`` for a random audit, ``+ 1`` for a second look. Severity x probability is the expected harm
of leaving the video up; entropy is how little the machine knows. Waiting adds one point a day
(``store.ageing``), so nothing waits for ever behind graver cases.
"""

from __future__ import annotations

from coefvq import taxonomy
from coefvq.domain import TaskResult
from coefvq.routing.entropy import binary_entropy

_SEVEREST = 5
_UNKNOWN_SEVERITY = 3
SECOND_LOOK_BONUS = 1.0
AUDIT_BONUS = 1.0
"""The machine is sure of what it is audited on: by doubt alone an audit would never come up."""


def of(result: TaskResult) -> float:
    """Grave policies and high uncertainty first, 0..2 in steps of 0.1.

    The sum of the gravest expected harm (severity / 5 x probability) and the entropy of the
    task's probability in bits. Where nothing is covered nobody knows: full uncertainty. The
    coarse steps let the age of a case decide between much the same ones. A random audit adds 1.
    """
    gravity = max(
        (_gravity(each.policy, each.final) for each in result.policies.values()), default=0
    )
    uncertainty = 1.0 if result.probability is None else binary_entropy(result.probability)
    audit = AUDIT_BONUS if result.route.audit else 0.0
    return round(gravity + uncertainty + audit, 1)


def _gravity(policy_id: str, probability: float | None) -> float:
    known = taxonomy.policies().get(policy_id)
    severity = known.severity if known else _UNKNOWN_SEVERITY
    return severity / _SEVEREST * (probability or 0.0)
