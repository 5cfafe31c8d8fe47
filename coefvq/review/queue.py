"""The reviewer's queue: next case, open by id, hold, give back, skip, draft, counts."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.review.case_view import build
from coefvq.review.views import CaseView, DecisionForm, QueueCounts
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events, jobs, leases, videos
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    CaseState,
    JobKind,
    LeaseRow,
    SkipRow,
    VerdictRow,
    utcnow,
)

_OPENABLE = (CaseState.QUEUED, CaseState.AUTO, CaseState.DECIDED)
_PAUSE_S = 600.0


def next_case(
    store: Store,
    settings: Settings,
    actor: Actor,
    task: str | None = None,
    exclude: Collection[str] = (),
) -> CaseView | None:
    """Claim and return the case that is due: the actor's own first, then by priority and age.

    Cases that the actor passed over come last; those they sent to another person, never.

    Args:
        exclude: Case ids not to return.

    Raises:
        NotAllowed: The actor may not decide.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        now = utcnow()
        found = session.scalars(_due(actor, task, now, exclude)).first()
        if found is None:
            return None
        _claim(session, settings, actor, found.id, now)
        return build(session, settings, actor, found, now)


def open_case(store: Store, settings: Settings, actor: Actor, case_id: str) -> CaseView:
    """Open a case by its id, claiming it where it can be decided and nobody else holds it.

    The view's lease says who holds it; without ``mine`` it can be read but not decided.

    Raises:
        StoreError: There is no such case.
    """
    require(actor, Permission.VIEW)
    with store.write() as session:
        now = utcnow()
        found = cases.get(session, case_id)
        if actor.may(Permission.DECIDE) and found.state in _OPENABLE:
            _claim(session, settings, actor, case_id, now)
        return build(session, settings, actor, found, now)


def heartbeat(store: Store, settings: Settings, actor: Actor, case_id: str, token: int) -> datetime:
    """Hold the case for longer; return the new end of the lease.

    Raises:
        LeaseLost: The time ran out or somebody else has it.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        ttl = settings.case_lease_s
        held = leases.heartbeat(session, leases.CASE, case_id, actor.name, token, ttl)
        return held.expires_at


def release(store: Store, actor: Actor, case_id: str, token: int) -> None:
    """Give the case back to the queue; nothing happens where it is not held."""
    require(actor, Permission.DECIDE)
    with store.write() as session:
        leases.release(session, leases.CASE, case_id, actor.name, token)


def skip(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    token: int,
    task: str | None = None,
) -> CaseView | None:
    """Pass the case over, log it, and return the next one (never the same).

    Raises:
        LeaseLost: The actor does not hold the case.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        leases.check(session, leases.CASE, case_id, actor.name, token)
        cases.note_skip(session, case_id, actor.name)
        leases.release(session, leases.CASE, case_id, actor.name, token)
        events.append(session, actor.name, "case.skipped", "case", case_id)
    return next_case(store, settings, actor, task, exclude={case_id})


def save_draft(store: Store, actor: Actor, case_id: str, form: DecisionForm) -> datetime:
    """Keep a form that is not sent yet; a lease is not needed. Returns when it was kept."""
    require(actor, Permission.DECIDE)
    with store.write() as session:
        cases.get(session, case_id)
        return decisions.save_draft(session, case_id, actor.name, asdict(form)).saved_at


def drop_draft(store: Store, actor: Actor, case_id: str) -> None:
    """Forget the actor's draft on a case."""
    require(actor, Permission.DECIDE)
    with store.write() as session:
        decisions.drop_draft(session, case_id, actor.name)


def request_rationale(store: Store, actor: Actor, case_id: str) -> bool:
    """Queue an explanation of the MLLM's answer; ``False`` where there is one already.

    Raises:
        StoreError: The MLLM has not looked at this case.
    """
    require(actor, Permission.VIEW)
    with store.write() as session:
        found = cases.get(session, case_id)
        verdict = session.get(VerdictRow, found.verdict_id) if found.verdict_id else None
        if verdict is None or verdict.mllm_id is None:
            raise StoreError(f"Case {case_id}: the MLLM has not looked at it; nothing to explain.")
        if cases.explained(session, verdict):
            return False
        jobs.enqueue(session, JobKind.EXPLAIN, case_id=case_id)
        return True


