"""What a report needs of the store, read once: grouped by the database where that is enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from coefvq.domain import RouteName
from coefvq.store import decisions, queues
from coefvq.store.periods import made_in
from coefvq.store.tables import (
    AlarmRow,
    AppealRow,
    AssessmentRow,
    CaseRow,
    DecisionRow,
    LookRow,
    ModelVersionRow,
    RoutingPublicationRow,
    TaxonomyRow,
    VerdictRow,
    VideoRow,
)
from coefvq.work.report.model import Month


class Scored(NamedTuple):
    """Cases whose newest verdict is of the month, of one task and outcome.

    Attributes:
        open: Those that nobody has decided.
    """

    task: str
    route: str
    policy: str | None
    number: int
    open: int
    escalated: int
    audits: int


class Decided(NamedTuple):
    """One decision of the month that stands.

    Attributes:
        route, audit: By which the case had come; ``None`` where the machine had not answered.
        waited_s: From when the case began to wait; ``None`` where it did not wait.
    """

    task: str
    kind: str
    action: str
    violated: tuple[str, ...]
    cleared: tuple[str, ...]
    reviewer: str
    at: datetime
    route: str | None
    audit: bool
    queue: str | None
    waited_s: float | None


class Stage(NamedTuple):
    """What one stage has cost in the month."""

    stage: str
    runs: int
    milliseconds: float
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Found:
    """Everything that was read."""

    uploads: list[tuple[datetime, str, str]]
    scored: list[Scored]
    scored_days: Counter[datetime]
    decided: list[Decided]
    undone: int
    looks: Counter[tuple[str, str, bool]]
    filed: list[AppealRow]
    resolved: list[AppealRow]
    open_appeals: int
    stages: list[Stage]
    publications: list[RoutingPublicationRow]
    models: list[ModelVersionRow]
    taxonomies: list[TaxonomyRow]
    alarms: list[AlarmRow]
    queue_names: dict[str, str]


def read(session: Session, month: Month) -> Found:
    """Read a month."""
    return Found(
        uploads=_uploads(session, month),
        scored=_scored(session, month),
        scored_days=_scored_days(session, month),
        decided=_decided(session, month),
        undone=_undone(session, month),
        looks=_looks(session, month),
        filed=_rows(session, AppealRow, AppealRow.filed_at, month),
        resolved=_rows(session, AppealRow, AppealRow.resolved_at, month),
        open_appeals=_open_appeals(session, month),
        stages=_stages(session, month),
        publications=_rows(
            session, RoutingPublicationRow, RoutingPublicationRow.published_at, month
        ),
        models=_rows(session, ModelVersionRow, ModelVersionRow.first_used_at, month),
        taxonomies=_rows(session, TaxonomyRow, TaxonomyRow.published_at, month),
        alarms=_rows(session, AlarmRow, AlarmRow.raised_at, month),
        queue_names={row.id: row.name for row in queues.listed(session)},
    )


def _within(at: Any, month: Month) -> Any:
    return (at >= month.since) & (at < month.until)


def _rows(session: Session, table: Any, at: Any, month: Month) -> list[Any]:
    key = table.__table__.primary_key.columns.values()[0]
    return list(session.scalars(select(table).where(_within(at, month)).order_by(at, key)))


def _uploads(session: Session, month: Month) -> list[tuple[datetime, str, str]]:
    query = select(VideoRow.uploaded_at, VideoRow.uploader, VideoRow.sha256)
    found = session.execute(query.where(_within(VideoRow.uploaded_at, month)))
    return [(at, uploader, sha256) for at, uploader, sha256 in found]


def _newest(query: Any, month: Month) -> Any:
    joined = query.select_from(CaseRow).join(VerdictRow, VerdictRow.id == CaseRow.verdict_id)
    return joined.where(made_in(VerdictRow.id, VerdictRow.created_at, month.since, month.until))


def _scored(session: Session, month: Month) -> list[Scored]:
    first, last = VerdictRow.first_route, VerdictRow.route
    due = func.coalesce(first["escalated"].as_boolean(), last["escalated"].as_boolean())
    drawn = last["audit"].as_boolean()
    name = last["name"].as_string()
    keys = (CaseRow.task, name, CaseRow.top_policy)
    counts = (
        func.count(),
        func.sum(cast(CaseRow.decision_id.is_(None), Integer)),
        func.sum(cast(due, Integer)),
        func.sum(cast(drawn, Integer)),
    )
    found = session.execute(_newest(select(*keys, *counts), month).group_by(*keys))
    rows = [
        Scored(task, route, policy, *(int(number or 0) for number in numbers))
        for task, route, policy, *numbers in found
    ]
    return sorted(rows, key=lambda row: (row.task, row.route, row.policy or ""))


def _scored_days(session: Session, month: Month) -> Counter[datetime]:
    times = session.scalars(_newest(select(VerdictRow.created_at), month))
    return Counter(day(at) for at in times)


def day(at: datetime) -> datetime:
    """The start of a time's day in UTC."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _decided(session: Session, month: Month) -> list[Decided]:
    snapshot = DecisionRow.snapshot
    query = (
        select(
            DecisionRow.task, DecisionRow.kind, DecisionRow.action, DecisionRow.labels,
            DecisionRow.reviewer, DecisionRow.decided_at,
            snapshot[("route", "name")].as_string(), snapshot[("route", "audit")].as_boolean(),
            CaseRow.queue, CaseRow.queued_at,
        )
        .join(CaseRow, CaseRow.id == DecisionRow.case_id)
        .where(_within(DecisionRow.decided_at, month), decisions.stands())
        .order_by(DecisionRow.decided_at, DecisionRow.id)
    )  # fmt: skip
    return [_one(*row) for row in session.execute(query)]


