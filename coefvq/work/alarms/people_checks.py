"""Does a reviewer agree less than before? From independent looks: golden cases, second answers.

A second look that differs counts for both people until somebody adjudicates, and afterwards too:
an alarm asks a lead to look, it is no judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.settings import Settings
from coefvq.store.alarms import AlarmKind
from coefvq.store.tables import LookKind, LookRow, LookState
from coefvq.work.alarms.finding import Finding, Level, unknown
from coefvq.work.alarms.statistics import Fall, fall

RECENT, BEFORE = timedelta(days=14), timedelta(days=90)
LEAST_NOW, LEAST_BEFORE = 20, 30
DROP, SMALL_DROP = 0.10, 0.05
P, CALM_P = 0.002, 0.05


@dataclass(frozen=True)
class Tally:
    """Independent looks of somebody, or of all: how many, and in how many they agreed."""

    agreed: int = 0
    n: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.agreed + other.agreed, self.n + other.n)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.agreed - other.agreed, self.n - other.n)


@dataclass(frozen=True)
class Looked:
    """One answered look: who had a part in it, and whether the answers were the same."""

    people: tuple[str, ...]
    agreed: bool
    at: datetime


def reviewer_agreement(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    """One finding for everyone who took part in a recent look."""
    found = _looks(session, now - RECENT - BEFORE)
    since = now - RECENT
    recent = tallies(each for each in found if each.at >= since)
    earlier = tallies(each for each in found if each.at < since)
    yield from (judge(name, recent, earlier) for name in sorted(recent))


def tallies(looks: Iterable[Looked]) -> dict[str, Tally]:
    """Looks by person."""
    counted: dict[str, Tally] = {}
    for each in looks:
        for name in each.people:
            counted[name] = counted.get(name, Tally()) + Tally(int(each.agreed), 1)
    return counted


def judge(name: str, recent: Mapping[str, Tally], earlier: Mapping[str, Tally]) -> Finding:
    """A reviewer's recent looks beside their own before, or where those are few, the others'."""
    now, own = recent[name], earlier.get(name, Tally())
    team = _total(recent) + _total(earlier) - now - own
    before, whose = (own, "theirs") if own.n >= LEAST_BEFORE else (team, "the others'")
    kind, data = AlarmKind.REVIEWER_AGREEMENT, {"n": now.n, "n_before": before.n}
    if now.n < LEAST_NOW:
        why = f"{LEAST_NOW - now.n} more looks of the last {RECENT.days} days are needed."
        return unknown(kind, name, why, **data)
    if before.n < LEAST_BEFORE:
        why = f"{LEAST_BEFORE - before.n} more earlier looks to compare with are needed."
        return unknown(kind, name, why, **data)
    measured = fall(now.agreed, now.n, before.agreed, before.n)
    return Finding(
        kind, name, _level(measured), words(name, measured, whose), _data(measured, whose)
    )


def words(name: str, found: Fall, whose: str) -> str:
    """What the alarm says, about a name or a pseudonym."""
    return (
        f"{name}: agreement with independent looks is {found.now:.0%} ({found.low:.0%} to "
        f"{found.high:.0%}, {found.n_now} looks in {RECENT.days} days), {whose} was "
        f"{found.before:.0%} ({found.n_before}). Go through the cases that differ together: is a "
        "guideline unclear, or is it time for a pause?"
    )


def _level(found: Fall) -> Level:
    if found.p < P and found.drop >= DROP:
        return Level.OVER
    return Level.FINE if found.p > CALM_P or found.drop < SMALL_DROP else Level.NEAR


def _data(found: Fall, whose: str) -> dict[str, float | int | str]:
    return {
        "value": found.now,
        "limit": max(0.0, found.before - DROP),
        "low": found.low,
        "high": found.high,
        "n": found.n_now,
        "before": found.before,
        "n_before": found.n_before,
        "p": found.p,
        "whose": whose,
    }


def _total(by_name: Mapping[str, Tally]) -> Tally:
    return sum(by_name.values(), Tally())


def _looks(session: Session, since: datetime) -> list[Looked]:
    query = select(
        LookRow.kind, LookRow.state, LookRow.reviewer, LookRow.decided_by, LookRow.answered_at
    ).where(LookRow.answered_at >= since, LookRow.reviewer.is_not(None))
    return [
        Looked(_people(kind, str(reviewer), first), state == LookState.AGREED.value, at)
        for kind, state, reviewer, first, at in session.execute(query)
        if at is not None
    ]


def _people(kind: str, reviewer: str, first: str | None) -> tuple[str, ...]:
    """A golden case measures who answers it; a second look both who answered."""
    if kind == LookKind.GOLDEN.value or first is None:
        return (reviewer,)
    return (reviewer, first)
