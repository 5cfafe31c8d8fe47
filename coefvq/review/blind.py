"""Answer a case before the machine's answer is shown."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, did_you_mean
from coefvq.review import blinding, case_view, looks, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decision_rows import task_of
from coefvq.review.views import CaseView
from coefvq.settings import Settings
from coefvq.store import cases, leases
from coefvq.store.decisions import OK, VIOLATION
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow


def first_answer(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    token: int,
    labels: Mapping[str, bool],
) -> CaseView:
    """Keep what the reviewer answered blind, and return the view with the machine's answer.

    An answer that was given already stays; sent again, it only opens the view.

    Args:
        token: The lease's token from the case view.
        labels: Policy id to whether it is violated; policies left out are not.

    Raises:
        LeaseLost: The case is somebody else's, or the time ran out.
        DecisionRefused: A policy that is not in the case's task.
        StoreError: There is no such case.
    """
    require(actor, Permission.DECIDE)
    blinding.prepare(store, settings)
    with store.write() as session:
        look = looks.at(session, actor, case_id, lock=True)
        if look is None:
            case = queues.reach(session, actor, case_id, lock=True)
        else:
            case = cases.get(session, look.case_id)
        leases.check(session, leases.CASE, case_id, actor.name, token)
        if blinding.is_blind(session, settings, actor, case, as_look=look is not None):
            _keep(session, actor, case, labels, case_id)
    return case_view.view(store, settings, actor, case_id)


def _keep(
    session: Session, actor: Actor, case: CaseRow, labels: Mapping[str, bool], subject: str
) -> None:
    task = task_of(taxonomy.in_force(), case)
    known = [policy.id for policy in task.policies]
    for policy, marked in labels.items():
        if marked and policy not in known:
            hint = did_you_mean(policy, known)
            raise DecisionRefused(f"Policy '{policy}' is not in task '{task.id}'.{hint}")
    full = {policy: VIOLATION if labels.get(policy) else OK for policy in known}
    blinding.keep_first(session, actor, case, full, subject)
