"""Machine answers: one row an answer, never overwritten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.domain import Assessment, Stage
from coefvq.errors import StoreError
from coefvq.store import codec, model_versions
from coefvq.store.tables import AssessmentRow


def add(
    session: Session, video_id: str, assessment: Assessment, cost: dict[str, Any] | None = None
) -> AssessmentRow:
    """Store one stage's answer on a video and note the model that gave it."""
    covers = [policy for policy, score in assessment.scores.items() if score.covered]
    model_versions.note_use(session, assessment.stage, assessment.model_version, covers)
    row = AssessmentRow(video_id=video_id, cost=cost, **codec.assessment_to(assessment))
    session.add(row)
    session.flush()
    return row


def get(session: Session, assessment_id: str) -> AssessmentRow:
    """Look one answer up.

    Raises:
        StoreError: There is none.
    """
    row = session.get(AssessmentRow, assessment_id)
    if row is None:
        raise StoreError(f"There is no assessment {assessment_id}.")
    return row


def of_video(session: Session, video_id: str) -> list[AssessmentRow]:
    """All answers on a video, oldest first."""
    query = select(AssessmentRow).where(AssessmentRow.video_id == video_id)
    return list(session.scalars(query.order_by(AssessmentRow.id)))


def newest_version(session: Session, stage: Stage) -> str | None:
    """The model behind a stage's newest answer; ``None`` before the first."""
    query = select(AssessmentRow.model_version).where(AssessmentRow.stage == stage.value)
    return session.scalar(query.order_by(AssessmentRow.id.desc()).limit(1))
