"""How long a reviewer looks at severe material, and when it is time for a pause.

A budget of minutes a shift: near its end the page warns, at its end no next case is given for a
while. What counts is what was revealed: the page sends seconds while the picture is not blurred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import Verdict
from coefvq.errors import CoefVQError
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events, looks, people
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DraftRow, ExposureRow, utcnow

LONGEST_NOTE_S = 60.0
CLOCK_SLACK_S = 1.0
"""A page counts whole seconds: what it sends may be a little more than went by."""
WARN_SHARE = 0.8


class Rest(CoefVQError):
    """The exposure budget is spent: no next case before the pause is over."""

    code = "rest"


class BadExposure(CoefVQError):
    """Seconds that no page of ours sends."""

    code = "bad_exposure"


@dataclass(frozen=True)
class Exposure:
    """How much of the budget is spent.

    Attributes:
        limit_s: Seconds a shift; 0: no limit.
        state: ``fine``, ``warn`` or ``pause``.
        pause_until: End of the pause; ``None`` outside of one.
    """

    spent_s: float
    limit_s: float
    state: str
    pause_until: datetime | None = None


@dataclass(frozen=True)
class PersonExposure:
    """One reviewer's exposure in the present shift."""

    name: str
    exposure: Exposure


def state(store: Store, settings: Settings, actor: Actor, now: datetime | None = None) -> Exposure:
    """The actor's own budget.

    Raises:
        NotAllowed: The actor does not review.
    """
    require(actor, Permission.DECIDE)
    with store.read() as session:
        return _state(session, settings, actor.name, now or utcnow())


def note(
    store: Store,
    settings: Settings,
    actor: Actor,
    case_id: str,
    seconds: float,
    now: datetime | None = None,
) -> Exposure:
    """Add seconds that the actor looked at a revealed case; mild cases add nothing.

    Two windows side by side send the same seconds: they count once.

    Raises:
        NotAllowed: The actor does not review.
        BadExposure: The seconds are not 0 to 60.
        StoreError: There is no such case.
    """
    require(actor, Permission.DECIDE)
    if not (math.isfinite(seconds) and 0 <= seconds <= LONGEST_NOTE_S):
        raise BadExposure(f"The seconds must be 0 to {LONGEST_NOTE_S:.0f}.")
    moment = now or utcnow()
    with store.write() as session:
        look = looks.find(session, case_id)
        case = cases.get(session, look.case_id if look else case_id)
        severity = severity_of(session, case, actor.name)
        new = min(seconds, _since_last(session, actor.name, moment))
        if new > 0 and severity >= settings.exposure_severity:
            _add(session, settings, actor.name, case.id, severity, new, moment)
        return _state(session, settings, actor.name, moment)


def severity_of(session: Session, case: CaseRow, reviewer: str) -> int:
    """How severe a case is: of what was marked in it, and of the likeliest policy.

    The likeliest policy says something only where the machine did not pass the video.
    """
    marked = set()
    if (draft := session.get(DraftRow, (case.id, reviewer))) is not None:
        marked = {policy for policy, on in draft.form.get("labels", {}).items() if on is True}
    if (decision := decisions.standing(session, case.id)) is not None:
        labels = decision.labels.items()
        marked |= {policy for policy, label in labels if label == decisions.VIOLATION}
    if case.top_policy is not None and case.verdict != Verdict.OK.value:
        marked.add(case.top_policy)
    known = taxonomy.policies()
    return max((known[policy].severity for policy in marked if policy in known), default=0)


def require_rested(session: Session, settings: Settings, actor: Actor, now: datetime) -> None:
    """Let the actor take a next case, or say how long the pause lasts.

    Raises:
        Rest: The actor is in a pause.
    """
    found = _state(session, settings, actor.name, now)
    if found.pause_until is None:
        return
    minutes = math.ceil((found.pause_until - now).total_seconds() / 60)
    raise Rest(
        f"Time for a pause: you looked at severe material for {found.limit_s / 60:.0f} minutes. "
        f"The next case opens in {minutes} {'minute' if minutes == 1 else 'minutes'}."
    )


def today(
    store: Store, settings: Settings, actor: Actor, now: datetime | None = None
) -> list[PersonExposure]:
    """Everyone with an exposure in the present shift, for leads.

    Raises:
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    moment = now or utcnow()
    with store.read() as session:
        names = people.exposed_people(session, moment - _shift(settings))
        return [PersonExposure(n, _state(session, settings, n, moment)) for n in names]


def _since_last(session: Session, reviewer: str, now: datetime) -> float:
    """Seconds that can have gone by since the last note."""
    last = people.last_exposed(session, reviewer)
    if last is None:
        return LONGEST_NOTE_S
    return max(0.0, (now - last).total_seconds()) + CLOCK_SLACK_S


def _add(
    session: Session,
    settings: Settings,
    reviewer: str,
    case_id: str,
    severity: int,
    seconds: float,
    now: datetime,
) -> None:
    before = _state(session, settings, reviewer, now)
    session.add(
        ExposureRow(reviewer=reviewer, case_id=case_id, severity=severity, seconds=seconds, at=now)
    )
    session.flush()
    if before.pause_until is not None or before.limit_s == 0:
        return  # counts towards the next pause
    if _spent(session, settings, reviewer, now) >= before.limit_s:
        data = {"limit_s": before.limit_s, "pause_s": settings.exposure_pause_s}
        events.append(session, reviewer, people.PAUSED, "user", reviewer, data, now)


def _state(session: Session, settings: Settings, reviewer: str, now: datetime) -> Exposure:
    limit = _limit(session, settings, reviewer)
    began = people.last_pause(session, reviewer)
    if began is not None and limit > 0:
        ends = began + timedelta(seconds=settings.exposure_pause_s)
        if now < ends:
            return Exposure(limit, limit, "pause", ends)
    spent = _spent(session, settings, reviewer, now)
    near = limit > 0 and spent >= WARN_SHARE * limit
    return Exposure(spent, limit, "warn" if near else "fine")


def _spent(session: Session, settings: Settings, reviewer: str, now: datetime) -> float:
    """Seconds in the shift, since the last pause began."""
    since = now - _shift(settings)
    began = people.last_pause(session, reviewer)
    return people.exposed(session, reviewer, max(since, began) if began else since)


def _limit(session: Session, settings: Settings, reviewer: str) -> float:
    user = people.find(session, reviewer)
    own = user.exposure_limit_s if user is not None else None
    return settings.exposure_limit_s if own is None else own


def _shift(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.exposure_shift_s)
