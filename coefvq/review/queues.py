"""Queues: what the lead sets up, and whose cases are open to whom."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, or_
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import NotAllowed, SettingsError, StoreError, did_you_mean
from coefvq.review.access import Actor, Permission, require
from coefvq.routing.policy import RULES as ROUTING_RULES
from coefvq.store import cases, events
from coefvq.store import queues as rows_of
from coefvq.store.queues import AUDIT, LABEL_NEXT, MLLM_FAILED, NOT_COVERED, SECOND_LOOK
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, QueueRow, VideoRow, utcnow
from coefvq.store.text import storable

RULES: dict[str, str] = {
    AUDIT: "random audit",
    SECOND_LOOK: "second look",
    NOT_COVERED: "no model covers it",
    MLLM_FAILED: "the MLLM failed",
    LABEL_NEXT: "chosen for labelling",
    **{rule: f"routing rule {rule}" for rule in ROUTING_RULES if rule != "auto"},
}
"""By which way a case can come to a person, with what people read."""

REST, REST_NAME = "rest", "All other cases"
"""Stands for the cases that no queue takes."""

_NAME_LIMIT = 80
_FIELDS = ("name", "task", "policies", "rules", "promised_age_s", "restricted", "position")


@dataclass(frozen=True)
class QueueSetup:
    """A queue as a lead sees it.

    A case enters the first queue, by ``position``, whose conditions all hold.

    Attributes:
        task: Only cases of this task; ``None``: of any.
        policies: Only cases whose likeliest policy is among these; empty: any.
        rules: Only cases that came by one of these ways (``RULES``); empty: any.
        promised_age_s: Cases are decided within so many seconds; ``None``: no promise.
        restricted: Its cases are open only to those who have it in their list.
    """

    id: str
    name: str
    task: str | None
    policies: tuple[str, ...]
    rules: tuple[str, ...]
    promised_age_s: float | None
    restricted: bool
    position: int


def list_queues(store: Store, actor: Actor) -> tuple[QueueSetup, ...]:
    """All queues in their order. Without any, all cases wait together."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        return tuple(_setup(row) for row in rows_of.listed(session))


def add(
    store: Store,
    actor: Actor,
    name: str,
    *,
    task: str | None = None,
    policies: Iterable[str] = (),
    rules: Iterable[str] = (),
    promised_age_s: float | None = None,
    restricted: bool = False,
) -> QueueSetup:
    """Set up a queue after the others; cases that wait are sorted anew.

    Raises:
        SettingsError: A name or number that does not fit.
    """
    require(actor, Permission.LEAD)
    values: dict[str, Any] = {"name": name, "task": task, "promised_age_s": promised_age_s}
    values |= {"policies": policies, "rules": rules, "restricted": restricted}
    checked = _checked(values)
    with store.write() as session:
        known = rows_of.listed(session)
        made = _free_id(str(checked["name"]), {row.id for row in known} | {REST})
        position = max((row.position for row in known), default=-1) + 1
        row = QueueRow(id=made, position=position, created_at=utcnow(), **checked)
        session.add(row)
        return _changed(session, actor, row, "queue.added", checked)


def change(store: Store, actor: Actor, queue_id: str, **changes: Any) -> QueueSetup:
    """Change a queue's fields (those of ``add``, and ``position``); waiting cases are sorted anew.

    Raises:
        StoreError: There is no such queue.
        SettingsError: A field, name or number that does not fit.
    """
    require(actor, Permission.LEAD)
    checked = _checked(changes)
    with store.write() as session:
        row = _row(session, queue_id)
        for field, value in checked.items():
            setattr(row, field, value)
        return _changed(session, actor, row, "queue.changed", checked)


def move(store: Store, actor: Actor, queue_id: str, by: int) -> QueueSetup:
    """Move a queue by so many places (negative: earlier); waiting cases are sorted anew.

    Raises:
        StoreError: There is no such queue.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = _row(session, queue_id)
        rows = rows_of.listed(session)
        at = rows.index(row)
        rows.insert(min(max(at + by, 0), len(rows) - 1), rows.pop(at))
        for position, each in enumerate(rows):
            each.position = position
        return _changed(session, actor, row, "queue.changed", {"position": row.position})


def remove(store: Store, actor: Actor, queue_id: str) -> int:
    """Take a queue away; its waiting cases go to the others. Returns how many moved.

    Raises:
        StoreError: There is no such queue.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        session.delete(_row(session, queue_id))
        session.flush()
        moved = rows_of.restamp(session)
        events.append(session, actor.name, "queue.removed", "queue", queue_id, {"moved": moved})
        return moved


def is_given(actor: Actor, queue_id: str | None) -> bool:
    """Whether an actor is given the cases of a queue; those in no queue are for all.

    A list of queues says what somebody works on; without one, and for leads, it is everything.
    """
    if queue_id is None or actor.queues is None or actor.may(Permission.LEAD):
        return True
    return queue_id in actor.queues


def closed_to(session: Session, actor: Actor) -> frozenset[str]:
    """Ids of the restricted queues whose cases the actor may not see."""
    restricted = (row.id for row in rows_of.listed(session) if row.restricted)
    return frozenset(queue_id for queue_id in restricted if not is_given(actor, queue_id))


