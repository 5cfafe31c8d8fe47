"""Which cases a reviewer answers before the machine's answer is shown, and what is left out then.

A share of (case, reviewer) pairs is drawn by a hash with the store's secret, so the same person
finds the same case blind each time. Every random audit is blind too: what the machine said would
tell that it was an audit, and its answer would pull the reviewer's along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.review.access import Actor, Permission
from coefvq.review.views import CaseView, PolicyView
from coefvq.routing import audit
from coefvq.settings import Settings
from coefvq.store import events, routing_state
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, CaseState, FirstAnswerRow, utcnow

NOT_SHOWN = "blind"
"""Why a policy has no score in a blind view."""

ANSWERED = "case.first_answer"


def prepare(store: Store, settings: Settings) -> None:
    """See to it that the store has its secret. Call it before a transaction, not inside of one."""
    if settings.blind_first_share > 0:
        routing_state.audit_salt(store)


def is_blind(
    session: Session, settings: Settings, actor: Actor, case: CaseRow, *, as_look: bool = False
) -> bool:
    """Whether this reviewer has to answer before they see the machine's answer.

    Args:
        as_look: The case stands behind a look that waits for this reviewer.
    """
    return case.id in among(session, settings, actor, [case], as_look=as_look)


def among(
    session: Session,
    settings: Settings,
    actor: Actor,
    found: Sequence[CaseRow],
    *,
    as_look: bool = False,
) -> frozenset[str]:
    """Ids of those cases that the actor is to answer blind and has not answered."""
    if not actor.may(Permission.DECIDE):
        return frozenset()
    waiting = [case for case in found if case.verdict_id and (as_look or _waits(case))]
    salt = routing_state.known_salt(session) if waiting else None
    chosen = {case.id for case in waiting if case.audit or _drawn(settings, salt, case, actor)}
    return frozenset(chosen - _answered(session, actor.name, chosen)) if chosen else frozenset()


def keep_first(
    session: Session, actor: Actor, case: CaseRow, labels: dict[str, str], subject: str
) -> None:
    """Store what was answered blind; the machine's answer is open to this reviewer from now on.

    Args:
        subject: The id that the reviewer knows the case by: its own, or that of a look.
    """
    session.add(
        FirstAnswerRow(
            case_id=case.id,
            reviewer=actor.name,
            labels=labels,
            verdict_id=case.verdict_id,
            at=utcnow(),
        )
    )
    kind = "case" if subject == case.id else "look"
    events.append(session, actor.name, ANSWERED, kind, subject, {"labels": labels})


def masked(view: CaseView) -> CaseView:
    """The view without anything that the machine said.

    Speech and screen text go too: they are read only where the MLLM was asked, so that their
    absence would tell an audit of what passed without it.
    """
    return replace(
        view,
        blind=True,
        verdict=None,
        probability=None,
        policies=tuple(_plain(policy) for policy in view.policies),
        prefilter=None,
        mllm=None,
        route=None,
        first_route=None,
        disagreement=None,
        evidence=(),
        transcript=None,
        speech_understood=None,
        screen_text=None,
        rationale_due=False,
        queue=None,
        priority=0.0,
        pairs=(),
    )


def _waits(case: CaseRow) -> bool:
    return case.state == CaseState.QUEUED.value


def _drawn(settings: Settings, salt: str | None, case: CaseRow, actor: Actor) -> bool:
    share = settings.blind_first_share
    if salt is None or share <= 0:
        return False
    key = f"{case.id}/{actor.name}"
    return share >= 1 or audit.draw(key, share, f"{salt}/blind")


def _answered(session: Session, reviewer: str, case_ids: Iterable[str]) -> set[str]:
    query = select(FirstAnswerRow.case_id).where(
        FirstAnswerRow.reviewer == reviewer, FirstAnswerRow.case_id.in_(list(case_ids))
    )
    return set(session.scalars(query))


def _plain(policy: PolicyView) -> PolicyView:
    return replace(policy, prefilter=None, mllm=None, final=None, covered=False, why_not=NOT_SHOWN)
