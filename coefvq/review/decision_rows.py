"""From a form to a stored decision and back, inside a transaction that holds the case's lease."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused
from coefvq.review import blinding, learn, looks
from coefvq.review.access import Actor, Permission
from coefvq.review.compare import is_correction
from coefvq.review.form import check_form, full_labels
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import callbacks, cases, codec, decisions, taxonomies
from coefvq.store.tables import CaseRow, CaseState, DecisionRow, FirstAnswerRow, VerdictRow
from coefvq.store.text import storable

REVIEW, ADJUDICATION, APPEAL = "review", "adjudication", "appeal"
UNSEEN = "unseen"
"""In a snapshot: the machine's answer was not shown before the decision."""

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
    kind: str = REVIEW,
) -> DecisionRow:
    """Check a form against its case, store it with what was on the screen, drop the draft.

    A review may be drawn for a second, independent answer, and thresholds learn from it. An
    adjudication or an appeal is about a decision that was chosen for being disputed: nothing
    learns from it, and nobody answers it again.

    Raises:
        DecisionRefused: The case cannot be decided, or the form lacks something.
    """
    rules = taxonomy.in_force()
    task = task_of(rules, case)
    if case.state not in _DECIDABLE:
        raise DecisionRefused(f"Case {case.id} is {case.state}; it cannot be decided yet.")
    check_form(form, task, _duration(session, case), rules)
    verdict = _verdict_seen(session, case, form.verdict_id)
    row = _row(actor, case, verdict, form, rules, shown_policies(session, form, task))
    row.snapshot = _snapshot(case, verdict) | {"lease_token": token}
    looks.withdraw_all(session, case.id, actor.name)
    if kind == REVIEW and batch_id is None:
        row.snapshot |= _first_answer(session, settings, actor, case, row)
    row.batch_id, row.kind = batch_id, kind
    decisions.add(session, case, row)
    callbacks.tell(
        session, callbacks.DECIDED, case.video_id,
        case_id=case.id, task=case.task, decision_id=row.id,
    )  # fmt: skip
    if kind == REVIEW:
        _after_review(session, settings, row, verdict)
    decisions.drop_draft(session, case.id, actor.name)
    return row


def _after_review(
    session: Session, settings: Settings, row: DecisionRow, verdict: VerdictRow | None
) -> None:
    if settings.learn_online:
        learn.from_decision(session, row, verdict)
    finals = codec.finals_from(verdict.policies) if verdict else {}
    looks.ask_after(session, settings, row, finals, verdict.verdict if verdict else None)


def _first_answer(
    session: Session, settings: Settings, actor: Actor, case: CaseRow, row: DecisionRow
) -> dict[str, Any]:
    """What the reviewer answered blind, for the snapshot.

    Whoever decides a blind case at once, past the page, has not been shown the machine's answer:
    what they send is their first answer, and their decision too.
    """
    if blinding.is_blind(session, settings, actor, case):
        blinding.keep_first(session, actor, case, row.labels, case.id)
        return {"first_answer": row.labels, UNSEEN: True}
    kept = session.get(FirstAnswerRow, (case.id, actor.name))
    return {} if kept is None else {"first_answer": dict(kept.labels)}


def task_of(rules: taxonomy.Taxonomy, case: CaseRow) -> taxonomy.Task:
    """The case's task.

    Raises:
        DecisionRefused: It is not in the taxonomy any more.
    """
    if case.task not in rules.tasks:
        raise DecisionRefused(
            f"Case {case.id}: the task '{case.task}' was taken out of the taxonomy, so nothing of "
            "it is decided any more. Skip it, or ask a lead."
        )
    return rules.tasks[case.task]


def shown_policies(session: Session, form: DecisionForm, task: taxonomy.Task) -> frozenset[str]:
    """The policies that the reviewer was asked about: a later one must get no label unseen."""
    now = frozenset(policy.id for policy in task.policies)
    then = taxonomies.at(session, form.taxonomy_version)
    marked = (policy for policy, on in form.labels.items() if on)
    return now if then is None else now & (frozenset(then.policies) | frozenset(marked))


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
    rules: taxonomy.Taxonomy,
    shown: frozenset[str],
) -> DecisionRow:
    labels = full_labels(form, rules.task(case.task), shown)
    finals = codec.finals_from(verdict.policies) if verdict else {}
    violated = rules.actions[form.action].violation
    return DecisionRow(
        case_id=case.id,
        verdict_id=verdict.id if verdict else None,
        task=case.task,
        reviewer=actor.name,
        role=actor.role_for(Permission.DECIDE),
        action=form.action,
        labels=labels,
        reasons={policy: form.reasons[policy] for policy in labels if form.labels.get(policy)},
        taxonomy_version=rules.version,
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
