"""Take a decision, take it back, or ask for a second look."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, LeaseLost
from coefvq.review import learn, queue
from coefvq.review.access import Actor, Permission, require
from coefvq.review.case_view import build
from coefvq.review.compare import is_correction
from coefvq.review.form import ACTIONS, DEFAULT_ACTION, check_form, full_labels, reasons_for
from coefvq.review.priority import SECOND_LOOK_BONUS
from coefvq.review.views import CaseView, DecisionForm, Submitted
from coefvq.settings import Settings
from coefvq.store import cases, codec, decisions, events, leases
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, CaseState, DecisionRow, VerdictRow
from coefvq.store.text import storable

__all__ = ["ACTIONS", "DEFAULT_ACTION", "reasons_for", "second_look", "submit", "undo_last"]

_DECIDABLE = (CaseState.QUEUED, CaseState.AUTO, CaseState.DECIDED)


def submit(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    token: int,
    form: DecisionForm,
    task: str | None = None,
) -> Submitted:
    """Store a decision with what was on the screen, and claim the next case.

    With ``settings.learn_online`` the thresholds of a certified routing policy learn from it in
    the same transaction. The same answer sent twice (a double click, a repeated request) is
    stored once.

    Args:
        token: The lease's token from the case view.
        task: Take the next case from this task only.

    Raises:
        LeaseLost: The case is somebody else's, or the time ran out; the form is kept as a draft.
        DecisionRefused: The form lacks something; it is kept as a draft.
        NotAllowed: The actor may not decide.
    """
    require(actor, Permission.DECIDE)
    try:
        row = _store_decision(store, settings, actor, case_id, token, form)
    except LeaseLost:
        sent_before = _same_answer(store, actor, case_id, token)
        if sent_before is None:
            queue.save_draft(store, actor, case_id, form)
            raise
        row = sent_before
    except DecisionRefused:
        queue.save_draft(store, actor, case_id, form)
        raise
    following = queue.next_case(store, settings, actor, task, exclude={case_id})
    return Submitted(row.id, row.correction, following)


def undo_last(store: Store, settings: Settings, actor: Actor) -> CaseView:
    """Take back the actor's last decision that stands; its form comes back as a draft.

    Raises:
        DecisionRefused: There is none, or somebody has the case or decided it since.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        row = decisions.last_by(session, actor.name)
        if row is None:
            raise DecisionRefused("There is no decision of yours to undo.")
        standing = decisions.standing(session, row.case_id)
        if standing is not None and standing.id != row.id:
            raise DecisionRefused(f"{standing.reviewer} has decided case {row.case_id} since.")
        ttl = settings.case_lease_s
        if leases.claim(session, leases.CASE, row.case_id, actor.name, ttl) is None:
            raise DecisionRefused(f"Somebody else has case {row.case_id} open; try again later.")
        case = decisions.undo(session, row, actor.name)
        decisions.save_draft(session, case.id, actor.name, asdict(_form_of(row)))
        session.flush()
        return build(session, settings, actor, case)


def second_look(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    token: int,
    comment: str = "",
    task: str | None = None,
) -> CaseView | None:
    """Send the case back to the queue for another person; return the next one.

    Raises:
        LeaseLost: The actor does not hold the case.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        leases.check(session, leases.CASE, case_id, actor.name, token)
        case = cases.get(session, case_id)
        if not case.second_look:
            case.priority += SECOND_LOOK_BONUS
        case.second_look, case.second_look_by = True, actor.name
        cases.queue(case)
        leases.release(session, leases.CASE, case_id, actor.name, token)
        data = {"comment": storable(comment) or ""}
        events.append(session, actor.name, "case.second_look", "case", case_id, data)
    return queue.next_case(store, settings, actor, task, exclude={case_id})


def _same_answer(store: Store, actor: Actor, case_id: str, token: int) -> DecisionRow | None:
    """The decision that this actor took under this very lease, if it stands."""
    with store.read() as session:
        row = decisions.standing(session, case_id)
    mine = row is not None and row.reviewer == actor.name
    return row if mine and row is not None and row.snapshot.get("lease_token") == token else None


def _store_decision(
    store: Store, settings: Settings, actor: Actor, case_id: str, token: int, form: DecisionForm
) -> DecisionRow:
    with store.write() as session:
        leases.check(session, leases.CASE, case_id, actor.name, token)
        case = cases.get(session, case_id)
        if case.state not in _DECIDABLE:
            raise DecisionRefused(f"Case {case_id} is {case.state}; it cannot be decided yet.")
        task = taxonomy.task(case.task)
        check_form(form, task, _duration(session, case))
        verdict = _verdict_seen(session, case, form.verdict_id)
        row = decisions.add(session, case, _row(actor, case, verdict, form, task, token))
        if settings.learn_online:
            learn.from_decision(session, row, verdict)
        decisions.drop_draft(session, case_id, actor.name)
        leases.release(session, leases.CASE, case_id, actor.name, token)
        return row


def _row(
    actor: Actor,
    case: CaseRow,
    verdict: VerdictRow | None,
    form: DecisionForm,
    task: taxonomy.Task,
    token: int,
) -> DecisionRow:
    labels = full_labels(form, task)
    finals = codec.finals_from(verdict.policies) if verdict else {}
    return DecisionRow(
        case_id=case.id,
        verdict_id=verdict.id if verdict else None,
        task=case.task,
        reviewer=actor.name,
        role=actor.role_for(Permission.DECIDE),
        action=form.action,
        labels=labels,
        reasons={policy: form.reasons[policy] for policy in labels if form.labels.get(policy)},
        comment=storable(form.comment) or "",
        start_s=form.start_s,
        end_s=form.end_s,
        correction=is_correction(labels, finals, verdict.verdict if verdict else None),
        snapshot=_snapshot(case, verdict) | {"lease_token": token},
    )


def _snapshot(case: CaseRow, verdict: VerdictRow | None) -> dict[str, Any]:
    if verdict is None:
        return {"second_look": case.second_look}
    return {
        "verdict": verdict.verdict,
        "verdict_id": verdict.id,
        "probability": verdict.probability,
        "policies": verdict.policies,
        "route": verdict.route,
        "first_route": verdict.first_route,
        "models": verdict.models,
        "assessments": {"prefilter": verdict.prefilter_id, "mllm": verdict.mllm_id},
        "second_look": case.second_look,
        "second_look_by": case.second_look_by,
    }


def _verdict_seen(session: Session, case: CaseRow, verdict_id: str | None) -> VerdictRow | None:
    wanted = verdict_id or case.verdict_id
    if wanted is None:
        return None
    row = session.get(VerdictRow, wanted)
    if row is None or row.case_id != case.id:
        raise DecisionRefused(f"Case {case.id}: {wanted} is not a verdict of it. Reload the page.")
    return row


def _duration(session: Session, case: CaseRow) -> float | None:
    info = cases.video_of(session, case).media.info
    return info["duration_s"] if info else None


def _form_of(row: DecisionRow) -> DecisionForm:
    return DecisionForm(
        labels={policy: label == decisions.VIOLATION for policy, label in row.labels.items()},
        action=row.action,
        reasons=dict(row.reasons),
        comment=row.comment,
        start_s=row.start_s,
        end_s=row.end_s,
    )
