"""Take a decision, take it back, or ask for a second look."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from coefvq.errors import DecisionRefused, LeaseLost
from coefvq.review import case_view, look_answers, looks, queue, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decision_rows import form_of, store_decision
from coefvq.review.form import (
    NOTICE_LIMIT,
    action_name,
    action_names,
    default_action,
    notice_for,
    reasons_for,
)
from coefvq.review.priority import SECOND_LOOK_BONUS
from coefvq.review.views import CaseView, DecisionForm, Submitted
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events, leases
from coefvq.store import looks as look_rows
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, utcnow
from coefvq.store.text import storable

__all__ = [
    "NOTICE_LIMIT",
    "UNDO_S",
    "action_name",
    "action_names",
    "default_action",
    "notice_for",
    "reasons_for",
    "second_look",
    "submit",
    "take_back",
    "undo_last",
]

Done = tuple[str, bool]
"""The id of a stored answer, and whether it corrects the machine."""

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

    The answer on an independent look is stored with the look, and compared; its case stays as it
    is. On a case that is answered blind and was not yet, the form is the first answer too.

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
        done = _store(store, settings, actor, case_id, token, form)
    except LeaseLost:
        sent_before = _same_answer(store, actor, case_id, token, form)
        if sent_before is None:
            queue.save_draft(store, actor, case_id, form)
            raise
        done = sent_before
    except DecisionRefused:
        queue.save_draft(store, actor, case_id, form)
        raise
    then = queue.following(store, settings, actor, task, case_id, queue_id)
    return Submitted(*done, then)


def undo_last(store: Store, settings: Settings, actor: Actor) -> CaseView:
    """Take back the actor's last answer that stands; its form comes back as a draft.

    That is a decision, or the answer on an independent look.

    Raises:
        DecisionRefused: There is none, it is older than ``UNDO_S``, or somebody has the case or
            decided it since.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        now = utcnow()
        case_id = _undo_look(session, settings, actor, now) or _undo(session, settings, actor, now)
    return case_view.view(store, settings, actor, case_id, now)


def _undo(session: Session, settings: Settings, actor: Actor, now: datetime) -> str:
    row = decisions.last_by(session, actor.name)
    if row is None:
        raise DecisionRefused("There is no decision of yours to undo.")
    check_undo_time(row.decided_at, now, f"Open case {row.case_id} and decide it again.")
    take_back(session, settings.case_lease_s, actor, row, now)
    decisions.save_draft(session, row.case_id, actor.name, asdict(form_of(row)))
    return row.case_id


def _undo_look(session: Session, settings: Settings, actor: Actor, now: datetime) -> str | None:
    """Take back the answer on a look, if the actor gave no other answer since."""
    row, look = decisions.last_by(session, actor.name), look_rows.last_answered(session, actor.name)
    if look is None or look.answered_at is None:
        return None
    if row is not None and row.decided_at > look.answered_at:
        return None
    check_undo_time(look.answered_at, now, "It stays as it is.")
    look_answers.reopen(session, actor, look, settings.case_lease_s, now)
    return look.id


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
    looks.withdraw(session, row, actor.name)
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

    An independent look is passed over: it is another person's answer already.

    Raises:
        LeaseLost: The actor does not hold the case.
    """
    require(actor, Permission.DECIDE)
    words = storable(comment) or ""
    with store.write() as session:
        look = looks.at(session, actor, case_id, lock=True)
        if look is not None:
            look_answers.pass_over(session, actor, look, token, words)
        else:
            _send_on(session, actor, case_id, token, words)
    return queue.following(store, settings, actor, task, case_id, queue_id)


def _send_on(session: Session, actor: Actor, case_id: str, token: int, comment: str) -> None:
    case = queues.reach(session, actor, case_id, lock=True)
    lease = leases.check(session, leases.CASE, case_id, actor.name, token)
    _ask_again(session, case, actor)
    leases.end(session, lease)
    data = {"comment": comment}
    events.append(session, actor.name, "case.second_look", "case", case_id, data)


def _ask_again(session: Session, case: CaseRow, actor: Actor) -> None:
    if not case.second_look:
        case.priority += SECOND_LOOK_BONUS
    case.second_look, case.second_look_by = True, actor.name
    if case.assigned_to == actor.name:
        case.assigned_to = None
    cases.queue(session, case)


def _same_answer(
    store: Store, actor: Actor, case_id: str, token: int, form: DecisionForm
) -> Done | None:
    """The decision that this actor took under this very lease, if it stands and says the same."""
    with store.read() as session:
        look = looks.at(session, actor, case_id)
        if look is not None:
            sent_before = look_answers.same(look, actor, token, form)
            return look_answers.done(look) if sent_before else None
        row = decisions.standing(session, case_id)
    if row is None or row.reviewer != actor.name or row.snapshot.get("lease_token") != token:
        return None
    marked = {policy for policy, on in form.labels.items() if on}
    violated = {policy for policy, label in row.labels.items() if label == decisions.VIOLATION}
    sent = (marked, form.action, storable(form.comment) or "")
    same = sent == (violated, row.action, row.comment)
    return (row.id, row.correction) if same else None


def _store(
    store: Store, settings: Settings, actor: Actor, case_id: str, token: int, form: DecisionForm
) -> Done:
    with store.write() as session:
        look = looks.at(session, actor, case_id, lock=True)
        if look is not None:
            look_answers.answer(session, settings, actor, look, token, form)
            return look_answers.done(look)
        case = queues.reach(session, actor, case_id, lock=True)
        lease = leases.check(session, leases.CASE, case_id, actor.name, token)
        row = store_decision(session, settings, actor, case, form, token=token)
        leases.end(session, lease)
        return row.id, row.correction
