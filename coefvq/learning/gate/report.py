"""What the gate found, as it is kept and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coefvq.domain import Stage


@dataclass(frozen=True)
class GateReport:
    """A candidate beside the model in force.

    Attributes:
        id: Of the kept report.
        against: The version that was in force.
        reasons: Why it is refused, in words; empty: it passed.
        document: Everything, as JSON: ``overall``, ``policies``, ``tasks``, ``slices``, ``cost``,
            ``videos``, ``notes``, ``limits``; see docs/learning.md.
    """

    id: str
    version: str
    stage: Stage
    against: str
    passed: bool
    reasons: tuple[str, ...]
    document: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What the page shows."""
        return dict(self.document) | {
            "id": self.id,
            "version": self.version,
            "stage": self.stage.value,
            "against": self.against,
            "passed": self.passed,
            "reasons": list(self.reasons),
        }
