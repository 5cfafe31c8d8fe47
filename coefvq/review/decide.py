"""Take a decision, take it back, or ask for a second look."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, LeaseLost
from coefvq.review import case_view, queue, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decision_rows import form_of, store_decision
from coefvq.review.form import (
    ACTIONS,
    DEFAULT_ACTION,
    NOTICE_LIMIT,
    action_name,
    full_labels,
    notice_for,
    reasons_for,
)
from coefvq.review.priority import SECOND_LOOK_BONUS
from coefvq.review.views import CaseView, DecisionForm, Submitted
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events, leases
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, utcnow
from coefvq.store.text import storable

__all__ = [
    "ACTIONS",
    "DEFAULT_ACTION",
    "NOTICE_LIMIT",
    "UNDO_S",
    "action_name",
    "notice_for",
    "reasons_for",
    "second_look",
    "submit",
    "take_back",
    "undo_last",
]

UNDO_S = 30.0
"""For so long after a decision it can be taken back."""


def submit(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    token: int,
    form: DecisionForm,
    task: str | None = None,
    queue_id: str | None = None,
) -> Submitted:
    """Store a decision with what was on the screen, and claim the next case.

    With ``settings.learn_online`` the thresholds of a certified routing policy learn from it in
    the same transaction. The same answer sent twice (a double click, a repeated request) is
    stored once.

    Args:
        token: The lease's token from the case view.
        task: Take the next case from this task only.
        queue_id: Take the next case from this queue only.

    Raises:
        LeaseLost: The case is somebody else's, or the time ran out; the form is kept as a draft.
        DecisionRefused: The form lacks something; it is kept as a draft.
        NotAllowed: The actor may not decide, or has no access to the case.
    """
    require(actor, Permission.DECIDE)
    try:
        row = _store(store, settings, actor, case_id, token, form)
    except LeaseLost:
        sent_before = _same_answer(store, actor, case_id, token, form)
        if sent_before is None:
            queue.save_draft(store, actor, case_id, form)
            raise
        row = sent_before
    except DecisionRefused:
        queue.save_draft(store, actor, case_id, form)
        raise
    then = queue.following(store, settings, actor, task, case_id, queue_id)
    return Submitted(row.id, row.correction, then)


def undo_last(store: Store, settings: Settings, actor: Actor) -> CaseView:
    """Take back the actor's last decision that stands; its form comes back as a draft.

    Raises:
        DecisionRefused: There is none, it is older than ``UNDO_S``, or somebody has the case or
            decided it since.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        now = utcnow()
        row = decisions.last_by(session, actor.name)
        if row is None:
            raise DecisionRefused("There is no decision of yours to undo.")
        check_undo_time(row.decided_at, now, f"Open case {row.case_id} and decide it again.")
        take_back(session, settings.case_lease_s, actor, row, now)
        decisions.save_draft(session, row.case_id, actor.name, asdict(form_of(row)))
        case_id = row.case_id
    return case_view.view(store, settings, actor, case_id, now)


def take_back(
    session: Session, lease_s: float, actor: Actor, row: DecisionRow, now: datetime
) -> CaseRow:
    """Undo one decision by an event, and hold its case for ``lease_s``.

    Raises:
        DecisionRefused: Somebody has the case or decided it since.
    """
    case = queues.reach(session, actor, row.case_id, lock=True)
    standing = decisions.standing(session, row.case_id)
    if standing is not None and standing.id != row.id:
        raise DecisionRefused(f"{standing.reviewer} has decided case {row.case_id} since.")
    if leases.claim(session, leases.CASE, case.id, actor.name, lease_s, now) is None:
        raise DecisionRefused(f"Somebody else has case {row.case_id} open; try again later.")
    return decisions.undo(session, row, actor.name, now)


def check_undo_time(decided_at: datetime, now: datetime, instead: str) -> None:
    """Refuse an undo that comes too late.

    Args:
        instead: What to do now.
    """
    if now - decided_at > timedelta(seconds=UNDO_S):
        raise DecisionRefused(f"Undo works for {UNDO_S:.0f} seconds, and they are over. {instead}")


def second_look(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    token: int,
    comment: str = "",
    task: str | None = None,
    queue_id: str | None = None,
) -> CaseView | None:
    """Send the case back to the queue for another person; return the next one.

    Raises:
        LeaseLost: The actor does not hold the case.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        case = queues.reach(session, actor, case_id, lock=True)
        lease = leases.check(session, leases.CASE, case_id, actor.name, token)
        _ask_again(session, case, actor)
        leases.end(session, lease)
        data = {"comment": storable(comment) or ""}
        events.append(session, actor.name, "case.second_look", "case", case_id, data)
    return queue.following(store, settings, actor, task, case_id, queue_id)


def _ask_again(session: Session, case: CaseRow, actor: Actor) -> None:
    if not case.second_look:
        case.priority += SECOND_LOOK_BONUS
    case.second_look, case.second_look_by = True, actor.name
    if case.assigned_to == actor.name:
        case.assigned_to = None
    cases.queue(session, case)


def _same_answer(
    store: Store, actor: Actor, case_id: str, token: int, form: DecisionForm
) -> DecisionRow | None:
    """The decision that this actor took under this very lease, if it stands and says the same."""
    with store.read() as session:
        row = decisions.standing(session, case_id)
    if row is None or row.reviewer != actor.name or row.snapshot.get("lease_token") != token:
        return None
    sent = (full_labels(form, taxonomy.task(row.task)), form.action, storable(form.comment) or "")
    return row if sent == (row.labels, row.action, row.comment) else None


def _store(
    store: Store, settings: Settings, actor: Actor, case_id: str, token: int, form: DecisionForm
) -> DecisionRow:
    with store.write() as session:
        case = queues.reach(session, actor, case_id, lock=True)
        lease = leases.check(session, leases.CASE, case_id, actor.name, token)
        row = store_decision(session, settings, actor, case, form, token=token)
        leases.end(session, lease)
        return row
