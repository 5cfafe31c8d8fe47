"""The reviewer's queue: next case, open by id, hold, give back, skip, assign, draft."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, StoreError
from coefvq.review import case_view, exposure, look_answers, looks, queues
from coefvq.review.access import ROLES, Actor, Permission, require
from coefvq.review.views import CaseView, DecisionForm
from coefvq.review.waiting import counts as counts
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events, jobs, leases, turns
from coefvq.store import looks as look_rows
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    CaseState,
    JobKind,
    LookRow,
    LookState,
    UserRow,
    VerdictRow,
    utcnow,
)
from coefvq.store.text import storable

SKIP_REASONS = ("not my language", "cannot judge", "needs a specialist", "does not play")
"""What is offered; any other words will do."""

_OPENABLE = (CaseState.QUEUED, CaseState.AUTO, CaseState.DECIDED)
_REASON_LIMIT = 200


def next_case(
    store: Store,
    settings: Settings,
    actor: Actor,
    task: str | None = None,
    exclude: Collection[str] = (),
    queue_id: str | None = None,
) -> CaseView | None:
    """Claim and return the case that is due.

    The one the actor holds comes first, then those assigned to them, then by urgency and age.
    Cases that the actor passed over come last; those they sent to another person, never. Now and
    then it is an independent look (see ``looks``) in the place of the case that is due.

    Args:
        exclude: Case ids not to return.
        queue_id: Only out of this queue (``queues.REST``: out of none).

    Raises:
        NotAllowed: The actor may not decide, or is not given cases of this queue.
        StoreError: There is no such queue.
        Rest: The actor looked at severe material for long enough; it says when to go on.
    """
    require(actor, Permission.DECIDE)
    task = taxonomy.task(task).id if task is not None else None
    with store.write() as session:
        now = utcnow()
        exposure.require_rested(session, settings, actor, now)
        wish = turns.Wish(
            actor.name, task, queues.wanted(session, actor, queue_id), frozenset(exclude)
        )
        case_id = _take_next(session, settings, actor, wish, now)
    return None if case_id is None else case_view.view(store, settings, actor, case_id, now)


def following(
    store: Store,
    settings: Settings,
    actor: Actor,
    task: str | None,
    after: str,
    queue_id: str | None,
) -> CaseView | None:
    """The next case after one was dealt with; none in a pause, for what was done is done."""
    try:
        return next_case(store, settings, actor, task, {after}, queue_id)
    except exposure.Rest:
        return None


def open_case(store: Store, settings: Settings, actor: Actor, case_id: str) -> CaseView:
    """Open a case by its id, claiming it where it can be decided and nobody else holds it.

    The view's lease says who holds it; without ``mine`` it can be read but not decided.

    Raises:
        StoreError: There is no such case.
        NotAllowed: It is in a restricted queue that is not the actor's.
    """
    require(actor, Permission.VIEW)
    with store.write() as session:
        look, now = looks.at(session, actor, case_id, lock=True), utcnow()
        if look is None:
            found = queues.reach(session, actor, case_id, lock=True)
            if actor.may(Permission.DECIDE) and found.state in _OPENABLE:
                _claim(session, settings, actor, case_id, now)
        elif look.state == LookState.WAITING.value:
            looks.claim(session, actor, look, settings.case_lease_s, now)
    return case_view.view(store, settings, actor, case_id, now)


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
    reason: str = "",
    queue_id: str | None = None,
) -> CaseView | None:
    """Pass the case over, log it, and return the next one (never the same).

    Args:
        reason: Why: one of ``SKIP_REASONS`` or the actor's own words.

    Raises:
        LeaseLost: The actor does not hold the case.
    """
    require(actor, Permission.DECIDE)
    why = storable(reason, _REASON_LIMIT) or ""
    with store.write() as session:
        look = looks.at(session, actor, case_id, lock=True)
        if look is None:
            _pass_over(session, actor, case_id, token, why)
        else:
            look_answers.pass_over(session, actor, look, token, why)
    return following(store, settings, actor, task, case_id, queue_id)


def assign(store: Store, actor: Actor, case_id: str, to: str | None) -> None:
    """Give a case to one person, or (``to=None``) to nobody in particular.

    An independent look is its reviewer's in any case: that somebody took it is kept, and no more.
    Only they are offered it then. Whoever may decide can take a case that is nobody's, and drop
    their own; other assignments need ``Permission.ASSIGN``. Who has the case open keeps it until
    their time ends.

    Raises:
        NotAllowed: The actor may not assign, or the person has no access to the case.
        DecisionRefused: Nobody of this name may decide it.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        look = looks.at(session, actor, case_id, lock=True)
        if look is not None:
            require(actor, Permission.DECIDE if to in (None, actor.name) else Permission.ASSIGN)
            look_rows.keep(look, assigned=to)
            return
        case = queues.reach(session, actor, case_id, lock=True)
        before = case.assigned_to
        if before == to:
            return
        if not (before in (None, actor.name) and to in (None, actor.name)):
            require(actor, Permission.ASSIGN)
        if to is not None:
            _check_assignee(session, case, actor if to == actor.name else _person(session, to))
        case.assigned_to, case.updated_at = to, utcnow()
        data = {"to": to, "before": before}
        events.append(session, actor.name, "case.assigned", "case", case_id, data)


