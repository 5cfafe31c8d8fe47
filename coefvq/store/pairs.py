"""Two answers on one case: what agreement is measured from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from coefvq.store.decisions import stands
from coefvq.store.tables import DecisionRow, EventRow, LookKind, LookRow, LookState

ADJUDICATED = "look.adjudicated"
_REVIEW = "review"


@dataclass(frozen=True)
class Pair:
    """A decision and the second, independent answer on its case.

    Attributes:
        id: Of the second look.
        first: Policy id to label; ``by``: whose answer it is.
    """

    id: str
    case_id: str
    by: str
    first: Mapping[str, str]
    second_by: str
    second: Mapping[str, str]


@dataclass(frozen=True)
class Ruling:
    """A pair that differed, and the labels that a lead ruled."""

    pair: Pair
    final: Mapping[str, str]


def independent(session: Session, task: str, since: datetime | None = None) -> list[Pair]:
    """All pairs of a task; those whose decision was taken back are left out."""
    query = (
        select(LookRow, DecisionRow.reviewer, DecisionRow.labels)
        .join(DecisionRow, DecisionRow.id == LookRow.decision_id)
        .where(
            LookRow.kind == LookKind.SECOND.value,
            LookRow.task == task,
            LookRow.answered_at.is_not(None),
            stands(),
        )
    )
    if since is not None:
        query = query.where(LookRow.answered_at >= since)
    rows = session.execute(query.order_by(LookRow.answered_at))
    return [_pair(look, reviewer, labels) for look, reviewer, labels in rows]


def rulings(session: Session, task: str, since: datetime | None = None) -> list[Ruling]:
    """The pairs that were adjudicated, with the answer that counts."""
    final = aliased(DecisionRow)
    query = (
        select(LookRow, DecisionRow.reviewer, DecisionRow.labels, EventRow.data)
        .join(DecisionRow, DecisionRow.id == LookRow.decision_id)
        .join(EventRow, and_(EventRow.kind == ADJUDICATED, EventRow.subject_id == LookRow.id))
        .where(LookRow.task == task, LookRow.state == LookState.SETTLED.value)
    )
    if since is not None:
        query = query.where(LookRow.settled_at >= since)
    found = session.execute(query).all()
    wanted = [data["decision"] for *_, data in found]
    ruled = select(final.id, final.labels).where(final.id.in_(wanted))
    labels_of: dict[str, Mapping[str, str]] = dict(session.execute(ruled).all())
    return [
        Ruling(_pair(look, reviewer, labels), labels_of[data["decision"]])
        for look, reviewer, labels, data in found
    ]


def redecided(session: Session, task: str, since: datetime | None = None) -> tuple[int, int]:
    """How many decisions say the same as one before them by somebody else, and out of how many.

    Only reviews that stand count; each is compared with the last one before it.
    """
    earlier = aliased(DecisionRow)
    cases = (
        select(DecisionRow.case_id)
        .join(
            earlier,
            and_(
                earlier.case_id == DecisionRow.case_id,
                earlier.id < DecisionRow.id,
                earlier.reviewer != DecisionRow.reviewer,
            ),
        )
        .where(DecisionRow.task == task, DecisionRow.kind == _REVIEW)
    )
    if since is not None:
        cases = cases.where(DecisionRow.decided_at >= since)
    query = select(DecisionRow).where(
        DecisionRow.case_id.in_(cases), DecisionRow.kind == _REVIEW, stands()
    )
    same = number = 0
    last: DecisionRow | None = None
    for row in session.scalars(query.order_by(DecisionRow.case_id, DecisionRow.id)):
        again = last is not None and last.case_id == row.case_id and last.reviewer != row.reviewer
        if last is not None and again and (since is None or row.decided_at >= since):
            number += 1
            same += last.labels == row.labels
        last = row
    return same, number


def _pair(look: LookRow, reviewer: str, labels: Mapping[str, str]) -> Pair:
    second = dict(look.labels or {})
    return Pair(look.id, look.case_id, reviewer, dict(labels), look.reviewer or "", second)
