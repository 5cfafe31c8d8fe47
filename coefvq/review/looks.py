"""Independent looks: golden cases, and second answers by another person.

Both reach a reviewer as a case like any other, under the look's own id. Nothing that a reviewer is
given says which of their cases is one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import FinalScore, Verdict
from coefvq.errors import StoreError
from coefvq.review import queues
from coefvq.review.access import ROLES, Actor, Permission, require
from coefvq.review.compare import overall
from coefvq.settings import Settings
from coefvq.store import cases, events, golden, leases, people
from coefvq.store import looks as rows_of
from coefvq.store import queues as queue_rows
from coefvq.store.decisions import OK, VIOLATION
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, LookKind, LookRow, LookState, utcnow
from coefvq.store.turns import Wish

AGAIN_AFTER = timedelta(days=90)
"""A reviewer is given the same golden case again after this time at the earliest."""

SURE = 0.9
"""From this probability on, or from 1 - it down, the machine is confident about a policy."""

chance: Callable[[], float] = secrets.SystemRandom().random
"""A number in [0, 1) that nobody can foretell."""


@dataclass(frozen=True)
class LookCounts:
    """What leads see of the second looks.

    Attributes:
        waiting: Without a second answer.
        differs: With two answers that differ: they wait for adjudication.
        only_reviewers: Those waiting ones that nobody can answer, for only one person reviews.
    """

    waiting: int
    differs: int
    only_reviewers: int


def counts(store: Store, actor: Actor) -> LookCounts:
    """How many second looks wait, for a person or for adjudication."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        states = rows_of.by_state(session, LookKind.SECOND)
        waiting = states[LookState.WAITING.value]
        alone = reviewers(session) < 2
    return LookCounts(waiting, states[LookState.DIFFERS.value], waiting if alone else 0)


def reviewers(session: Session) -> int:
    """How many people can decide cases. Without users it is the one at this machine."""
    found = [row for row in people.everyone(session) if not row.disabled]
    able = [row for row in found if Actor(row.name, known(row.roles)).may(Permission.DECIDE)]
    return len(able) if found else 1


def known(roles: Collection[object]) -> frozenset[str]:
    """The roles of a user that this version of the program knows."""
    return frozenset(str(role) for role in roles if role in ROLES)


def at(session: Session, actor: Actor, look_id: str, *, lock: bool = False) -> LookRow | None:
    """The look of this id; ``None`` where the id is no look's.

    Raises:
        StoreError: It is not this actor's to answer, or nobody wants its answer any more.
        NotAllowed: Its case is in a restricted queue that is not the actor's.
    """
    row = rows_of.find(session, look_id)
    if row is None:
        return None
    if lock:  # the case first, as everywhere, so that no two wait for one another
        cases.locked(session, row.case_id)
        row = rows_of.find(session, look_id, lock=True) or row
    mine = row.reviewer == actor.name
    others = row.kind == LookKind.SECOND.value and row.decided_by != actor.name
    open_to_me = others and actor.may(Permission.DECIDE)
    waits = row.state == LookState.WAITING.value
    if not (mine and (waits or row.answered_at)) and not (open_to_me and waits):
        raise StoreError(f"There is no case {look_id}. It may be dealt with already.")
    queues.require_open(session, actor, session.get_one(CaseRow, row.case_id))
    return row


def take(
    session: Session,
    settings: Settings,
    actor: Actor,
    wish: Wish,
    due: CaseRow | None,
    now: datetime,
) -> LookRow | None:
    """Choose a look in the place of the case that is due; ``None``: the case it is.

    Args:
        due: The case that the actor would be given; ``None``: none is due.
    """
    if due is not None and chance() < settings.golden_share:
        closed = [row.id for row in queue_rows.listed(session) if row.restricted]
        drawn = golden.drawn(session, wish, due.task, closed, now - AGAIN_AFTER)
        if drawn is not None:
            return golden.ask(session, drawn, due, actor.name)
    if not rows_of.any_for(session, actor.name):
        return None
    tasks = taxonomy.tasks()
    second = rows_of.next_second(session, wish, tasks, now)
    if second is None:
        return None if due else rows_of.next_second(session, wish, tasks, now, passed=True)
    older = due is None or due.queued_at is None or second.asked_at <= due.queued_at
    return second if older or chance() < 2 * settings.second_look_share else None


def claim(session: Session, actor: Actor, row: LookRow, ttl_s: float, now: datetime) -> bool:
    """Hold a look as one holds a case; ``False``: somebody else was quicker."""
    lease = leases.claim(session, leases.CASE, row.id, actor.name, ttl_s, now)
    if lease is not None and lease.fresh:
        data = {"token": lease.token, "kind": row.kind}
        events.append(session, actor.name, "look.claimed", "look", row.id, data, now)
    return lease is not None


def ask_after(
    session: Session,
    settings: Settings,
    decision: DecisionRow,
    finals: Mapping[str, FinalScore],
    verdict: str | None,
) -> LookRow | None:
    """Ask for a second answer where the decision goes against a confident machine, or by chance."""
    why = "chance" if chance() < settings.second_look_share else None
    if against_confident(decision.labels, finals, verdict):
        why = "correction"
    if why is None:
        return None
    row = rows_of.ask_second(session, decision)
    data = {"decision": decision.id, "why": why}
    events.append(session, decision.reviewer, "look.asked", "look", row.id, data)
    return row


def against_confident(
    labels: Mapping[str, str], finals: Mapping[str, FinalScore], verdict: str | None
) -> bool:
    """Whether labels differ from a verdict of the machine, or from a policy it was sure of."""
    if verdict in (Verdict.OK.value, Verdict.VIOLATION.value) and overall(labels) != verdict:
        return True
    sure = {policy: _sure(finals.get(policy)) for policy in labels}
    return any(sure[policy] not in (None, label) for policy, label in labels.items())


def withdraw_all(session: Session, case_id: str, by: str) -> None:
    """End the second looks at a case that wait: another decision is about to be stored.

    It is called before the first event of a transaction: events make others wait, and whoever
    answers a look waits for them.
    """
    for row in rows_of.waiting_on(session, [case_id], lock=True):
        if row.kind == LookKind.SECOND.value:
            _withdraw(session, row, by)


def withdraw(session: Session, decision: DecisionRow, by: str) -> None:
    """End the looks that a decision asked for: it was taken back."""
    for row in rows_of.of_decision(session, decision):
        if row.state != LookState.SETTLED.value:
            _withdraw(session, row, by)


def concealed(session: Session, actor: Actor, case_ids: Collection[str]) -> frozenset[str]:
    """Those cases whose decisions the actor may not see: they could colour an answer of theirs.

    Leads see all, and everyone sees what they decided themselves.
    """
    if actor.may(Permission.LEAD) or not case_ids:
        return frozenset()
    found = rows_of.waiting_on(session, case_ids)
    return frozenset(row.case_id for row in found if _could_answer(row, actor.name))


def equal(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two answers say the same on every policy that both answer."""
    return all(other.get(policy, label) == label for policy, label in one.items())


def _could_answer(row: LookRow, name: str) -> bool:
    if row.kind == LookKind.GOLDEN.value:
        return row.reviewer == name
    return row.decided_by != name


def _withdraw(session: Session, row: LookRow, by: str) -> None:
    rows_of.settle(row, by, utcnow())
    session.flush()
    events.append(session, by, "look.withdrawn", "look", row.id, {"decision": row.decision_id})


def _sure(score: FinalScore | None) -> str | None:
    if score is None or score.final is None:
        return None
    if score.final >= SURE:
        return VIOLATION
    return OK if score.final < 1 - SURE else None
