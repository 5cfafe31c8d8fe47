"""Golden cases: leads add and retire them, and see how well reviewers answer them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case as when
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, did_you_mean
from coefvq.review import queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.golden_scores import GoldenScore as GoldenScore
from coefvq.review.golden_scores import PolicyErrors as PolicyErrors
from coefvq.review.golden_scores import scores as scores
from coefvq.store import cases, decisions, events
from coefvq.store import golden as rows_of
from coefvq.store.decisions import OK, VIOLATION
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    CaseState,
    GoldenRow,
    LookRow,
    LookState,
    VideoRow,
    utcnow,
)
from coefvq.store.text import storable

NOTE_LIMIT = 1000


@dataclass(frozen=True)
class GoldenView:
    """A case whose answer is known. Title and note are hostile.

    Attributes:
        labels: Policy id to ``violation`` or ``ok``.
        answers: How often it was answered; ``right``: how often as expected.
    """

    id: str
    case_id: str
    task: str
    video_id: str
    title: str
    labels: dict[str, str]
    start_s: float | None
    end_s: float | None
    note: str
    added_by: str
    added_at: datetime
    retired_at: datetime | None
    answers: int
    right: int


def add(
    store: Store,
    actor: Actor,
    case_id: str,
    labels: Mapping[str, bool] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    note: str = "",
) -> GoldenView:
    """Make a golden case of a scored case.

    Args:
        labels: Policy id to whether it is violated, policies left out are not. ``None``: labels
            and range of the decision that stands.
        start_s: Start of the range that shows it, seconds; with ``end_s`` or not at all.

    Raises:
        DecisionRefused: It is one already, it has no score yet, nobody decided it, or labels or
            range do not fit.
        StoreError: There is no such case.
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        case = queues.reach(session, actor, case_id, lock=True)
        _check_usable(session, case)
        if labels is None:
            known, start_s, end_s = _decided(session, case)
        else:
            known = _full(case, labels)
        _check_range(start_s, end_s, cases.length_of(session, case))
        row = GoldenRow(case_id=case.id, labels=known, start_s=start_s, end_s=end_s,
                        note=storable(note, NOTE_LIMIT) or "", added_by=actor.name)  # fmt: skip
        session.add(row)
        session.flush()
        data = {"case": case.id, "labels": known}
        events.append(session, actor.name, "golden.added", "golden", row.id, data)
        return _views(session, [(row, case)])[0]


def retire(store: Store, actor: Actor, golden_id: str) -> GoldenView:
    """Show a golden case to nobody any more; its answers stay. Twice is as good as once.

    Raises:
        StoreError: There is no such golden case.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = rows_of.get(session, golden_id, lock=True)
        if row.retired_at is None:
            row.retired_at = utcnow()
            events.append(session, actor.name, "golden.retired", "golden", row.id)
        return _views(session, [(row, session.get_one(CaseRow, row.case_id))])[0]


def list_golden(
    store: Store, actor: Actor, task: str | None = None, retired: bool = False
) -> tuple[GoldenView, ...]:
    """Golden cases, newest first.

    Args:
        retired: Those that are shown no more, too.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        return _views(session, rows_of.listed(session, task, retired=retired))


def _check_usable(session: Session, case: CaseRow) -> None:
    if case.state in (CaseState.PENDING.value, CaseState.SET_ASIDE.value):
        raise DecisionRefused(f"Case {case.id} has no score yet; make it golden later.")
    if rows_of.of_case(session, case.id) is not None:
        raise DecisionRefused(f"Case {case.id} is a golden case already; retire that one first.")


def _decided(session: Session, case: CaseRow) -> tuple[dict[str, str], float | None, float | None]:
    row = decisions.standing(session, case.id)
    if row is None:
        raise DecisionRefused(f"Nobody has decided case {case.id}: give the expected labels.")
    return dict(row.labels), row.start_s, row.end_s


def _full(case: CaseRow, labels: Mapping[str, bool]) -> dict[str, str]:
    task = taxonomy.task(case.task)
    known = [policy.id for policy in task.policies]
    for policy in labels:
        if policy not in known:
            hint = did_you_mean(policy, known)
            raise DecisionRefused(f"Policy '{policy}' is not in task '{task.id}'.{hint}")
    return {policy: VIOLATION if labels.get(policy) else OK for policy in known}


def _check_range(start_s: float | None, end_s: float | None, length_s: float | None) -> None:
    if start_s is None and end_s is None:
        return
    fits = start_s is not None and end_s is not None and 0 <= start_s < end_s < math.inf
    if not fits or (length_s is not None and (end_s or 0.0) > length_s + 1.0):
        raise DecisionRefused(
            f"The range {start_s} to {end_s} is not inside the video: give both ends, in seconds."
        )


def _views(session: Session, found: Iterable[tuple[GoldenRow, CaseRow]]) -> tuple[GoldenView, ...]:
    pairs = list(found)
    right = func.sum(when((LookRow.state == LookState.AGREED.value, 1), else_=0))
    query = select(LookRow.golden_id, func.count(), right).where(
        LookRow.golden_id.in_([row.id for row, _ in pairs]), LookRow.answered_at.is_not(None)
    )
    numbers = {key: (int(n), int(good or 0)) for key, n, good in
               session.execute(query.group_by(LookRow.golden_id))}  # fmt: skip
    wanted = [case.video_id for _, case in pairs]
    videos = session.scalars(select(VideoRow).where(VideoRow.id.in_(wanted)))
    shown = {row.id: row for row in videos}
    return tuple(
        _view(row, case, shown[case.video_id], numbers.get(row.id, (0, 0))) for row, case in pairs
    )


def _view(row: GoldenRow, case: CaseRow, video: VideoRow, numbers: tuple[int, int]) -> GoldenView:
    return GoldenView(
        row.id,
        case.id,
        case.task,
        video.id,
        video.title or video.original_name,
        dict(row.labels),
        row.start_s,
        row.end_s,
        row.note,
        row.added_by,
        row.added_at,
        row.retired_at,
        *numbers,
    )
