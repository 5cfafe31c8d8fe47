"""From people's answers to one label a policy, with the trust in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Vote:
    """What one person answered on one case.

    Attributes:
        labels: By policy 1 (violation) or 0.
        ruling: An adjudication or an appeal: it overrules all that is none.
    """

    by: str
    at: datetime
    labels: Mapping[str, int]
    ruling: bool = False


@dataclass(frozen=True)
class Resolved:
    """What the votes come to.

    Attributes:
        labels: By policy; one with as many votes for as against is not here.
        weights: By policy the share of the votes that agree with the label, in (0, 1].
        votes: By policy all answers, oldest first; also of policies without a label.
        tied: Policies left out.
    """

    labels: dict[str, int] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    votes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tied: frozenset[str] = frozenset()


def resolve(votes: Sequence[Vote]) -> Resolved:
    """Settle every policy that anybody answered.

    The newest ruling counts; without one the majority. A person has one vote a policy, their
    last; so who decides a case again changes their mind and does not outvote others.
    """
    made = Resolved()
    tied = set()
    ordered = sorted(votes, key=lambda vote: (vote.at, vote.by))
    for policy in sorted({policy for vote in ordered for policy in vote.labels}):
        last = {vote.by: vote for vote in ordered if policy in vote.labels}
        counted = sorted(last.values(), key=lambda vote: (vote.at, vote.by))
        answers = tuple(vote.labels[policy] for vote in counted)
        rulings = [v.labels[policy] for v in ordered if v.ruling and policy in v.labels]
        label = rulings[-1] if rulings else _majority(answers)
        made.votes[policy] = answers
        if label is None:
            tied.add(policy)
            continue
        made.labels[policy] = label
        made.weights[policy] = max(answers.count(label), 1) / len(answers)
    return Resolved(made.labels, made.weights, made.votes, frozenset(tied))


def _majority(answers: Sequence[int]) -> int | None:
    """1 or 0; ``None`` where both have as many."""
    ones = sum(answers)
    if 2 * ones == len(answers):
        return None
    return int(2 * ones > len(answers))
