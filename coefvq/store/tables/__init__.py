"""The typed tables. One module a theme; importing this one names them all."""

from __future__ import annotations

from coefvq.store.tables.base import Base, new_id, utcnow
from coefvq.store.tables.human import DecisionRow, DraftRow, EventRow, SkipRow
from coefvq.store.tables.machine import (
    AssessmentRow,
    ModelVersionRow,
    RoutingPolicyRow,
    RoutingPublicationRow,
    RoutingStateRow,
    VerdictRow,
)
from coefvq.store.tables.media import CachedSignalsRow, MediaRow, VideoRow
from coefvq.store.tables.work import CaseRow, CaseState, JobKind, JobRow, JobState, LeaseRow

__all__ = [
    "AssessmentRow",
    "Base",
    "CachedSignalsRow",
    "CaseRow",
    "CaseState",
    "DecisionRow",
    "DraftRow",
    "EventRow",
    "JobKind",
    "JobRow",
    "JobState",
    "LeaseRow",
    "MediaRow",
    "ModelVersionRow",
    "RoutingPolicyRow",
    "RoutingPublicationRow",
    "RoutingStateRow",
    "SkipRow",
    "VerdictRow",
    "VideoRow",
    "new_id",
    "utcnow",
]
