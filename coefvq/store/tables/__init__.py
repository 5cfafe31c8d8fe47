"""The typed tables. One module a theme; importing this one names them all."""

from __future__ import annotations

from coefvq.store.tables.api import (
    ApiKeyRow,
    ApiRequestRow,
    CallbackRow,
    DeliveryRow,
    SignalRequestRow,
)
from coefvq.store.tables.base import Base, new_id, utcnow
from coefvq.store.tables.human import DecisionRow, DraftRow, EventRow, SkipRow
from coefvq.store.tables.learning import (
    GateReportRow,
    ModelPublicationRow,
    ShadowScoreRow,
    SnapshotRow,
    SnapshotVideoRow,
    TrainedModelRow,
    TrainingRunRow,
)
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
from coefvq.store.tables.originality import (
    CopyAnswerRow,
    CopyMatchRow,
    CopySearchRow,
    OriginalRow,
)
from coefvq.store.tables.oversight import (
    AlarmRow,
    FigureRow,
    ShadowRouteRow,
    TaxonomyRow,
    TrialRow,
    ViewsRow,
)
from coefvq.store.tables.people import (
    ExposureRow,
    PreferenceRow,
    SavedFilterRow,
    SignInRow,
    UserRow,
)
from coefvq.store.tables.quality import (
    AppealRow,
    FirstAnswerRow,
    GoldenRow,
    HoldRow,
    LookKind,
    LookRow,
    LookState,
)
from coefvq.store.tables.queues import NoteRow, QueueRow
from coefvq.store.tables.upkeep import EventHeadRow, FileRemovalRow
from coefvq.store.tables.work import CaseRow, CaseState, JobKind, JobRow, JobState, LeaseRow

__all__ = [
    "AlarmRow",
    "ApiKeyRow",
    "ApiRequestRow",
    "AppealRow",
    "AssessmentRow",
    "Base",
    "CachedSignalsRow",
    "CallbackRow",
    "CaseRow",
    "CaseState",
    "CopyAnswerRow",
    "CopyMatchRow",
    "CopySearchRow",
    "DecisionRow",
    "DeliveryRow",
    "DraftRow",
    "EmbeddingRow",
    "EventHeadRow",
    "EventRow",
    "ExposureRow",
    "FigureRow",
    "FileRemovalRow",
    "FirstAnswerRow",
    "GateReportRow",
    "GoldenRow",
    "HoldRow",
    "JobKind",
    "JobRow",
    "JobState",
    "LeaseRow",
    "LookKind",
    "LookRow",
    "LookState",
    "MediaRow",
    "ModelPublicationRow",
    "ModelVersionRow",
    "NoteRow",
    "OriginalRow",
    "PreferenceRow",
    "QueueRow",
    "RoutingPolicyRow",
    "RoutingPublicationRow",
    "RoutingStateRow",
    "SavedFilterRow",
    "ShadowRouteRow",
    "ShadowScoreRow",
    "SignInRow",
    "SignalRequestRow",
    "SkipRow",
    "SnapshotRow",
    "SnapshotVideoRow",
    "TaxonomyRow",
    "TrainedModelRow",
    "TrainingRunRow",
    "TrialRow",
    "UserRow",
    "VerdictRow",
    "VideoRow",
    "VideoTextRow",
    "ViewsRow",
    "new_id",
    "utcnow",
]