def _one(
    task: str, kind: str, action: str, labels: dict[str, str], reviewer: str, at: datetime,
    route: str | None, audit: bool | None, queue: str | None, queued_at: datetime | None,
) -> Decided:  # fmt: skip
    waited = (at - queued_at).total_seconds() if queued_at is not None else None
    bad = tuple(sorted(name for name, label in labels.items() if label == decisions.VIOLATION))
    good = tuple(sorted(name for name, label in labels.items() if label != decisions.VIOLATION))
    known = waited if waited is not None and waited >= 0 else None
    return Decided(task, kind, action, bad, good, reviewer, at, route, bool(audit), queue, known)


def _undone(session: Session, month: Month) -> int:
    query = select(func.count()).select_from(DecisionRow)
    gone = query.where(_within(DecisionRow.decided_at, month), ~decisions.stands())
    return session.scalar(gone) or 0


def _looks(session: Session, month: Month) -> Counter[tuple[str, str, bool]]:
    """How many were answered, by task, kind and whether the answers were the same."""
    keys = (LookRow.task, LookRow.kind, LookRow.state)
    query = select(*keys, func.count()).where(_within(LookRow.answered_at, month))
    found: Counter[tuple[str, str, bool]] = Counter()
    for task, kind, state, number in session.execute(query.group_by(*keys)):
        found[task, kind, state == "agreed"] += number
    return found


def _open_appeals(session: Session, month: Month) -> int:
    """Filed before the month's end and not resolved then."""
    late = AppealRow.resolved_at.is_(None) | (AppealRow.resolved_at >= month.until)
    query = select(func.count()).select_from(AppealRow)
    return session.scalar(query.where(AppealRow.filed_at < month.until, late)) or 0


def _stages(session: Session, month: Month) -> list[Stage]:
    """Runs of both stages; a rationale that was written later is no run."""
    row = AssessmentRow
    numbers = (func.count(), func.sum(row.milliseconds), func.sum(row.tokens_in),
               func.sum(row.tokens_out))  # fmt: skip
    query = select(row.stage, *numbers).where(
        made_in(row.id, row.created_at, month.since, month.until),
        row.cost["media_ms"].as_float().is_not(None),
    )
    found = session.execute(query.group_by(row.stage).order_by(row.stage.desc()))
    return [
        Stage(stage, int(n), float(ms or 0.0), int(tokens_in or 0), int(tokens_out or 0))
        for stage, n, ms, tokens_in, tokens_out in found
    ]


AUTOMATIC = (RouteName.AUTO_PASS.value, RouteName.AUTO_FLAG.value)
