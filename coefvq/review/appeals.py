"""Somebody outside disputes a decision; a lead upholds or overturns it, with a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from coefvq.errors import DecisionRefused
from coefvq.review import queues, rulings
from coefvq.review.access import Actor, Permission, require
from coefvq.review.case_view import decision_view
from coefvq.review.decision_rows import APPEAL
from coefvq.review.form import default_action
from coefvq.review.rates import Rate, rate
from coefvq.review.views import DecisionForm, DecisionView
from coefvq.settings import Settings
from coefvq.store import appeals as rows_of
from coefvq.store import decisions, events
from coefvq.store.appeals import OPEN as OPEN
from coefvq.store.appeals import OVERTURNED, UPHELD
from coefvq.store.session import Store
from coefvq.store.tables import AppealRow, CaseRow, DecisionRow, VideoRow, utcnow
from coefvq.store.text import storable

TEXT_LIMIT, REASON_LIMIT = 10_000, 2000


@dataclass(frozen=True)
class AppealView:
    """An appeal with the decision that it disputes. Text, reason and title are hostile.

    Attributes:
        state: ``open``, ``upheld`` (the decision stays) or ``overturned``.
        allowed: The actor may resolve it.
    """

    id: str
    case_id: str
    task: str
    video_id: str
    title: str
    decision: DecisionView
    text: str
    filed_by: str
    filed_at: datetime
    state: str
    reason: str
    resolved_by: str | None
    resolved_at: datetime | None
    new_decision_id: str | None
    allowed: bool


@dataclass(frozen=True)
class Appeals:
    """A page of appeals, oldest first, and how many there are."""

    total: int
    items: tuple[AppealView, ...]


@dataclass(frozen=True)
class AppealFigures:
    """How many appeals there were, and how they ended.

    Attributes:
        filed: In the time asked for; ``open`` of them wait.
        overturned: Of those that are resolved.
        policies: (policy id, overturned of resolved) by what the decision had marked.
        reviewers: (name, overturned of resolved) by who had decided.
    """

    filed: int
    open: int
    overturned: Rate
    policies: tuple[tuple[str, Rate], ...]
    reviewers: tuple[tuple[str, Rate], ...]


def file(store: Store, actor: Actor, case_id: str, text: str) -> AppealView:
    """File an appeal against the decision that stands.

    Args:
        text: What the uploader wrote; hostile.

    Raises:
        DecisionRefused: No text, no decision stands, or an appeal against it is open.
        StoreError: There is no such case.
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    words = _needed(text, TEXT_LIMIT, "Write what the uploader says.")
    with store.write() as session:
        case = queues.reach(session, actor, case_id, lock=True)
        decision = decisions.standing(session, case.id)
        if decision is None:
            raise DecisionRefused(f"Nobody has decided case {case.id}: nothing to appeal against.")
        if rows_of.open_against(session, decision.id) is not None:
            raise DecisionRefused(f"An appeal against case {case.id} is open already.")
        row = AppealRow(
            case_id=case.id, decision_id=decision.id, text=words, filed_by=actor.name, state=OPEN
        )
        session.add(row)
        session.flush()
        data = {"case": case.id, "decision": decision.id}
        events.append(session, actor.name, "appeal.filed", "appeal", row.id, data)
        return _view(session, actor, row)


