"""From all answers on a video to one label a policy, as a dataset snapshot settles them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from coefvq.export.records import HALF, Answer, Machine, Settled
from coefvq.export.wanted import Wanted
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.dataset.labels import Resolved, Vote, resolve
from coefvq.review.decision_rows import REVIEW
from coefvq.store.decisions import OK, VIOLATION
from coefvq.store.labelled import Golden
from coefvq.taxonomy import Taxonomy

SNAPSHOT = "snapshot"
"""Stands for the reviewer of a label that several people's answers came to."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def settle(
    answers: Iterable[Answer],
    seconds: Iterable[Sequence[Any]],
    golden: Iterable[Golden],
    wanted: Wanted,
) -> tuple[tuple[Settled, ...], int]:
    """One label a policy: the newest ruling, else the majority; a golden case's is what it is.

    Args:
        seconds: Second answers as (reviewer, case, labels, time).
        golden: Golden cases on this video.

    Returns:
        The labels, and the number of policies with as many answers for as against.
    """
    cases: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        cases[answer.case_id].append(answer)
    looks = list(seconds)
    expected = {row.task: row.labels for row in sorted(golden, key=lambda row: not row.retired)}
    found: list[Settled] = []
    tied = 0
    for case_id, mine in cases.items():
        votes = [Vote(a.reviewer, a.decided_at, _numbers(a.labels), a.kind != REVIEW) for a in mine]
        votes += [Vote(w, at, _numbers(ls)) for w, case, ls, at in looks if case == case_id]
        resolved = resolve(votes) if len(votes) > 1 else _single(votes[0])
        known = expected.get(mine[0].task, {})
        found += _of_case(mine, resolved, known, wanted)
        tied += sum(wanted.labels(policy) for policy in resolved.tied - known.keys())
    return tuple(found), tied


def _single(vote: Vote) -> Resolved:
    """What ``resolve`` makes of one vote, without counting."""
    votes: dict[str, tuple[int, ...]] = {p: (label,) for p, label in vote.labels.items()}
    return Resolved(dict(vote.labels), dict.fromkeys(vote.labels, 1.0), votes)


def _of_case(
    mine: Sequence[Answer], found: Resolved, expected: dict[str, str], wanted: Wanted
) -> Iterable[Settled]:
    first, last = mine[0], mine[-1]
    labels = found.labels | _numbers(expected)
    for policy, label in labels.items():
        if not wanted.labels(policy):
            continue
        yield Settled(
            last.task, policy, label,
            1.0 if policy in expected else found.weights.get(policy, 1.0),
            last.machine.get(policy, Machine()),
            first.propensity, first.audit, last.taxonomy_version,
        )  # fmt: skip


def settled_of(item: LabelledVideo, rules: Taxonomy, wanted: Wanted) -> tuple[Settled, ...]:
    """The labels of a snapshot's item; policies that are gone since have no task any more."""
    tasks = {policy.id: task.id for task in rules.tasks.values() for policy in task.policies}
    return tuple(
        Settled(
            tasks.get(policy, ""), policy, label, item.weights.get(policy, 1.0),
            _machine(item.machine.get(policy)), item.propensities.get(policy, item.propensity),
            policy in item.audited, None,
        )
        for policy, label in item.labels.items()
        if wanted.labels(policy)
        and (not wanted.tasks or tasks.get(policy) in wanted.tasks)
    )  # fmt: skip


def answers_of(item: LabelledVideo, settled: Sequence[Settled]) -> tuple[Answer, ...]:
    """A snapshot's item as one answer a task: who said what is not in it."""
    tasks: dict[str, list[Settled]] = defaultdict(list)
    for each in settled:
        tasks[each.task].append(each)
    start_s, end_s = item.span or (None, None)
    return tuple(
        Answer(
            decision_id=f"{item.video_id}-{task}", case_id="", task=task, reviewer=SNAPSHOT,
            role=SNAPSHOT, kind=REVIEW, action="", reasons={}, comment="", start_s=start_s,
            end_s=end_s, decided_at=item.decided_at or _NEVER, taxonomy_version=None,
            labels={each.policy: VIOLATION if each.label else OK for each in mine},
            correction=any(each.corrected for each in mine),
            machine={each.policy: each.machine for each in mine},
            propensity=min(each.propensity for each in mine),
            audit=any(each.audit for each in mine),
        )
        for task, mine in tasks.items()
    )  # fmt: skip


def _machine(probability: float | None) -> Machine:
    if probability is None:
        return Machine()
    return Machine(VIOLATION if probability >= HALF else OK, probability)


def _numbers(labels: Any) -> dict[str, int]:
    return {policy: int(label == VIOLATION) for policy, label in labels.items()}
