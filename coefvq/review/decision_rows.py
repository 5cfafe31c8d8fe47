"""From a form to a stored decision and back, inside a transaction that holds the case's lease."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused
from coefvq.review import learn
from coefvq.review.access import Actor, Permission
from coefvq.review.compare import is_correction
from coefvq.review.form import check_form, full_labels
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, codec, decisions
from coefvq.store.tables import CaseRow, CaseState, DecisionRow, VerdictRow
from coefvq.store.text import storable

_DECIDABLE = (CaseState.QUEUED, CaseState.AUTO, CaseState.DECIDED)


def store_decision(
    session: Session,
    settings: Settings,
    actor: Actor,
    case: CaseRow,
    form: DecisionForm,
    *,
    token: int,
    batch_id: str | None = None,
) -> DecisionRow:
    """Check a form against its case, store it with what was on the screen, drop the draft.

    Raises:
        DecisionRefused: The case cannot be decided, or the form lacks something.
    """
    if case.state not in _DECIDABLE:
        raise DecisionRefused(f"Case {case.id} is {case.state}; it cannot be decided yet.")
    task = taxonomy.task(case.task)
    check_form(form, task, _duration(session, case))
    verdict = _verdict_seen(session, case, form.verdict_id)
    row = _row(actor, case, verdict, form, task)
    row.snapshot = _snapshot(case, verdict) | {"lease_token": token}
    row.batch_id = batch_id
    decisions.add(session, case, row)
    if settings.learn_online:
        learn.from_decision(session, row, verdict)
    decisions.drop_draft(session, case.id, actor.name)
    return row


def form_of(row: DecisionRow) -> DecisionForm:
    """The form that a decision was made from."""
    return DecisionForm(
        labels={policy: label == decisions.VIOLATION for policy, label in row.labels.items()},
        action=row.action,
        reasons=dict(row.reasons),
        comment=row.comment,
        start_s=row.start_s,
        end_s=row.end_s,
        notice=row.notice,
    )


def _row(
    actor: Actor,
    case: CaseRow,
    verdict: VerdictRow | None,
    form: DecisionForm,
    task: taxonomy.Task,
) -> DecisionRow:
    labels = full_labels(form, task)
    finals = codec.finals_from(verdict.policies) if verdict else {}
    violated = taxonomy.actions()[form.action].violation
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
        notice=(storable(form.notice) or "") if violated else "",
        correction=is_correction(labels, finals, verdict.verdict if verdict else None),
    )


def _snapshot(case: CaseRow, verdict: VerdictRow | None) -> dict[str, Any]:
    place = {
        "state": case.state,
        "queue": case.queue,
        "second_look": case.second_look,
        "second_look_by": case.second_look_by,
    }
    if verdict is None:
        return place
    return place | {
        "verdict": verdict.verdict,
        "verdict_id": verdict.id,
        "probability": verdict.probability,
        "policies": verdict.policies,
        "route": verdict.route,
        "first_route": verdict.first_route,
        "models": verdict.models,
        "assessments": {"prefilter": verdict.prefilter_id, "mllm": verdict.mllm_id},
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