def list_appeals(
    store: Store,
    actor: Actor,
    state: str | None = OPEN,
    task: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Appeals:
    """Appeals of a state (``None``: of all), those filed first come first."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        total, rows = rows_of.page(session, state, task, limit, offset)
        return Appeals(total, tuple(_view(session, actor, row) for row in rows))


def uphold(
    store: Store, settings: Settings, actor: Actor, appeal_id: str, reason: str
) -> AppealView:
    """Let the decision stay, and say why.

    Raises:
        DecisionRefused: No reason, or it is resolved already.
        StoreError: There is no such appeal.
        NotAllowed: The actor leads nobody, or took the decision while another lead could resolve.
    """
    require(actor, Permission.LEAD)
    why = _needed(reason, REASON_LIMIT, "Say why the decision stays.")
    with store.write() as session:
        row, _, _ = _open(session, actor, appeal_id)
        _resolve(session, actor, row, UPHELD, why)
        return _view(session, actor, row)


def overturn(
    store: Store,
    settings: Settings,
    actor: Actor,
    appeal_id: str,
    reason: str,
    form: DecisionForm | None = None,
) -> AppealView:
    """Put another decision in the place of the disputed one, and say why.

    Args:
        form: The new answer; ``None``: nothing is violated, the video stays.

    Raises:
        DecisionRefused: No reason, it is resolved already, the answer is the same as before, the
            form lacks something, or somebody has the case open.
        StoreError: There is no such appeal.
        NotAllowed: See ``uphold``.
    """
    require(actor, Permission.LEAD)
    why = _needed(reason, REASON_LIMIT, "Say why the decision is overturned.")
    with store.write() as session:
        row, case, disputed = _open(session, actor, appeal_id)
        given = form or DecisionForm({}, default_action(False))
        filled = replace(given, comment=given.comment or why, verdict_id=None)
        made = rulings.store_ruling(session, settings, actor, case, filled, APPEAL)
        if (made.labels, made.action) == (disputed.labels, disputed.action):
            raise DecisionRefused("That is the same answer: uphold the decision, or change it.")
        row.new_decision_id = made.id
        _resolve(session, actor, row, OVERTURNED, why)
        return _view(session, actor, row)


def figures(
    store: Store, actor: Actor, task: str | None = None, since: datetime | None = None
) -> AppealFigures:
    """Appeals that were filed since then, and how many were overturned, and whose."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        found = rows_of.with_decisions(session, task, since)
    resolved = [(row, decision) for row, decision in found if row.state != OPEN]
    policies: Counter[tuple[str, bool]] = Counter()
    reviewers: Counter[tuple[str, bool]] = Counter()
    for row, decision in resolved:
        over = row.state == OVERTURNED
        reviewers[decision.reviewer, over] += 1
        marked = (p for p, label in decision.labels.items() if label == decisions.VIOLATION)
        policies.update((policy, over) for policy in marked)
    overturned = sum(row.state == OVERTURNED for row, _ in resolved)
    return AppealFigures(
        len(found),
        len(found) - len(resolved),
        rate(overturned, len(resolved)),
        _rates(policies),
        _rates(reviewers),
    )


def _rates(found: Counter[tuple[str, bool]]) -> tuple[tuple[str, Rate], ...]:
    names = sorted({name for name, _ in found})
    return tuple(
        (name, rate(found[name, True], found[name, True] + found[name, False])) for name in names
    )


def _open(session: Session, actor: Actor, appeal_id: str) -> tuple[AppealRow, CaseRow, DecisionRow]:
    row = rows_of.get(session, appeal_id)
    case = queues.reach(session, actor, row.case_id, lock=True)
    row = rows_of.get(session, appeal_id, lock=True)
    if row.state != OPEN:
        raise DecisionRefused(f"{row.resolved_by} has {row.state} this appeal already.")
    disputed = session.get_one(DecisionRow, row.decision_id)
    rulings.require_may_rule(session, actor, (disputed.reviewer,))
    return row, case, disputed


def _resolve(session: Session, actor: Actor, row: AppealRow, state: str, why: str) -> None:
    row.state, row.reason = state, why
    row.resolved_by, row.resolved_at = actor.name, utcnow()
    data = {"case": row.case_id, "decision": row.decision_id, "new": row.new_decision_id}
    events.append(session, actor.name, f"appeal.{state}", "appeal", row.id, data)


def _needed(text: str, limit: int, otherwise: str) -> str:
    words = storable(text)
    if words is None:
        raise DecisionRefused(otherwise)
    if len(words) > limit:
        raise DecisionRefused(f"{len(words)} characters are too many: at most {limit}.")
    return words


def _view(session: Session, actor: Actor, row: AppealRow) -> AppealView:
    decision = session.get_one(DecisionRow, row.decision_id)
    case = session.get_one(CaseRow, row.case_id)
    video = session.get_one(VideoRow, case.video_id)
    undone = decisions.undone_at(session, [decision.id])
    return AppealView(
        row.id,
        case.id,
        case.task,
        video.id,
        video.title or video.original_name,
        decision_view(decision, undone.get(decision.id)),
        row.text,
        row.filed_by,
        row.filed_at,
        row.state,
        row.reason,
        row.resolved_by,
        row.resolved_at,
        row.new_decision_id,
        rulings.may_rule(session, actor, (decision.reviewer,)),
    )
