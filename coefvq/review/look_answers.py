"""Answer an independent look, take the answer back, keep its draft, pass it over."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused
from coefvq.review import blinding, looks
from coefvq.review.access import Actor
from coefvq.review.compare import is_correction
from coefvq.review.decision_rows import shown_policies, task_of
from coefvq.review.form import check_form, full_labels
from coefvq.review.golden_scores import overlaps
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, codec, events, leases
from coefvq.store import golden as golden_rows
from coefvq.store import looks as rows_of
from coefvq.store.decisions import VIOLATION
from coefvq.store.tables import (
    CaseRow,
    DecisionRow,
    LookKind,
    LookRow,
    LookState,
    VerdictRow,
    utcnow,
)
from coefvq.store.text import storable


def answer(
    session: Session,
    settings: Settings,
    actor: Actor,
    look: LookRow,
    token: int,
    form: DecisionForm,
) -> LookRow:
    """Store an answer under the look's lease, and compare it. Case and decisions stay untouched.

    Raises:
        LeaseLost: The look is somebody else's, or the time ran out.
        DecisionRefused: The form lacks something.
    """
    lease = leases.check(session, leases.CASE, look.id, actor.name, token)
    case, rules = session.get_one(CaseRow, look.case_id), taxonomy.in_force()
    task = task_of(rules, case)
    check_form(form, task, cases.length_of(session, case), rules)
    labels = full_labels(form, task, shown_policies(session, form, task))
    if blinding.is_blind(session, settings, actor, case, as_look=True):
        blinding.keep_first(session, actor, case, labels, look.id)
    _write(session, look, actor, case, form, labels)
    rows_of.keep(look, form=None, token=token)
    leases.end(session, lease)
    data = {"kind": look.kind, "labels": labels, "equal": look.state == LookState.AGREED.value}
    known = golden_rows.get(session, look.golden_id) if look.golden_id else None
    met = overlaps(look, known) if known else None
    data |= {} if met is None else {"range_met": met}
    events.append(session, actor.name, "look.answered", "look", look.id, data)
    return look


def same(look: LookRow, actor: Actor, token: int, form: DecisionForm) -> bool:
    """Whether this very answer was given under this very lease: a double click."""
    if look.reviewer != actor.name or (look.draft or {}).get("token") != token:
        return False
    marked = {policy for policy, on in form.labels.items() if on}
    violated = {policy for policy, label in (look.labels or {}).items() if label == VIOLATION}
    sent = (marked, form.action, storable(form.comment) or "")
    return look.answered_at is not None and sent == (violated, look.action, look.comment)


def done(look: LookRow) -> tuple[str, bool]:
    """What a reviewer is told of their answer, as of a decision: an id, whether it corrects."""
    return look.id, bool((look.draft or {}).get("correction"))


def reopen(session: Session, actor: Actor, look: LookRow, lease_s: float, now: datetime) -> None:
    """Take an answer back; its form is a draft again, and the actor holds the look.

    Raises:
        DecisionRefused: It was adjudicated since, or nobody wants an answer any more.
    """
    if look.state == LookState.SETTLED.value:
        raise DecisionRefused(f"Case {look.id} was dealt with since: it cannot be undone.")
    if leases.claim(session, leases.CASE, look.id, actor.name, lease_s, now) is None:
        raise DecisionRefused(f"Somebody else has case {look.id} open; try again later.")
    keep_draft(look, actor, form_of(look), now)
    look.state, look.answered_at = LookState.WAITING.value, None
    if look.kind == LookKind.SECOND.value:
        look.reviewer = None
    look.labels = look.reasons = look.start_s = look.end_s = None
    look.action = look.comment = ""
    events.append(session, actor.name, "look.reopened", "look", look.id, {"kind": look.kind}, now)


def keep_draft(look: LookRow, actor: Actor, form: DecisionForm, now: datetime) -> None:
    """Keep a form that was not sent."""
    kept = asdict(form) | {"by": actor.name, "saved_at": now.isoformat()}
    rows_of.keep(look, form=kept)


def pass_over(session: Session, actor: Actor, look: LookRow, token: int, why: str) -> None:
    """Pass a look over. A golden one is done with; a second one comes back to others.

    Raises:
        LeaseLost: The actor does not hold it.
    """
    lease = leases.check(session, leases.CASE, look.id, actor.name, token)
    if look.kind == LookKind.GOLDEN.value:
        rows_of.settle(look, actor.name)
    else:
        cases.note_skip(session, look.case_id, actor.name, why)
    leases.end(session, lease)
    data = {"kind": look.kind, "reason": why}
    events.append(session, actor.name, "look.skipped", "look", look.id, data)


def form_of(look: LookRow) -> DecisionForm:
    """The form that an answer was given with."""
    return DecisionForm(
        labels={policy: label == VIOLATION for policy, label in (look.labels or {}).items()},
        action=look.action,
        reasons=dict(look.reasons or {}),
        comment=look.comment,
        start_s=look.start_s,
        end_s=look.end_s,
    )


def _write(
    session: Session,
    look: LookRow,
    actor: Actor,
    case: CaseRow,
    form: DecisionForm,
    labels: dict[str, str],
) -> None:
    look.reviewer, look.answered_at = actor.name, utcnow()
    look.labels, look.action = labels, form.action
    look.reasons = {each: form.reasons[each] for each in labels if form.labels.get(each)}
    look.comment = storable(form.comment) or ""
    look.start_s, look.end_s = form.start_s, form.end_s
    agreed = looks.equal(labels, _other(session, look))
    look.state = (LookState.AGREED if agreed else LookState.DIFFERS).value
    verdict = session.get(VerdictRow, case.verdict_id) if case.verdict_id else None
    finals = codec.finals_from(verdict.policies) if verdict else {}
    said = verdict.verdict if verdict else None
    rows_of.keep(look, correction=is_correction(labels, finals, said))


def _other(session: Session, look: LookRow) -> dict[str, str]:
    """What the answer is compared with: the first reviewer's, or the golden case's."""
    if look.golden_id is not None:
        return dict(golden_rows.get(session, look.golden_id).labels)
    return dict(session.get_one(DecisionRow, look.decision_id).labels)
