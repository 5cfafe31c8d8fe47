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
from coefvq.store.tables.media import (
    CachedSignalsRow,
    EmbeddingRow,
    MediaRow,
    VideoRow,
    VideoTextRow,
)
from coefvq.store.tables.people import (
    ExposureRow,
    PreferenceRow,
    SavedFilterRow,
    SignInRow,
    UserRow,
)
from coefvq.store.tables.queues import NoteRow, QueueRow
from coefvq.store.tables.work import CaseRow, CaseState, JobKind, JobRow, JobState, LeaseRow

__all__ = [
    "AssessmentRow",
    "Base",
    "CachedSignalsRow",
    "CaseRow",
    "CaseState",
    "DecisionRow",
    "DraftRow",
    "EmbeddingRow",
    "EventRow",
    "ExposureRow",
    "JobKind",
    "JobRow",
    "JobState",
    "LeaseRow",
    "MediaRow",
    "ModelVersionRow",
    "NoteRow",
    "PreferenceRow",
    "QueueRow",
    "RoutingPolicyRow",
    "RoutingPublicationRow",
    "RoutingStateRow",
    "SavedFilterRow",
    "SignInRow",
    "SkipRow",
    "UserRow",
    "VerdictRow",
    "VideoRow",
    "VideoTextRow",
    "new_id",
    "utcnow",
]
