"""Open a case, decide it and give it back in one transaction: for programs, which see no page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from coefvq.errors import LeaseLost
from coefvq.review import blinding, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decision_rows import store_decision
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import events, leases
from coefvq.store.session import Store
from coefvq.store.tables import utcnow


@dataclass(frozen=True)
class Decided:
    """A stored decision, and whether it corrects the machine."""

    decision_id: str
    case_id: str
    correction: bool


def decide_once(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    form: DecisionForm,
    also: Callable[[Session, Decided], None] | None = None,
) -> Decided:
    """Store a decision without holding the case before or after; no next case is claimed.

    Args:
        also: Called in the same transaction, last; what it raises undoes everything.

    Raises:
        LeaseLost: Somebody else has the case open.
        DecisionRefused: The case cannot be decided, or the form lacks something.
        NotAllowed: The actor may not decide, or has no access to the case.
        StoreError: There is no such case.
    """
    require(actor, Permission.DECIDE)
    blinding.prepare(store, settings)
    with store.write() as session:
        case, now = queues.reach(session, actor, case_id, lock=True), utcnow()
        ttl = settings.case_lease_s
        lease = leases.claim(session, leases.CASE, case.id, actor.name, ttl, now)
        if lease is None:
            raise LeaseLost(f"Somebody else has case {case.id} open. Try again later.")
        if lease.fresh:
            data = {"token": lease.token}
            events.append(session, actor.name, "case.claimed", "case", case.id, data, now)
        row = store_decision(session, settings, actor, case, form, token=lease.token)
        leases.release(session, leases.CASE, case.id, actor.name, lease.token)
        done = Decided(row.id, case.id, row.correction)
        if also is not None:
            also(session, done)
        return done
