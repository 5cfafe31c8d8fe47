"""How far reviewers agree, by policy and by person, from answers that were given independently.

A second look is a second answer by somebody who saw nothing of the first, so its pairs measure
agreement. Somebody who decides a case again has seen the first answer, and an adjudicator both:
those are counted beside, not among the pairs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from coefvq import taxonomy
from coefvq.review import agreement as measures
from coefvq.review.access import Actor, Permission, require
from coefvq.review.golden_scores import answered, place_of
from coefvq.review.rates import Rate, rate
from coefvq.store import pairs as rows_of
from coefvq.store.decisions import VIOLATION
from coefvq.store.pairs import Pair
from coefvq.store.session import Store
from coefvq.store.tables import utcnow

ROUNDS, SEED = 2000, 20261
NO_PAIRS = "No case was answered by two people yet."
ONE_LABEL = "All answers are the same label: agreement and chance cannot be told apart."
NO_GOLDEN = "No golden case was answered yet."
_SAID = {False: "ok", True: "violation"}


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval (percentile bootstrap over cases).

    Attributes:
        value: ``None`` where it cannot be given; ``why_not`` says why then.
        low: ``None`` also where too few draws have a value.
    """

    value: float | None
    low: float | None
    high: float | None
    why_not: str = ""


@dataclass(frozen=True)
class PolicyAgreement:
    """How far people agree on one policy.

    Attributes:
        pairs: Cases that two people answered.
        agreement: Share of them with the same label.
        alpha: Krippendorff's.
    """

    policy: str
    name: str
    pairs: int
    agreement: Rate
    alpha: Figure


@dataclass(frozen=True)
class ReviewerAgreement:
    """How far one reviewer agrees with the others.

    Attributes:
        pairs: Cases that they and somebody else answered.
        agreement: Share of them with the same labels on all policies.
        kappa: Cohen's, against all others, over all policies of these cases.
        golden: Golden cases that they answered; ``golden_kappa``: against what was expected.
        upheld: Of the adjudicated cases with an answer of theirs: how often it was upheld.
    """

    reviewer: str
    pairs: int
    agreement: Rate
    kappa: Figure
    golden: int
    golden_kappa: Figure
    upheld: Rate


@dataclass(frozen=True)
class AgreementReport:
    """Agreement on one task.

    Attributes:
        since: Answers given from then on; ``None``: all.
        pairs: Cases that two people answered independently.
        adjudicated: Cases of them that a lead ruled on; ``first_upheld``: for the first answer.
        redecided: Decisions by somebody else on a case that was decided before, and how many of
            them say the same. The second person could see the first answer.
    """

    task: str
    since: datetime | None
    until: datetime
    pairs: int
    policies: tuple[PolicyAgreement, ...]
    reviewers: tuple[ReviewerAgreement, ...]
    adjudicated: int
    first_upheld: Rate
    redecided: Rate


@dataclass(frozen=True)
class _Marks:
    """Labels of the same policies by one person and another (or by what is expected)."""

    own: tuple[bool, ...]
    other: tuple[bool, ...]


def report(store: Store, actor: Actor, task: str, since: datetime | None = None) -> AgreementReport:
    """Measure agreement on a task.

    Args:
        since: Only cases whose later answer was given from then on.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: There is no such task.
    """
    require(actor, Permission.LEAD)
    names = [policy.id for policy in taxonomy.task(task).policies]
    with store.read() as session:
        pairs = rows_of.independent(session, task, since)
        rulings = rows_of.rulings(session, task, since)
        same, again = rows_of.redecided(session, task, since)
        golden: dict[str, list[_Marks]] = defaultdict(list)
        for look, known in answered(session, task, since):
            marks = _marks(dict(look.labels or {}), dict(known.labels))
            golden[look.reviewer or ""].append(marks)
    known_names = sorted({p for pair in pairs for p in pair.first} | set(names), key=place_of)
    firsts = sum(dict(each.final) == dict(each.pair.first) for each in rulings)
    return AgreementReport(
        task,
        since,
        utcnow(),
        len(pairs),
        tuple(_policy(policy, pairs) for policy in known_names),
        _reviewers(pairs, golden, rulings),
        len(rulings),
        rate(firsts, len(rulings)),
        rate(same, again),
    )