def visible(session: Session, actor: Actor) -> ColumnElement[bool]:
    """Condition on ``CaseRow``: the actor may see it."""
    closed = closed_to(session, actor)
    return or_(CaseRow.queue.is_(None), CaseRow.queue.not_in(closed))


def hidden_videos(session: Session, actor: Actor) -> list[ColumnElement[bool]]:
    """Conditions on ``VideoRow`` that leave out what stands in a queue closed to the actor."""
    closed = closed_to(session, actor)
    if not closed:
        return []
    return [~exists().where(CaseRow.video_id == VideoRow.id, CaseRow.queue.in_(closed))]


def require_open_video(session: Session, actor: Actor, video_id: str) -> None:
    """Refuse the pictures and sound of a video that stands in a queue closed to the actor.

    Raises:
        NotAllowed: It does.
    """
    closed = closed_to(session, actor)
    found = cases.of_video(session, video_id).values() if closed else ()
    for case in found:
        if case.queue in closed:
            require_open(session, actor, case)


def is_restricted(store: Store, actor: Actor, video_id: str) -> bool:
    """Whether a case of the video stands in a restricted queue: nothing of it is to be kept."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        restricted = {row.id for row in rows_of.listed(session) if row.restricted}
        found = cases.of_video(session, video_id).values() if restricted else ()
        return any(case.queue in restricted for case in found)


def require_open(session: Session, actor: Actor, case: CaseRow) -> CaseRow:
    """Let the actor pass to a case, or refuse.

    Raises:
        NotAllowed: It is in a restricted queue that is not theirs.
    """
    if case.queue is not None and case.queue in closed_to(session, actor):
        raise NotAllowed(
            f"Case {case.id} is in a restricted queue that {actor.name} has no access to. "
            "Ask a lead for it."
        )
    return case


def reach(session: Session, actor: Actor, case_id: str, *, lock: bool = False) -> CaseRow:
    """Look up a case that the actor may see.

    Args:
        lock: The case will be changed.

    Raises:
        StoreError: There is no such case.
        NotAllowed: See ``require_open``.
    """
    found = cases.locked(session, case_id) if lock else cases.get(session, case_id)
    return require_open(session, actor, found)


def wanted(session: Session, actor: Actor, queue_id: str | None) -> tuple[str | None, ...] | None:
    """The queues to give a case from: the one asked for, or all of the actor's.

    ``None``: from all; a ``None`` among the ids: from those in no queue.

    Raises:
        StoreError: There is no such queue.
        NotAllowed: The actor is not given its cases.
    """
    if queue_id == REST:
        return (None,)
    if queue_id:
        _row(session, queue_id)
        if not is_given(actor, queue_id):
            raise NotAllowed(f"{actor.name} is not given cases of queue {queue_id}. Ask a lead.")
        return (queue_id,)
    names = [row.id for row in rows_of.listed(session)]
    if all(is_given(actor, name) for name in names):
        return None
    return (*(name for name in names if is_given(actor, name)), None)


def _changed(
    session: Session, actor: Actor, row: QueueRow, kind: str, values: dict[str, Any]
) -> QueueSetup:
    session.flush()
    moved = rows_of.restamp(session)
    events.append(session, actor.name, kind, "queue", row.id, {**values, "moved": moved})
    return _setup(row)


def _row(session: Session, queue_id: str) -> QueueRow:
    row = session.get(QueueRow, queue_id)
    if row is None:
        raise StoreError(f"There is no queue {queue_id}. A lead may have removed it.")
    return row


def _setup(row: QueueRow) -> QueueSetup:
    return QueueSetup(
        row.id,
        row.name,
        row.task,
        tuple(row.policies),
        tuple(row.rules),
        row.promised_age_s,
        row.restricted,
        row.position,
    )


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    for field in values:
        if field not in _FIELDS:
            raise SettingsError(f"A queue has no '{field}'.{did_you_mean(field, _FIELDS)}")
    made = dict(values)
    if "name" in made:
        made["name"] = storable(made["name"], _NAME_LIMIT)
        if made["name"] is None:
            raise SettingsError("The queue has no name: give it one.")
    if made.get("task"):
        taxonomy.task(made["task"])
    made |= {field: list(made[field]) for field in ("policies", "rules") if field in made}
    for policy in made.get("policies", ()):
        taxonomy.policy(policy)
    for rule in made.get("rules", ()):
        if rule not in RULES:
            raise SettingsError(f"Unknown way '{rule}'.{did_you_mean(rule, RULES)}")
    return _checked_numbers(made)


def _checked_numbers(made: dict[str, Any]) -> dict[str, Any]:
    if "task" in made:
        made["task"] = made["task"] or None
    age = made.get("promised_age_s")
    if age is not None and not 0 < age < float("inf"):
        raise SettingsError("The promised age must be more than 0 seconds, or empty.")
    return made


def _free_id(name: str, taken: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "queue"
    tries = (plain if number == 1 else f"{plain}-{number}" for number in range(1, len(taken) + 2))
    return next(each for each in tries if each not in taken)
