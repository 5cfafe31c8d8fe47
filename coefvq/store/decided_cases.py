"""Decided cases as plain columns: quick to read by the hundred thousand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from coefvq.store.tables import (
    AssessmentRow,
    CaseRow,
    DecisionRow,
    MediaRow,
    VerdictRow,
    VideoRow,
)


class Columns(NamedTuple):
    """One decided case.

    Attributes:
        labels: By policy, of the newest decision that stands.
        route: By which it came to the person; ``None`` where the decision did not keep it.
        newest_route, scored_at: Of the newest verdict.
        first, second: Scores of the prefilter and, where it ran, of the MLLM.
        title_length, caption_length: Characters; ``None`` where there is none.
        info: What was probed of the media.
    """

    case_id: str
    queued_at: datetime | None
    reviewer: str
    kind: str
    correction: bool
    decided_at: datetime
    labels: dict[str, str]
    route: dict[str, Any] | None
    newest_route: dict[str, Any]
    scored_at: datetime
    newest_mllm: str | None
    first_version: str
    first: dict[str, Any]
    first_ms: float
    second_version: str | None
    second: dict[str, Any] | None
    second_ms: float | None
    title_length: int | None
    caption_length: int | None
    info: dict[str, Any] | None


PREFILTER, MLLM = aliased(AssessmentRow), aliased(AssessmentRow)
"""Both stages' assessments in ``select_decided``."""


def select_decided(*columns: Any) -> Select[Any]:
    """Columns of decided cases, their newest decision and verdict, both stages, video and media."""
    return (
        select(*columns)
        .select_from(CaseRow)
        .join(DecisionRow, DecisionRow.id == CaseRow.decision_id)
        .join(VerdictRow, VerdictRow.id == CaseRow.verdict_id)
        .join(PREFILTER, PREFILTER.id == VerdictRow.prefilter_id)
        .outerjoin(MLLM, MLLM.id == VerdictRow.mllm_id)
        .join(VideoRow, VideoRow.id == CaseRow.video_id)
        .join(MediaRow, MediaRow.sha256 == VideoRow.sha256)
    )


def of_task(session: Session, task: str) -> Iterator[Columns]:
    """Every decided case of a task, oldest first."""
    query = select_decided(
        CaseRow.id, CaseRow.queued_at, DecisionRow.reviewer, DecisionRow.kind,
        DecisionRow.correction, DecisionRow.decided_at, DecisionRow.labels,
        DecisionRow.snapshot["route"].label("route"), VerdictRow.route, VerdictRow.created_at,
        VerdictRow.models["mllm"].as_string(), PREFILTER.model_version, PREFILTER.scores,
        PREFILTER.milliseconds, MLLM.model_version, MLLM.scores, MLLM.milliseconds,
        func.length(VideoRow.title), func.length(VideoRow.caption), MediaRow.info,
    ).where(CaseRow.task == task).order_by(CaseRow.id)  # fmt: skip
    for row in session.execute(query.execution_options(yield_per=2000)):
        yield Columns(*row)
