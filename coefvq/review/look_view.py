"""How an independent look appears: like the case that it stands for, with nobody's answer in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from coefvq.review.access import Actor, Permission
from coefvq.review.views import CaseView, DecisionView, DraftView, LeaseView
from coefvq.store import looks
from coefvq.store.tables import CaseState, LookRow, LookState

_FORM = ("labels", "reasons", "action", "comment", "start_s", "end_s")


def of(whole: CaseView, look: LookRow, actor: Actor, lease: LeaseView | None) -> CaseView:
    """Make the view of a look from that of its case.

    While it waits it is a queued case that nobody decided. Once answered it is a decided one,
    with the reviewer's own answer and no other.
    """
    waits, place = look.state == LookState.WAITING.value, looks.place(look)
    due_at = place.get("due_at")
    return replace(
        whole,
        id=look.id,
        state=(CaseState.QUEUED if waits else CaseState.DECIDED).value,
        lease=lease,
        draft=_draft(look, actor),
        decisions=() if waits else (_decision(look, actor),),
        second_look=False,
        second_look_by=None,
        queued_at=look.asked_at if place else whole.queued_at or look.asked_at,
        priority=place.get("urgency", whole.priority),
        queue=place["queue"] if place else whole.queue,
        due_at=datetime.fromisoformat(due_at) if due_at else None if place else whole.due_at,
        assigned_to=(look.draft or {}).get("assigned"),
        notes=tuple(note for note in whole.notes if note.author == actor.name),
    )


def _draft(look: LookRow, actor: Actor) -> DraftView | None:
    kept = looks.form(look, actor.name)
    if kept is None:
        return None
    saved_at = datetime.fromisoformat(kept["saved_at"])
    fields = {name: kept[name] for name in _FORM}
    return DraftView(**fields, notice=kept.get("notice", ""), saved_at=saved_at)


def _decision(look: LookRow, actor: Actor) -> DecisionView:
    assert look.answered_at is not None  # only called on answered looks
    return DecisionView(
        id=look.id,
        case_id=look.id,
        task=look.task,
        reviewer=look.reviewer or actor.name,
        role=actor.role_for(Permission.DECIDE),
        action=look.action,
        labels=dict(look.labels or {}),
        reasons=dict(look.reasons or {}),
        comment=look.comment,
        start_s=look.start_s,
        end_s=look.end_s,
        decided_at=look.answered_at,
        correction=bool((look.draft or {}).get("correction")),
        undone_at=None,
        snapshot={},
    )