def save_draft(store: Store, actor: Actor, case_id: str, form: DecisionForm) -> datetime:
    """Keep a form that is not sent yet; a lease is not needed. Returns when it was kept."""
    require(actor, Permission.DECIDE)
    with store.write() as session:
        look, now = looks.at(session, actor, case_id, lock=True), utcnow()
        if look is not None:
            look_answers.keep_draft(look, actor, form, now)
            return now
        queues.reach(session, actor, case_id)
        return decisions.save_draft(session, case_id, actor.name, asdict(form)).saved_at


def drop_draft(store: Store, actor: Actor, case_id: str) -> None:
    """Forget the actor's draft on a case."""
    require(actor, Permission.DECIDE)
    with store.write() as session:
        look = looks.at(session, actor, case_id, lock=True)
        if look is not None:
            look_rows.keep(look, form=None)
            return
        decisions.drop_draft(session, case_id, actor.name)


def request_rationale(
    store: Store, actor: Actor, case_id: str, settings: Settings | None = None
) -> bool:
    """Queue an explanation of the MLLM's answer; ``False`` where there is one already.

    Args:
        settings: With them it is refused where the actor is to answer first.

    Raises:
        StoreError: The MLLM has not looked at this case.
        DecisionRefused: The actor answers it before they see what the MLLM said.
    """
    require(actor, Permission.VIEW)
    if settings is not None and case_view.view(store, settings, actor, case_id).blind:
        raise DecisionRefused(f"Case {case_id}: answer first, then see the machine's answer.")
    with store.write() as session:
        look = looks.at(session, actor, case_id)
        found = queues.reach(session, actor, look.case_id if look else case_id)
        verdict = session.get(VerdictRow, found.verdict_id) if found.verdict_id else None
        if verdict is None or verdict.mllm_id is None:
            raise StoreError(f"Case {case_id}: the MLLM has not looked at it; nothing to explain.")
        if cases.explained(session, verdict):
            return False
        jobs.enqueue(session, JobKind.EXPLAIN, case_id=found.id)
        return True


def _take_next(
    session: Session, settings: Settings, actor: Actor, wish: turns.Wish, now: datetime
) -> str | None:
    """Claim what is due: the case, or a look in its place. What others just claimed is passed."""
    while True:
        due = _due(session, wish, now)
        look = _look(session, settings, actor, wish, due, now)
        if look is not None:
            if looks.claim(session, actor, look, settings.case_lease_s, now):
                return look.id
            wish = replace(wish, exclude=wish.exclude | {look.id})
        elif due is None:
            return None
        elif _claim(session, settings, actor, due.id, now):
            return due.id
        else:
            wish = replace(wish, exclude=wish.exclude | {due.id})


def _due(session: Session, wish: turns.Wish, now: datetime) -> CaseRow | None:
    while (found := turns.next_for(session, wish, now)) is not None:
        if found.task in taxonomy.tasks():
            return found
        # It came after its task was taken away.
        found.state, found.updated_at = CaseState.SET_ASIDE.value, now
        session.flush()
    return None


def _look(
    session: Session,
    settings: Settings,
    actor: Actor,
    wish: turns.Wish,
    due: CaseRow | None,
    now: datetime,
) -> LookRow | None:
    """The look to give: one that is theirs already; else, unless they hold a case, a new one."""
    if due is not None and turns.is_held(session, wish, due.id, now):
        return None
    return look_rows.mine(session, wish, now) or looks.take(
        session, settings, actor, wish, due, now
    )


def _pass_over(session: Session, actor: Actor, case_id: str, token: int, why: str) -> None:
    queues.reach(session, actor, case_id, lock=True)
    lease = leases.check(session, leases.CASE, case_id, actor.name, token)
    cases.note_skip(session, case_id, actor.name, why)
    leases.end(session, lease)
    events.append(session, actor.name, "case.skipped", "case", case_id, {"reason": why})


def _claim(session: Session, settings: Settings, actor: Actor, case_id: str, now: datetime) -> bool:
    ttl = settings.case_lease_s
    lease = leases.claim(session, leases.CASE, case_id, actor.name, ttl, now)
    if lease is not None and lease.fresh:
        data = {"token": lease.token}
        events.append(session, actor.name, "case.claimed", "case", case_id, data, now)
    return lease is not None


def _person(session: Session, name: str) -> Actor:
    row = session.get(UserRow, name)
    if row is None or row.disabled:
        raise DecisionRefused(f"Nobody named {name} can sign in. Choose a name from the list.")
    roles = frozenset(str(role) for role in row.roles if role in ROLES)
    return Actor(name, roles, None if row.queues is None else frozenset(map(str, row.queues)))


def _check_assignee(session: Session, case: CaseRow, person: Actor) -> None:
    if not person.may(Permission.DECIDE):
        raise DecisionRefused(f"{person.name} may not decide. Choose a reviewer.")
    if case.second_look_by == person.name:
        raise DecisionRefused(
            f"{person.name} asked for a second look at case {case.id}: choose somebody else."
        )
    queues.require_open(session, person, case)
