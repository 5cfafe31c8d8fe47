"""A person's answer beside the machine's."""

from __future__ import annotations

from collections.abc import Mapping

from coefvq.domain import FinalScore, Verdict
from coefvq.store.decisions import OK, VIOLATION

_HALF = 0.5


def machine_label(score: FinalScore | None) -> str | None:
    """What the machine leans to on one policy; ``None`` where it is not covered."""
    if score is None or score.final is None:
        return None
    return VIOLATION if score.final >= _HALF else OK


def overall(labels: Mapping[str, str]) -> str:
    """One label for a set: a violation when any policy is violated."""
    return VIOLATION if VIOLATION in labels.values() else OK


def is_correction(
    labels: Mapping[str, str], scores: Mapping[str, FinalScore], verdict: str | None
) -> bool:
    """Whether a decision differs from what the machine had said.

    It does where a covered policy's label differs from the machine's, or the whole answer
    differs from a verdict of ok or violation.
    """
    if verdict in (Verdict.OK.value, Verdict.VIOLATION.value) and overall(labels) != verdict:
        return True
    machine = {policy: machine_label(scores.get(policy)) for policy in labels}
    return any(machine[policy] not in (None, label) for policy, label in labels.items())