def counts(store: Store, actor: Actor) -> QueueCounts:
    """What waits, for this actor and in all."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        now = utcnow()
        free = _by_task(session, or_(_free(now), LeaseRow.holder == actor.name), _offered(actor))
        oldest = session.scalar(
            select(func.min(CaseRow.queued_at)).where(CaseRow.state == CaseState.QUEUED.value)
        )
        by_status = videos.count_by_status(session)
        return QueueCounts(
            waiting={name: free.get(name, 0) for name in taxonomy.tasks()},
            leased=_by_task(session, ~_free(now), LeaseRow.holder != actor.name),
            second_look=sum(_by_task(session, CaseRow.second_look_by == actor.name).values()),
            oldest_s=(now - oldest).total_seconds() if oldest else None,
            pace_s=_pace(decisions.times_of(session, actor.name)),
            decided_today=decisions.count(
                session, since=now - timedelta(hours=24), reviewer=actor.name
            ),
            scoring=by_status[videos.WAITING] + by_status[videos.SCORING],
            failed=jobs.counts(session)["set_aside"],
        )


def _due(
    actor: Actor, task: str | None, now: datetime, exclude: Collection[str]
) -> Select[CaseRow]:
    mine = and_(LeaseRow.holder == actor.name, LeaseRow.expires_at > now)
    skipped = and_(SkipRow.case_id == CaseRow.id, SkipRow.reviewer == actor.name)
    query = (
        select(CaseRow)
        .outerjoin(LeaseRow, _on_lease())
        .outerjoin(SkipRow, skipped)
        .where(CaseRow.state == CaseState.QUEUED.value, or_(_free(now), mine), _offered(actor))
        .order_by(
            case((mine, 0), else_=1),
            case((SkipRow.skipped_at.is_(None), 0), else_=1),
            CaseRow.priority.desc(),
            CaseRow.queued_at,
            CaseRow.id,
        )
        .limit(1)
        .with_for_update(of=CaseRow, skip_locked=True)
    )
    if task is not None:
        query = query.where(CaseRow.task == taxonomy.task(task).id)
    return query.where(CaseRow.id.not_in(exclude)) if exclude else query


def _claim(session: Session, settings: Settings, actor: Actor, case_id: str, now: datetime) -> None:
    before = leases.current(session, leases.CASE, case_id, now)
    ttl = settings.case_lease_s
    lease = leases.claim(session, leases.CASE, case_id, actor.name, ttl, now)
    if lease is not None and (before is None or before.token != lease.token):
        data = {"token": lease.token}
        events.append(session, actor.name, "case.claimed", "case", case_id, data, now)


def _on_lease() -> ColumnElement[bool]:
    return and_(LeaseRow.kind == leases.CASE, LeaseRow.subject_id == CaseRow.id)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(LeaseRow.expires_at.is_(None), LeaseRow.expires_at <= now)


def _offered(actor: Actor) -> ColumnElement[bool]:
    return or_(CaseRow.second_look_by.is_(None), CaseRow.second_look_by != actor.name)


def _by_task(session: Session, *conditions: Any) -> dict[str, int]:
    query = (
        select(CaseRow.task, func.count())
        .outerjoin(LeaseRow, _on_lease())
        .where(CaseRow.state == CaseState.QUEUED.value, *conditions)
        .group_by(CaseRow.task)
    )
    return {task: int(number) for task, number in session.execute(query)}


def _pace(times: list[datetime]) -> float | None:
    """Median seconds between decisions, pauses over ten minutes left out."""
    gaps = [(late - early).total_seconds() for late, early in itertools.pairwise(times)]
    steady = [gap for gap in gaps if gap <= _PAUSE_S]
    return statistics.median(steady) if len(steady) >= 2 else None