def _policy(policy: str, pairs: Iterable[Pair]) -> PolicyAgreement:
    found = [
        (pair.first[policy] == VIOLATION, pair.second[policy] == VIOLATION)
        for pair in pairs
        if policy in pair.first and policy in pair.second
    ]
    known = taxonomy.policies().get(policy)
    value = measures.krippendorff_alpha([(_SAID[a], _SAID[b]) for a, b in found])
    counts = Counter(a + b for a, b in found)
    cells = np.array([counts[2], counts[1], counts[0]])
    return PolicyAgreement(
        policy,
        known.name if known else policy,
        len(found),
        rate(sum(a == b for a, b in found), len(found)),
        _figure(value, len(found), NO_PAIRS, lambda: _alpha_draws(cells)),
    )


def _alpha_draws(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Alphas of resampled pairs: drawing pairs anew is drawing their three kinds."""
    rng, total = np.random.default_rng(SEED), int(cells.sum())
    drawn = rng.multinomial(total, cells / total, ROUNDS)
    return measures.binary_alphas(drawn[:, 0], drawn[:, 1], drawn[:, 2])


def _reviewers(
    pairs: Sequence[Pair],
    golden: dict[str, list[_Marks]],
    rulings: Sequence[rows_of.Ruling],
) -> tuple[ReviewerAgreement, ...]:
    marks: dict[str, list[_Marks]] = defaultdict(list)
    for pair in pairs:
        one = _marks(pair.first, pair.second)
        marks[pair.by].append(one)
        marks[pair.second_by].append(_Marks(one.other, one.own))
    upheld: Counter[tuple[str, bool]] = Counter()
    for each in rulings:
        pair = each.pair
        upheld[pair.by, dict(pair.first) == dict(each.final)] += 1
        upheld[pair.second_by, dict(pair.second) == dict(each.final)] += 1
    return tuple(
        ReviewerAgreement(
            name,
            len(marks[name]),
            rate(sum(each.own == each.other for each in marks[name]), len(marks[name])),
            _kappa(marks[name], NO_PAIRS),
            len(golden[name]),
            _kappa(golden[name], NO_GOLDEN),
            rate(upheld[name, True], upheld[name, True] + upheld[name, False]),
        )
        for name in sorted({*marks, *golden})
    )


def _marks(own: Mapping[str, str], other: Mapping[str, str]) -> _Marks:
    both = [policy for policy in own if policy in other]
    return _Marks(
        tuple(own[policy] == VIOLATION for policy in both),
        tuple(other[policy] == VIOLATION for policy in both),
    )


def _kappa(found: Sequence[_Marks], empty: str) -> Figure:
    own = [_SAID[mark] for each in found for mark in each.own]
    other = [_SAID[mark] for each in found for mark in each.other]
    value = measures.cohen_kappa(own, other)
    return _figure(value, len(found), empty, lambda: _kappa_draws(found))


def _kappa_draws(found: Sequence[_Marks]) -> NDArray[np.float64]:
    """Kappas of resampled cases; the policies of a case stay together."""
    tables = np.array([_table(each) for each in found])
    kinds, counts = np.unique(tables, axis=0, return_counts=True)
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(len(found), counts / len(found), ROUNDS)
    return measures.binary_kappas(drawn @ kinds)


def _table(marks: _Marks) -> list[int]:
    cells = Counter(2 * own + other for own, other in zip(marks.own, marks.other, strict=True))
    return [cells[cell] for cell in range(4)]


def _figure(
    value: float | None, n: int, empty: str, draws: Callable[[], NDArray[np.float64]]
) -> Figure:
    if value is None:
        return Figure(None, None, None, ONE_LABEL if n else empty)
    made = draws()
    made = made[~np.isnan(made)]
    if n < 2 or len(made) < ROUNDS // 2:
        return Figure(value, None, None)
    low, high = np.quantile(made, [0.025, 0.975])
    return Figure(value, float(low), float(high))
