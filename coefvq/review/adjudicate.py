"""Two people answered the same case differently: a lead says which answer counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.errors import DecisionRefused, StoreError
from coefvq.review import look_answers, queues, rulings
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decision_rows import ADJUDICATION, form_of
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import events
from coefvq.store import looks as rows_of
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    DecisionRow,
    LookKind,
    LookRow,
    LookState,
    VideoRow,
    utcnow,
)
from coefvq.store.text import storable

FIRST, SECOND, OWN = "first", "second", "own"
REASON_LIMIT = 2000
_DIFFER = (LookRow.kind == LookKind.SECOND.value, LookRow.state == LookState.DIFFERS.value)


@dataclass(frozen=True)
class Answer:
    """What one of the two answered. Comment and reasons are hostile."""

    reviewer: str
    labels: dict[str, str]
    reasons: dict[str, str]
    action: str
    comment: str
    start_s: float | None
    end_s: float | None
    at: datetime


@dataclass(frozen=True)
class Dispute:
    """A case with two answers that differ.

    Attributes:
        id: Of the second look; what ``settle`` takes.
        policies: On which the answers differ.
        machine: What the machine had said of each policy, 0..1; ``None``: not covered.
        mine: The actor gave one of the answers.
        allowed: The actor may rule on it all the same.
    """

    id: str
    case_id: str
    task: str
    video_id: str
    title: str
    policies: tuple[str, ...]
    first: Answer
    second: Answer
    machine: dict[str, float | None]
    asked_at: datetime
    mine: bool
    allowed: bool


@dataclass(frozen=True)
class Disputes:
    """A page of disputes, those that have waited longest first, and how many there are."""

    total: int
    items: tuple[Dispute, ...]


def waiting(
    store: Store, actor: Actor, task: str | None = None, limit: int = 50, offset: int = 0
) -> Disputes:
    """The cases whose two answers differ."""
    require(actor, Permission.LEAD)
    wanted = (*_DIFFER, LookRow.task == task) if task else _DIFFER
    query = select(LookRow, DecisionRow, CaseRow, VideoRow).where(*wanted)
    joined = (
        query.join(DecisionRow, DecisionRow.id == LookRow.decision_id)
        .join(CaseRow, CaseRow.id == LookRow.case_id)
        .join(VideoRow, VideoRow.id == CaseRow.video_id)
        .order_by(LookRow.asked_at, LookRow.id)
    )
    with store.read() as session:
        total = session.scalar(select(func.count()).select_from(LookRow).where(*wanted)) or 0
        rows = session.execute(joined.limit(limit).offset(offset))
        return Disputes(total, tuple(_dispute(session, actor, row) for row in rows))


def settle(
    store: Store,
    settings: Settings,
    actor: Actor,
    look_id: str,
    answer: str,
    form: DecisionForm | None = None,
    reason: str = "",
) -> str:
    """Say which answer counts; it becomes the decision on the case, as an adjudication.

    Args:
        look_id: ``Dispute.id``.
        answer: ``first``, ``second``, or ``own`` with a ``form``.
        reason: Why; it becomes the decision's comment in place of the answer's.

    Returns:
        The id of the decision.

    Raises:
        StoreError: There is no such dispute.
        DecisionRefused: It is settled already, somebody has the case open, or the form lacks
            something.
        NotAllowed: The actor leads nobody, or gave one of the answers while another lead could
            rule.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        look, first, case = _locked(session, actor, look_id)
        rulings.require_may_rule(session, actor, _names(look, first))
        chosen = _chosen(look, first, answer, form)
        words = storable(reason, REASON_LIMIT)
        filled = replace(chosen, verdict_id=None, comment=words or chosen.comment)
        look.state = LookState.SETTLED.value  # before the first event: answers of others wait
        look.settled_at, look.settled_by = utcnow(), actor.name
        session.flush()
        row = rulings.store_ruling(session, settings, actor, case, filled, ADJUDICATION)
        data = {"decision": row.id, "answer": answer, "labels": row.labels}
        events.append(session, actor.name, "look.adjudicated", "look", look.id, data)
        return row.id


def _locked(session: Session, actor: Actor, look_id: str) -> tuple[LookRow, DecisionRow, CaseRow]:
    found = rows_of.find(session, look_id)
    if found is None or found.decision_id is None:
        raise StoreError(f"There is no case {look_id} with two answers that differ.")
    case = queues.reach(session, actor, found.case_id, lock=True)
    look = rows_of.find(session, look_id, lock=True) or found
    if look.state != LookState.DIFFERS.value:
        by = f" by {look.settled_by}" if look.settled_by else ""
        raise DecisionRefused(f"Case {look.case_id} is settled already{by}. Reload the list.")
    return look, session.get_one(DecisionRow, look.decision_id), case


def _chosen(
    look: LookRow, first: DecisionRow, answer: str, form: DecisionForm | None
) -> DecisionForm:
    if answer == FIRST:
        return replace(form_of(first), notice="")  # it was sent with that decision
    if answer == SECOND:
        return look_answers.form_of(look)
    if answer != OWN or form is None:
        raise DecisionRefused("Choose the first answer, the second one, or fill in your own.")
    return form


def _names(look: LookRow, first: DecisionRow) -> tuple[str, str]:
    return first.reviewer, look.reviewer or ""


def _dispute(session: Session, actor: Actor, found: Sequence[Any]) -> Dispute:
    look, first, case, video = found
    names, second = _names(look, first), dict(look.labels or {})
    shown = first.snapshot.get("policies", {})
    return Dispute(
        look.id,
        case.id,
        case.task,
        video.id,
        video.title or video.original_name,
        tuple(p for p, label in first.labels.items() if second.get(p, label) != label),
        _answer(first, first.reviewer, first.decided_at),
        _answer(look, look.reviewer or "", look.answered_at),
        {policy: (shown.get(policy) or {}).get("final") for policy in first.labels},
        look.asked_at,
        actor.name in names,
        rulings.may_rule(session, actor, names),
    )


def _answer(row: Any, reviewer: str, at: datetime) -> Answer:
    return Answer(
        reviewer,
        dict(row.labels or {}),
        dict(row.reasons or {}),
        row.action,
        row.comment,
        row.start_s,
        row.end_s,
        at,
    )
