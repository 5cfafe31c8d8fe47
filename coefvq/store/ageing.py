"""In which order cases wait: how urgent, and for how long already.

Ageing is linear: after ``t`` hours a case counts ``urgency + PER_HOUR * t``. All cases age at the
same speed, so of two the one that is ahead stays ahead, and one number stamped at enqueue orders
them for good: ``urgency - PER_HOUR * (hours from EPOCH to queued_at)``. Nothing is recomputed
while cases wait, and an index on the number gives the next case.

``CaseRow.priority`` is that number where the case has a ``queued_at``, and the bare urgency where
it was never enqueued.
"""

from __future__ import annotations

from datetime import UTC, datetime

from coefvq.store.tables import CaseRow

PER_HOUR = 1 / 24
"""A day of waiting counts as much as one point of urgency."""

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Any fixed moment would do; a near one keeps the numbers small."""


def ranked(urgency: float, queued_at: datetime | None) -> float:
    """The number to order by; the larger, the earlier its turn."""
    return urgency - _head_start(queued_at)


def urgency_of(case: CaseRow) -> float:
    """How urgent a case is without its age: the inverse of ``ranked``."""
    return round(case.priority + _head_start(case.queued_at), 6)


def _head_start(queued_at: datetime | None) -> float:
    if queued_at is None:
        return 0.0
    return PER_HOUR * (queued_at - EPOCH).total_seconds() / 3600
