"""How much waits, for one actor and in all; quick however long the queue is."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.review.access import Actor, Permission, require
from coefvq.review.queue_views import QueueCounts, QueueView
from coefvq.review.queues import REST, REST_NAME, closed_to, is_given
from coefvq.store import decisions, leases, looks, queues, turns, videos
from coefvq.store.queues import Waiting
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    JobKind,
    JobRow,
    JobState,
    LeaseRow,
    QueueRow,
    VideoRow,
    utcnow,
)

_PAUSE_S = 600.0
_PACE_OF = 20


@dataclass(frozen=True)
class _Place:
    """A waiting case that this actor is not given, and where it waits."""

    id: str
    queue: str | None
    task: str


def counts(store: Store, actor: Actor) -> QueueCounts:
    """What waits, for this actor and in all."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        now = utcnow()
        closed = closed_to(session, actor)
        asked = _asked(session, actor, now)
        whole = [*queues.waiting(session, now), *asked]
        found = [each for each in whole if each.queue not in closed]
        held, sent_on, others = _barred(session, actor, now, closed)
        barred = held | sent_on | others
        oldest = min((each.oldest for each in found), default=None)
        return QueueCounts(
            waiting=_with_mine(session, actor, _by_task(actor, found, barred), now),
            leased=dict(Counter(each.task for each in held)),
            second_look=len(sent_on),
            oldest_s=(now - oldest).total_seconds() if oldest else None,
            pace_s=pace(_times(session, actor.name)),
            decided_today=_answered(session, actor.name, now - timedelta(hours=24)),
            scoring=_number(session, VideoRow.status.in_((videos.WAITING, videos.SCORING))),
            failed=_number(session, _failed_on_a_video()),
            queues=_views(actor, queues.listed(session), found, barred, closed, now),
            second_answers=looks.number_waiting(session) - sum(each.number for each in asked),
        )


def _failed_on_a_video() -> ColumnElement[bool]:
    """Jobs that failed for good; figures are told to leads on Insights, trainings on Training."""
    kinds = (JobKind.FIGURES, JobKind.EXPORT, JobKind.IMPORT, JobKind.TRAIN, JobKind.GATE)
    elsewhere = [kind.value for kind in kinds]
    return and_(JobRow.state == JobState.SET_ASIDE.value, JobRow.kind.not_in(elsewhere))


def pace(times: list[datetime]) -> float | None:
    """Median seconds between decisions, pauses over ten minutes left out."""
    gaps = [(late - early).total_seconds() for late, early in itertools.pairwise(times)]
    steady = [gap for gap in gaps if gap <= _PAUSE_S]
    return statistics.median(steady) if len(steady) >= 2 else None


def _asked(session: Session, actor: Actor, now: datetime) -> list[Waiting]:
    """The second looks that the actor could be given."""
    if not actor.may(Permission.DECIDE) or not looks.any_for(session, actor.name):
        return []
    return looks.waiting_for(session, actor.name, now)


def _with_mine(
    session: Session, actor: Actor, waiting: dict[str, int], now: datetime
) -> dict[str, int]:
    """A look that the actor has open counts where nothing else waits, as their case would."""
    mine = looks.mine(session, turns.Wish(actor.name), now)
    if mine is None or mine.task not in waiting:
        return waiting
    return waiting | {mine.task: max(waiting[mine.task], 1)}


def _times(session: Session, reviewer: str) -> list[datetime]:
    """When the reviewer answered last, newest first: decisions and looks alike."""
    both = decisions.times_of(session, reviewer) + looks.times_of(session, reviewer)
    return sorted(both, reverse=True)[:_PACE_OF]


def _answered(session: Session, reviewer: str, since: datetime) -> int:
    decided = decisions.count(session, since=since, reviewer=reviewer)
    return decided + looks.count_answered(session, reviewer, since)


def _by_task(actor: Actor, found: list[Waiting], barred: set[_Place]) -> dict[str, int]:
    number = Counter(dict.fromkeys(taxonomy.tasks(), 0))
    for each in found:
        if is_given(actor, each.queue):
            number[each.task] += each.number
    number.subtract(each.task for each in barred if is_given(actor, each.queue))
    return {task: number[task] for task in taxonomy.tasks()}


def _views(
    actor: Actor,
    rows: list[QueueRow],
    found: list[Waiting],
    barred: set[_Place],
    closed: frozenset[str],
    now: datetime,
) -> tuple[QueueView, ...]:
    """One a queue, the actor's first, and one for the cases in none where there are any."""
    seen = [row for row in rows if row.id not in closed]
    views = [_view(actor, row.id, row, found, barred, now) for row in seen]
    if rows and any(each.queue is None for each in found):
        views.append(_view(actor, None, None, found, barred, now))
    return tuple(sorted(views, key=lambda view: not view.open))


def _view(
    actor: Actor,
    queue_id: str | None,
    row: QueueRow | None,
    found: list[Waiting],
    barred: set[_Place],
    now: datetime,
) -> QueueView:
    inside = [each for each in found if each.queue == queue_id]
    oldest = min((each.oldest for each in inside), default=None)
    is_open = is_given(actor, queue_id)
    number = sum(each.number for each in inside) - sum(each.queue == queue_id for each in barred)
    return QueueView(
        id=row.id if row else REST,
        name=row.name if row else REST_NAME,
        task=row.task if row else None,
        waiting=number if is_open else 0,
        oldest_s=(now - oldest).total_seconds() if oldest else None,
        promised_age_s=row.promised_age_s if row else None,
        late=sum(each.late for each in inside),
        open=is_open,
    )


def _barred(
    session: Session, actor: Actor, now: datetime, closed: frozenset[str]
) -> tuple[set[_Place], set[_Place], set[_Place]]:
    """Waiting cases that others hold, that the actor sent on, that are assigned to others."""
    live = (LeaseRow.kind == leases.CASE, LeaseRow.expires_at > now, LeaseRow.holder != actor.name)
    held = _places(session, turns.waiting_among(select(LeaseRow.subject_id).where(*live)))
    sent_on = _places(session, turns.WAITING, CaseRow.second_look_by == actor.name)
    somebodys = CaseRow.assigned_to > ""  # not `is not null`: SQLite searches an index by this
    others = _places(session, turns.WAITING, somebodys, CaseRow.assigned_to != actor.name)
    kept = ({each for each in some if each.queue not in closed} for some in (held, sent_on, others))
    one, two, three = kept
    return one, two, three


def _places(session: Session, *conditions: ColumnElement[bool]) -> set[_Place]:
    query = select(CaseRow.id, CaseRow.queue, CaseRow.task)
    return {_Place(*row) for row in session.execute(query.where(*conditions))}


def _number(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(condition)) or 0
