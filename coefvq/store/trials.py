"""Trials of routing policies: a shadow beside the one in force, or a split of the uploaders."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, String, cast, null, select
from sqlalchemy.orm import Session

from coefvq.domain import ShadowRoute
from coefvq.store import codec, events
from coefvq.store.decisions import VIOLATION
from coefvq.store.periods import made_in
from coefvq.store.tables import (
    CaseRow,
    DecisionRow,
    ShadowRouteRow,
    TrialRow,
    VerdictRow,
    VideoRow,
    ViewsRow,
    utcnow,
)

SHADOW, SPLIT = "shadow", "split"
STARTED, ENDED = "trial.started", "trial.ended"
_MANY = 500


class Way(NamedTuple):
    """One verdict of a trial, in plain values: there are many.

    Attributes:
        name, version, escalated, audit, propensity: Of the route that was taken.
        violation: What people decided of the case; ``None``: nobody has.
        seen, seen_audit, seen_propensity: Of the route by which the case came to the person;
            ``None`` where nobody decided, or the decision did not keep it.
        shadow, shadow_escalated: Of the route that a shadow would have taken; ``None`` in a split.
        views: How often the video was seen; ``None``: nobody told.
    """

    case_id: str
    uploader: str
    sha256: str
    name: str
    version: str
    escalated: bool
    audit: bool
    propensity: float
    violation: bool | None
    seen: str | None
    seen_audit: bool | None
    seen_propensity: float | None
    shadow: str | None
    shadow_escalated: bool | None
    views: int | None


def start(session: Session, row: TrialRow) -> TrialRow:
    """Begin a trial and log it."""
    session.add(row)
    session.flush()
    data = {"trial": row.id, "kind": row.kind, "version": row.version, "against": row.against,
            "share": row.share, "note": row.note}  # fmt: skip
    events.append(session, row.started_by, STARTED, "task", row.task, data)
    return row


def end(session: Session, row: TrialRow, actor: str, note: str) -> None:
    """End a trial that runs and log why."""
    row.ended_at, row.ended_by = utcnow(), actor
    data = {"trial": row.id, "kind": row.kind, "version": row.version, "note": note}
    events.append(session, actor, ENDED, "task", row.task, data)


def end_all(session: Session, task: str, actor: str, note: str) -> int:
    """End every trial of a task, so that all its traffic is the policy's in force; how many."""
    found = running(session, task)
    for row in found:
        end(session, row, actor, note)
    return len(found)


def running(session: Session, task: str | None = None) -> list[TrialRow]:
    """Trials that have not ended, oldest first."""
    query = select(TrialRow).where(TrialRow.ended_at.is_(None)).order_by(TrialRow.id)
    return list(session.scalars(query if task is None else query.filter_by(task=task)))


def history(session: Session, task: str) -> list[TrialRow]:
    """All trials of a task, newest first."""
    query = select(TrialRow).filter_by(task=task).order_by(TrialRow.id.desc())
    return list(session.scalars(query))


def keep_shadow(session: Session, verdict_id: str, shadow: ShadowRoute) -> None:
    """Keep what a shadow would have done, beside the verdict of the same transaction."""
    row = ShadowRouteRow(
        verdict_id=verdict_id, trial_id=shadow.trial, route=codec.route_to(shadow.route)
    )
    session.add(row)


def shadowed(session: Session, trial_id: str) -> list[Way]:
    """Every verdict that a shadow was beside, oldest first."""
    other = ShadowRouteRow.route
    query = _ways(other["name"].as_string(), other["escalated"].as_boolean(), null())
    query = query.join(ShadowRouteRow, ShadowRouteRow.verdict_id == VerdictRow.id)
    query = query.where(ShadowRouteRow.trial_id == trial_id)
    return [Way(*row) for row in session.execute(query.order_by(VerdictRow.id))]


def routed(session: Session, task: str, since: datetime, until: datetime | None) -> list[Way]:
    """Cases of a task with their first verdict of a time, oldest first."""
    query = _ways(null(), null(), ViewsRow.views)
    query = query.outerjoin(ViewsRow, ViewsRow.video_id == VideoRow.id).where(
        CaseRow.task == task, made_in(VerdictRow.id, VerdictRow.created_at, since, until)
    )
    found: dict[str, Way] = {}
    for row in session.execute(query.order_by(VerdictRow.id)):
        found.setdefault(row[0], Way(*row))
    again = _scored_before(session, found, since)
    return [way for case, way in found.items() if case not in again]


def _ways(*more: Any) -> Select[Any]:
    """Verdicts with their cases, videos and decisions, and some columns more."""
    route, seen = VerdictRow.route, DecisionRow.snapshot["route"]
    # Labels are written by us, as {"policy": "violation"}: reading them all would take longer.
    bad = cast(DecisionRow.labels, String).like(f'%: "{VIOLATION}"%')
    columns = (
        CaseRow.id, VideoRow.uploader, VideoRow.sha256, route["name"].as_string(),
        route["version"].as_string(), route["escalated"].as_boolean(),
        route["audit"].as_boolean(), route["propensity"].as_float(), bad,
        seen["name"].as_string(), seen["audit"].as_boolean(), seen["propensity"].as_float(),
        *more,
    )  # fmt: skip
    return (
        select(*columns)
        .select_from(VerdictRow)
        .join(CaseRow, CaseRow.id == VerdictRow.case_id)
        .join(VideoRow, VideoRow.id == CaseRow.video_id)
        .outerjoin(DecisionRow, DecisionRow.id == CaseRow.decision_id)
    )


def _scored_before(session: Session, cases: Collection[str], since: datetime) -> set[str]:
    """Which of these cases had a verdict before a time; few of them are old enough to have one."""
    query = select(CaseRow.id).where(CaseRow.created_at < since)
    old = [case for case in session.scalars(query) if case in cases] if cases else []
    found: set[str] = set()
    for begin in range(0, len(old), _MANY):
        earlier = select(VerdictRow.case_id).where(
            VerdictRow.case_id.in_(old[begin : begin + _MANY]), VerdictRow.created_at < since
        )
        found |= set(session.scalars(earlier))
    return found


def put_views(
    session: Session, counts: Iterable[tuple[str, int]], now: datetime | None = None
) -> list[str]:
    """Keep how often videos were seen, in place of what was known.

    Returns:
        Ids of videos that are not there; their counts are not kept.
    """
    pairs, missing = list(counts), []
    moment = now or utcnow()
    for begin in range(0, len(pairs), _MANY):
        some = dict(pairs[begin : begin + _MANY])
        known = set(session.scalars(select(VideoRow.id).where(VideoRow.id.in_(some))))
        missing += [video for video in some if video not in known]
        for video in known:
            session.merge(ViewsRow(video_id=video, views=some[video], reported_at=moment))
    return missing
