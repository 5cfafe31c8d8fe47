"""Decided cases for replays: has anything changed, which are they, and what was said of some."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.store.decided_cases import MLLM, PREFILTER, select_decided
from coefvq.store.tables import (
    CaseRow,
    DecisionRow,
    MediaRow,
    VerdictRow,
    VideoRow,
)

MANY = 500
"""Cases that are asked for at once."""


class Key(NamedTuple):
    """A decided case, the decision that stands and the newest verdict: what a row depends on."""

    case_id: str
    decision_id: str
    verdict_id: str


class Said(NamedTuple):
    """What both stages and people said of one case.

    Attributes:
        labels: By policy, of the newest decision that stands.
        route: By which it came to the person; ``None`` where the decision did not keep it.
        newest_route: Of the newest verdict.
        first, second: Scores by policy, of the prefilter and, where it ran, of the MLLM.
        title_length, caption_length: Characters; ``None`` where there is none.
        info: What was probed of the media.
    """

    key: Key
    video_id: str
    decided_at: datetime
    labels: dict[str, str]
    route: dict[str, Any] | None
    newest_route: dict[str, Any]
    first_version: str
    first: dict[str, Any]
    first_ms: float
    second_version: str | None
    second: dict[str, Any] | None
    second_ms: float | None
    title_length: int | None
    caption_length: int | None
    info: dict[str, Any] | None


def stamp(session: Session, task: str) -> str:
    """Another text whenever a decided case of the task came, went or changed."""
    query = select(
        func.count(CaseRow.id),
        func.max(CaseRow.decision_id),
        func.max(CaseRow.verdict_id),
        func.max(CaseRow.updated_at),
    ).where(CaseRow.task == task, CaseRow.decision_id.is_not(None))
    return " ".join(str(part) for part in session.execute(query).one())


def keys(session: Session, task: str) -> list[Key]:
    """Every decided case of a task that was scored, oldest first."""
    query = select(CaseRow.id, CaseRow.decision_id, CaseRow.verdict_id).where(
        CaseRow.task == task, CaseRow.decision_id.is_not(None), CaseRow.verdict_id.is_not(None)
    )
    rows = session.execute(query.order_by(CaseRow.id))
    return [Key(case, str(decision), str(verdict)) for case, decision, verdict in rows]


def some(session: Session, wanted: Sequence[str]) -> Iterator[Said]:
    """What was said of these cases, at most ``MANY``; those that are gone are left out."""
    query = select_decided(
        CaseRow.id, DecisionRow.id, VerdictRow.id, VideoRow.id, DecisionRow.decided_at,
        DecisionRow.labels, DecisionRow.snapshot["route"].label("route"), VerdictRow.route,
        PREFILTER.model_version, PREFILTER.scores, PREFILTER.milliseconds, MLLM.model_version,
        MLLM.scores, MLLM.milliseconds, func.length(VideoRow.title), func.length(VideoRow.caption),
        MediaRow.info,
    ).where(CaseRow.id.in_(wanted))  # fmt: skip
    for case, decision, verdict, *rest in session.execute(query):
        yield Said(Key(case, decision, verdict), *rest)


def titles(session: Session, case_ids: Collection[str]) -> dict[str, str | None]:
    """Titles of cases' videos, by case."""
    found: dict[str, str | None] = {}
    wanted = list(case_ids)
    for begin in range(0, len(wanted), MANY):
        query = select(CaseRow.id, VideoRow.title).join(VideoRow, VideoRow.id == CaseRow.video_id)
        rows = session.execute(query.where(CaseRow.id.in_(wanted[begin : begin + MANY])))
        found |= {case: title for case, title in rows}
    return found
