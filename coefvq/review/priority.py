"""How urgent a case is for a person."""

from __future__ import annotations

import math

from coefvq import taxonomy
from coefvq.domain import TaskResult

_SEVEREST = 5
_UNKNOWN_SEVERITY = 3
SECOND_LOOK_BONUS = 1.0


def of(result: TaskResult) -> float:
    """Grave policies and high uncertainty first, 0..2 in steps of 0.1.

    The sum of the gravest expected harm (severity / 5 x probability) and the entropy of the
    task's probability in bits. Where nothing is covered nobody knows: full uncertainty. The
    coarse steps let the age of a case decide between much the same ones.
    """
    gravity = max(
        (_gravity(each.policy, each.final) for each in result.policies.values()), default=0
    )
    uncertainty = 1.0 if result.probability is None else entropy_bits(result.probability)
    return round(gravity + uncertainty, 1)


def entropy_bits(probability: float) -> float:
    """Entropy of a yes/no answer, 0..1 bit."""
    if probability <= 0.0 or probability >= 1.0:
        return 0.0
    rest = 1.0 - probability
    return -(probability * math.log2(probability) + rest * math.log2(rest))


def entropy_band(threshold_bits: float) -> tuple[float, float] | None:
    """The probabilities whose entropy lies above a threshold: (low, high), or ``None``."""
    if threshold_bits >= 1.0:
        return None
    low, high = 0.0, 0.5
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if entropy_bits(middle) > threshold_bits else (middle, high)
    return high, 1.0 - high


def _gravity(policy_id: str, probability: float | None) -> float:
    known = taxonomy.policies().get(policy_id)
    severity = known.severity if known else _UNKNOWN_SEVERITY
    return severity / _SEVEREST * (probability or 0.0)
