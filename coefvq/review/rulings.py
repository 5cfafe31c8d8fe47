"""Decisions about decisions: who may rule, and how a ruling is stored."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from coefvq.errors import DecisionRefused, NotAllowed
from coefvq.review import looks
from coefvq.review.access import Actor, Permission
from coefvq.review.decision_rows import store_decision
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import leases, people
from coefvq.store.tables import CaseRow, DecisionRow, utcnow


def other_leads(session: Session, names: Collection[str]) -> bool:
    """Whether somebody who leads can sign in and is not among these people."""
    return any(
        not row.disabled
        and row.name not in names
        and Actor(row.name, looks.known(row.roles)).may(Permission.LEAD)
        for row in people.everyone(session)
    )


def may_rule(session: Session, actor: Actor, involved: Collection[str]) -> bool:
    """Whether an actor may rule on these people's answers: not on their own, if another lead can.

    A team with one lead is not left without rulings: then they may rule on their own answer, and
    the decision's reviewer says so.
    """
    return actor.name not in involved or not other_leads(session, involved)


def require_may_rule(session: Session, actor: Actor, involved: Collection[str]) -> None:
    """Refuse a ruling on one's own answer.

    Raises:
        NotAllowed: One of the answers is the actor's, and another lead is there to rule.
    """
    if not may_rule(session, actor, involved):
        raise NotAllowed(
            f"{actor.name} gave one of the answers. Another lead rules on it; ask one of them."
        )


def store_ruling(
    session: Session,
    settings: Settings,
    actor: Actor,
    case: CaseRow,
    form: DecisionForm,
    kind: str,
) -> DecisionRow:
    """Store a ruling as the decision on its case.

    Raises:
        DecisionRefused: Somebody has the case open, or the form lacks something.
    """
    now, ttl = utcnow(), settings.case_lease_s
    lease = leases.claim(session, leases.CASE, case.id, actor.name, ttl, now)
    if lease is None:
        held = leases.current(session, leases.CASE, case.id, now)
        raise DecisionRefused(
            f"{held.holder if held else 'Somebody'} has case {case.id} open; try again later."
        )
    row = store_decision(session, settings, actor, case, form, token=lease.token, kind=kind)
    leases.release(session, leases.CASE, case.id, actor.name, lease.token)
    return row
