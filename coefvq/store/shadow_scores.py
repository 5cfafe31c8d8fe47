"""What a model in the shadow said of videos, beside what the one in force said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.domain import Assessment
from coefvq.store import codec
from coefvq.store.tables import AssessmentRow, ShadowScoreRow


class Both(NamedTuple):
    """Scores of one video by both models, as stored, and what each took."""

    video_id: str
    shadow: dict[str, Any]
    shadow_ms: float
    live_version: str
    live: dict[str, Any]
    live_ms: float


def put(session: Session, video_id: str, said: Assessment) -> None:
    """Keep what was said; a video that is scored again is overwritten."""
    row = session.get(ShadowScoreRow, (video_id, said.model_version))
    if row is None:
        row = ShadowScoreRow(video_id=video_id, version=said.model_version)
        session.add(row)
    row.scores = codec.scores_to(said.scores)
    row.milliseconds = float(said.milliseconds)
    session.flush()


def count(session: Session, version: str) -> int:
    """Videos that a model scored in the shadow."""
    query = (
        select(func.count()).select_from(ShadowScoreRow).where(ShadowScoreRow.version == version)
    )
    return int(session.scalar(query) or 0)


def beside(session: Session, version: str, stage: str, limit: int = 5000) -> Iterator[Both]:
    """The newest videos of a shadow with the newest live answer of the same stage."""
    newest = (
        select(AssessmentRow.video_id, func.max(AssessmentRow.id).label("id"))
        .where(AssessmentRow.stage == stage, AssessmentRow.model_version != version)
        .group_by(AssessmentRow.video_id)
        .subquery()
    )
    query = (
        select(
            ShadowScoreRow.video_id, ShadowScoreRow.scores, ShadowScoreRow.milliseconds,
            AssessmentRow.model_version, AssessmentRow.scores, AssessmentRow.milliseconds,
        )
        .join(newest, newest.c.video_id == ShadowScoreRow.video_id)
        .join(AssessmentRow, AssessmentRow.id == newest.c.id)
        .where(ShadowScoreRow.version == version)
        .order_by(ShadowScoreRow.at.desc())
        .limit(limit)
    )  # fmt: skip
    for row in session.execute(query):
        yield Both(*row)
