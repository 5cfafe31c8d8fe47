"""Gather everything the Review page shows of one case."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import Assessment, Evidence, FinalScore
from coefvq.review import assessment_view, blinding, copies, look_view, looks, notes, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.assessment_view import route_view
from coefvq.review.video_views import video_view as video_view
from coefvq.review.views import (
    CaseView,
    DecisionView,
    DraftView,
    LeaseView,
    PolicyView,
    RouteView,
)
from coefvq.settings import Settings
from coefvq.store import (
    ageing,
    cases,
    codec,
    decisions,
    jobs,
    leases,
    signals_cache,
    taxonomies,
    videos,
)
from coefvq.store import looks as look_rows
from coefvq.store.session import Store
from coefvq.store.tables import (
    AssessmentRow,
    CaseRow,
    DecisionRow,
    JobKind,
    LookRow,
    LookState,
    VerdictRow,
    VideoRow,
    utcnow,
)
from coefvq.taxonomy import OTHER_REASON, Policy


def view(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    now: datetime | None = None,
) -> CaseView:
    """Look at a case without claiming it. An independent look is looked at under its own id.

    Args:
        now: The moment at which the lease is looked at; by default the present one.

    Raises:
        NotAllowed: The actor may not look, or the case is in a restricted queue not theirs.
        StoreError: There is no such case.
    """
    require(actor, Permission.VIEW)
    blinding.prepare(store, settings)
    with store.read() as session:
        look = looks.at(session, actor, case_id)
        if look is None:
            return build(session, settings, actor, queues.reach(session, actor, case_id), now)
        return _of_look(session, settings, actor, look, now or utcnow())


def build(
    session: Session, settings: Settings, actor: Actor, case: CaseRow, now: datetime | None = None
) -> CaseView:
    """Make the view of a case inside a session, without what this actor is not to see yet."""
    made = _whole(session, settings, actor, case, now or utcnow())
    if looks.concealed(session, actor, [case.id]):
        own = tuple(note for note in made.notes if note.author == actor.name)
        pairs = copies.without_others(made.pairs, actor)
        made = replace(made, decisions=(), notes=own, pairs=pairs, concealed=True)
    return blinding.masked(made) if blinding.is_blind(session, settings, actor, case) else made


def _of_look(
    session: Session, settings: Settings, actor: Actor, look: LookRow, now: datetime
) -> CaseView:
    case = session.get_one(CaseRow, look.case_id)
    whole = _whole(session, settings, actor, case, now)
    whole = replace(whole, pairs=copies.without_others(whole.pairs, actor))
    made = look_view.of(whole, look, actor, _lease(session, actor, look.id, now))
    waits = look.state == LookState.WAITING.value
    blind = waits and blinding.is_blind(session, settings, actor, case, as_look=True)
    return blinding.masked(made) if blind else made


def _whole(
    session: Session, settings: Settings, actor: Actor, case: CaseRow, now: datetime
) -> CaseView:
    video = videos.get(session, case.video_id)
    verdict = session.get(VerdictRow, case.verdict_id) if case.verdict_id else None
    first, second = _rows(session, verdict)
    finals = codec.finals_from(verdict.policies) if verdict else {}
    readable = _readable(session, video, verdict)
    task = taxonomies.task_of(session, case.task)
    route = codec.route_from(verdict.route) if verdict else None
    both = (first, second)
    return CaseView(
        id=case.id,
        task=case.task,
        task_name=task.name if case.task in taxonomy.tasks() else f"{task.name} (retired)",
        state=case.state,
        verdict=case.verdict,
        verdict_id=case.verdict_id,
        probability=case.probability,
        video=video_view(session, settings, video),
        policies=policy_views(task.policies, finals),
        prefilter=assessment_view.card(first, task) if first else None,
        mllm=assessment_view.card(second, task) if second else None,
        route=route_view(route) if route else None,
        first_route=_first_route(verdict),
        disagreement=assessment_view.disagreement(task, finals, _domain(second), route),
        evidence=_evidence([_domain(row) for row in both if row], task),
        transcript=codec.lines_from(readable.get("speech")),
        speech_understood=readable.get("speech_understood"),
        screen_text=codec.lines_from(readable.get("screen_text")),
        lease=_lease(session, actor, case.id, now),
        draft=_draft(session, case.id, actor),
        decisions=_decisions(session, case.id),
        second_look=case.second_look,
        second_look_by=case.second_look_by,
        queued_at=case.queued_at,
        priority=ageing.urgency_of(case),
        rationale_due=jobs.open_job(session, JobKind.EXPLAIN, case_id=case.id) is not None,
        siblings=_siblings(session, actor, case, now),
        queue=case.queue,
        due_at=case.due_at,
        assigned_to=case.assigned_to,
        notes=notes.of_case(session, case.id),
        pairs=copies.pairs_of(session, settings, actor, video),
    )


def policy_views(
    policies: tuple[Policy, ...], finals: dict[str, FinalScore]
) -> tuple[PolicyView, ...]:
    """The task's rules with what the machine says; without a verdict nothing is covered.

    A policy that is newer than the verdict was not asked about.
    """
    nobody = "not_asked" if finals else "not_scored"
    return tuple(
        _policy(key, policy, finals.get(policy.id), nobody)
        for key, policy in enumerate(policies, 1)
    )


def decision_view(row: DecisionRow, undone: datetime | None) -> DecisionView:
    """One decision as it was taken."""
    return DecisionView(
        id=row.id,
        case_id=row.case_id,
        task=row.task,
        reviewer=row.reviewer,
        role=row.role,
        action=row.action,
        labels=dict(row.labels),
        reasons=dict(row.reasons),
        comment=row.comment,
        start_s=row.start_s,
        end_s=row.end_s,
        decided_at=row.decided_at,
        correction=row.correction,
        undone_at=undone,
        snapshot=dict(row.snapshot),
        notice=row.notice,
        batch_id=row.batch_id,
    )


def _policy(key: int, policy: Policy, score: FinalScore | None, nobody: str) -> PolicyView:
    return PolicyView(
        id=policy.id,
        key=key,
        name=policy.name,
        question=policy.question,
        guideline=policy.guideline,
        severity=policy.severity,
        modalities=tuple(modality.value for modality in policy.modalities),
        reasons=(*policy.reasons, OTHER_REASON),
        prefilter=score.prefilter if score else None,
        mllm=score.mllm if score else None,
        final=score.final if score else None,
        covered=score.covered if score else False,
        why_not=score.why_not if score else nobody,
    )


def _rows(
    session: Session, verdict: VerdictRow | None
) -> tuple[AssessmentRow | None, AssessmentRow | None]:
    if verdict is None:
        return None, None
    second = session.get(AssessmentRow, verdict.mllm_id) if verdict.mllm_id else None
    return session.get(AssessmentRow, verdict.prefilter_id), second


def _first_route(verdict: VerdictRow | None) -> RouteView | None:
    if verdict is None or verdict.first_route is None:
        return None
    return route_view(codec.route_from(verdict.first_route))


def _domain(row: AssessmentRow | None) -> Assessment | None:
    return codec.assessment_from(row) if row is not None else None


def _readable(session: Session, video: VideoRow, verdict: VerdictRow | None) -> dict[str, Any]:
    if verdict is None or verdict.expensive_extractor is None:
        return {}
    return signals_cache.readable(session, video.sha256, verdict.expensive_extractor) or {}


def _evidence(assessments: list[Assessment | None], task: taxonomy.Task) -> tuple[Evidence, ...]:
    ids = {policy.id for policy in task.policies}
    found: dict[Evidence, None] = {}
    for assessment in assessments:
        if assessment is None:
            continue
        spoken = assessment.rationale.evidence if assessment.rationale else ()
        for item in (*assessment.evidence, *spoken):
            if item.policy is None or item.policy in ids:
                found[item] = None
    return tuple(sorted(found, key=lambda item: (item.start_s, item.end_s)))


def _siblings(
    session: Session, actor: Actor, case: CaseRow, now: datetime
) -> tuple[tuple[str, str], ...]:
    """The video's other cases; the one behind a look that the actor has open under its id."""
    found = [row for row in cases.of_video(session, case.video_id).values() if row.id != case.id]
    closed = queues.closed_to(session, actor) if any(row.queue for row in found) else frozenset()
    open_looks = {
        look.case_id: look.id
        for look in look_rows.waiting_on(session, [row.id for row in found])
        if (lease := _lease(session, actor, look.id, now)) is not None and lease.mine
    }
    seen = (row for row in found if row.queue not in closed)
    return tuple((row.task, open_looks.get(row.id, row.id)) for row in seen)


def _lease(session: Session, actor: Actor, case_id: str, now: datetime) -> LeaseView | None:
    lease = leases.current(session, leases.CASE, case_id, now)
    if lease is None:
        return None
    mine = lease.holder == actor.name
    return LeaseView(lease.holder, mine, lease.expires_at, lease.token if mine else None)


def _draft(session: Session, case_id: str, actor: Actor) -> DraftView | None:
    row = decisions.draft(session, case_id, actor.name)
    if row is None:
        return None
    known = ("labels", "reasons", "action", "comment", "start_s", "end_s")
    kept = {name: row.form[name] for name in known}
    return DraftView(**kept, notice=row.form.get("notice", ""), saved_at=row.saved_at)


def _decisions(session: Session, case_id: str) -> tuple[DecisionView, ...]:
    rows = decisions.of_case(session, case_id)
    undone = decisions.undone_at(session, [row.id for row in rows])
    return tuple(decision_view(row, undone.get(row.id)) for row in rows)
