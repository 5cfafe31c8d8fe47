"""How far the machine's answer pulls reviewers along: first answers beside final ones.

A share of cases is drawn to be answered blind first. Among those, a final answer that differs
from the first was changed after the machine's answer showed. Because the draw is random, the
share that agrees with the machine blind, against the share that agrees having seen it, is an
estimate of the pull as well. Random audits are blind too, but they are other cases (the machine
decided them alone), so that they count for the changes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session

from coefvq.domain import FinalScore
from coefvq.review.access import Actor, Permission, require
from coefvq.review.compare import is_correction, machine_label
from coefvq.review.decision_rows import UNSEEN
from coefvq.review.rates import Rate, rate
from coefvq.store import codec
from coefvq.store.decisions import stands
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, FirstAnswerRow, utcnow


@dataclass(frozen=True)
class Anchoring:
    """What people answered before and after they saw the machine's answer.

    Attributes:
        since: Decisions from then on; ``None``: all.
        answered: Decisions with a first answer that was given blind, before the machine's showed.
        changed: Of those: the final answer differs from the first on a policy.
        towards: Of the changed: the final one is nearer to the machine; ``away``: farther from it.
        blind: First answers that agree with the machine, audits left out.
        seen: Decisions on cases that were not blind that agree with it, audits left out.
        shift: ``seen`` less ``blind``; ``None`` where one of them has no case.
    """

    task: str | None
    since: datetime | None
    until: datetime
    answered: int
    changed: Rate
    towards: Rate
    away: Rate
    blind: Rate
    seen: Rate
    shift: float | None


def anchoring(
    store: Store, actor: Actor, task: str | None = None, since: datetime | None = None
) -> Anchoring:
    """Measure the pull of the machine's answer. Decisions in bulk are left out.

    Raises:
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        found = _pairs(session, task, since)
        seen = _seen(session, task, since)
    told = [each for each in found if not each[1].snapshot.get(UNSEEN)]
    changes = [_change(*each) for each in told if _differ(each[0], each[1].labels)]
    drawn = [each for each in found if not _audit(each[1])]
    agree = sum(not _corrects(first, decision) for first, decision in drawn)
    blind = rate(agree, len(drawn))
    known = blind.value is not None and seen.value is not None
    return Anchoring(
        task,
        since,
        utcnow(),
        len(told),
        rate(len(changes), len(told)),
        rate(sum(change > 0 for change in changes), len(changes)),
        rate(sum(change < 0 for change in changes), len(changes)),
        blind,
        seen,
        (seen.value or 0.0) - (blind.value or 0.0) if known else None,
    )


def _pairs(
    session: Session, task: str | None, since: datetime | None
) -> list[tuple[dict[str, str], DecisionRow]]:
    """(first answer, decision): by each reviewer the first decision that stands."""
    joined = and_(
        FirstAnswerRow.case_id == DecisionRow.case_id,
        FirstAnswerRow.reviewer == DecisionRow.reviewer,
    )
    query = select(FirstAnswerRow.labels, DecisionRow).join(DecisionRow, joined)
    query = query.where(*_of(task, since)).order_by(DecisionRow.id)
    found: dict[tuple[str, str], tuple[dict[str, str], DecisionRow]] = {}
    for labels, row in session.execute(query):
        found.setdefault((row.case_id, row.reviewer), (dict(labels), row))
    return list(found.values())


def _seen(session: Session, task: str | None, since: datetime | None) -> Rate:
    """Agreement with the machine on cases that showed its answer from the start: one pass."""
    blind = exists().where(
        FirstAnswerRow.case_id == DecisionRow.case_id,
        FirstAnswerRow.reviewer == DecisionRow.reviewer,
    )
    agrees = func.sum(case((DecisionRow.correction, 0), else_=1))
    query = select(func.count(), agrees).select_from(DecisionRow)
    query = query.join(CaseRow, CaseRow.id == DecisionRow.case_id)
    found = query.where(*_of(task, since), ~blind, ~CaseRow.audit, ~_by_hand())
    n, hits = session.execute(found).one()
    return rate(int(hits or 0), int(n))


def _by_hand() -> ColumnElement[bool]:
    """Decisions on cases that did not come to people by themselves: somebody looked for them."""
    return CaseRow.queued_at.is_(None)


def _of(task: str | None, since: datetime | None) -> list[ColumnElement[bool]]:
    wanted = [
        DecisionRow.kind == "review",
        DecisionRow.batch_id.is_(None),
        DecisionRow.verdict_id.is_not(None),
        stands(),
    ]
    wanted += [DecisionRow.task == task] if task is not None else []
    return wanted + ([DecisionRow.decided_at >= since] if since is not None else [])


def _finals(decision: DecisionRow) -> dict[str, FinalScore]:
    return codec.finals_from(decision.snapshot.get("policies", {}))


def _audit(decision: DecisionRow) -> bool:
    route: Mapping[str, Any] = decision.snapshot.get("route") or {}
    return bool(route.get("audit"))


def _corrects(labels: Mapping[str, str], decision: DecisionRow) -> bool:
    return is_correction(labels, _finals(decision), decision.snapshot.get("verdict"))


def _differ(first: Mapping[str, str], final: Mapping[str, str]) -> bool:
    return any(first.get(policy, label) != label for policy, label in final.items())


def _change(first: Mapping[str, str], decision: DecisionRow) -> int:
    """By how many policies the final answer is nearer to the machine than the first one."""
    scores = _finals(decision)
    said = ((policy, machine_label(scores.get(policy))) for policy in decision.labels)
    machine = [(policy, label) for policy, label in said if label is not None]
    now = sum(decision.labels[policy] == label for policy, label in machine)
    return int(now - sum(first.get(policy) == label for policy, label in machine))
