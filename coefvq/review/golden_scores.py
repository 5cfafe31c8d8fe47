"""How well reviewers answer golden cases, over all and by policy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.review import looks
from coefvq.review.access import Actor, Permission, require
from coefvq.review.rates import Rate, rate
from coefvq.store.decisions import OK, VIOLATION
from coefvq.store.session import Store
from coefvq.store.tables import GoldenRow, LookKind, LookRow


@dataclass(frozen=True)
class PolicyErrors:
    """How often a reviewer erred on one policy.

    Attributes:
        misses: Of expected violations: answered ok.
        false_alarms: Of expected ok: answered violation.
    """

    policy: str
    name: str
    misses: Rate
    false_alarms: Rate


@dataclass(frozen=True)
class GoldenScore:
    """How a reviewer answers golden cases.

    Attributes:
        right: All policies as expected.
        range_met: The marked range overlaps the expected one, where both are there.
    """

    reviewer: str
    right: Rate
    range_met: Rate
    policies: tuple[PolicyErrors, ...]


def scores(
    store: Store, actor: Actor, task: str | None = None, since: datetime | None = None
) -> tuple[GoldenScore, ...]:
    """How each reviewer answers golden cases, by name.

    Only policies count that were expected and answered: one that came or went since is left out.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        found: dict[str, list[tuple[LookRow, GoldenRow]]] = defaultdict(list)
        for look, known in answered(session, task, since):
            found[look.reviewer or ""].append((look, known))
    return tuple(_score(name, found[name]) for name in sorted(found))


def answered(
    session: Session, task: str | None = None, since: datetime | None = None
) -> Iterator[tuple[LookRow, GoldenRow]]:
    """Answers on golden cases with what was expected, oldest first."""
    query = select(LookRow, GoldenRow).join(GoldenRow, GoldenRow.id == LookRow.golden_id)
    query = query.where(LookRow.kind == LookKind.GOLDEN.value, LookRow.answered_at.is_not(None))
    if task is not None:
        query = query.where(LookRow.task == task)
    if since is not None:
        query = query.where(LookRow.answered_at >= since)
    yield from session.execute(query.order_by(LookRow.answered_at))


def _score(name: str, found: Iterable[tuple[LookRow, GoldenRow]]) -> GoldenScore:
    right: Counter[bool] = Counter()
    ranges: Counter[bool] = Counter()
    table: Counter[tuple[str, str, str]] = Counter()
    for look, known in found:
        said, expected = dict(look.labels or {}), dict(known.labels)
        right[looks.equal(said, expected)] += 1
        table.update((p, expected[p], label) for p, label in said.items() if p in expected)
        if (met := overlaps(look, known)) is not None:
            ranges[met] += 1
    policies = sorted({policy for policy, _, _ in table}, key=place_of)
    return GoldenScore(
        name,
        rate(right[True], right.total()),
        rate(ranges[True], ranges.total()),
        tuple(_errors(policy, table) for policy in policies),
    )


def overlaps(look: LookRow, known: GoldenRow) -> bool | None:
    """Whether the marked range overlaps the expected one; ``None``: one of them is missing."""
    ends = (look.start_s, look.end_s, known.start_s, known.end_s)
    if any(end is None for end in ends):
        return None
    start, end, from_s, to_s = (float(each or 0.0) for each in ends)
    return min(end, to_s) > max(start, from_s)


def _errors(policy: str, table: Counter[tuple[str, str, str]]) -> PolicyErrors:
    missed, found = table[policy, VIOLATION, OK], table[policy, VIOLATION, VIOLATION]
    alarms, passed = table[policy, OK, VIOLATION], table[policy, OK, OK]
    known = taxonomy.policies().get(policy)
    return PolicyErrors(
        policy,
        known.name if known else policy,
        rate(missed, missed + found),
        rate(alarms, alarms + passed),
    )


def place_of(policy: str) -> tuple[int, str]:
    """In the taxonomy's order; those that are gone come last."""
    order = list(taxonomy.policies())
    return (order.index(policy) if policy in order else len(order), policy)
