"""What a check finds: something that is wrong, nearly wrong, fine, or cannot be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from coefvq.store.alarms import AlarmKind, Severity


class Level(StrEnum):
    """Where a measured value stands.

    ``NEAR`` is between the limit that raises and the one that clears: an alarm that stands stays,
    none is raised, so that a value near its limit does not ring again and again.
    """

    OVER = "over"
    NEAR = "near"
    FINE = "fine"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        subject: What it is about: a task, a queue's id, a policy, a reviewer.
        message: For people: what is wrong and what to do; for ``UNKNOWN`` what is missing.
        data: Measured value, limit, n and what else tells how sure it is; JSON.
    """

    kind: AlarmKind
    subject: str
    level: Level
    message: str
    data: dict[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.WARNING

    @property
    def key(self) -> tuple[str, str]:
        """Names the alarm that it speaks of."""
        return self.kind.value, self.subject


def unknown(kind: AlarmKind, subject: str, why: str, **data: Any) -> Finding:
    """Too little to say; ``why`` tells what is missing."""
    return Finding(kind, subject, Level.UNKNOWN, f"Not enough data: {why}", data)
