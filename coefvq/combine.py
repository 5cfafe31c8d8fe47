"""From two stages' answers to one score a policy and one verdict a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from coefvq import taxonomy
from coefvq.combinations import MLLM_ALONE, combination_of
from coefvq.domain import (
    Assessment,
    CascadeResult,
    Cost,
    ExpensiveSignals,
    FinalScore,
    MediaInfo,
    PostedText,
    Route,
    RouteName,
    TaskResult,
    Verdict,
    WhyNot,
)
from coefvq.routing.combination import Combination


class Recalibrated(Protocol):
    """The part of the prefilter that knows how a task's probability follows from its policies'."""

    def task_probability(self, task_id: str, probabilities: Mapping[str, float]) -> float:
        """The largest covered probability, recalibrated for the task."""


# Reasons that hold for one video only: nobody has judged the policy, so the video goes on.
GAP_REASONS = frozenset(
    {WhyNot.LANGUAGE_NOT_COVERED, WhyNot.SPEECH_NOT_UNDERSTOOD, WhyNot.NO_PROBABILITY}
)
VERDICTS = {RouteName.AUTO_PASS: Verdict.OK, RouteName.AUTO_FLAG: Verdict.VIOLATION}


def final_score(
    policy: str,
    first: Assessment,
    second: Assessment | None,
    combinations: Mapping[str, Combination] | None = None,
) -> FinalScore:
    """Both stages' answers combined where both have one, else the one there is.

    Each is right where the other is not: how much each counts was fitted on held-out answers of
    these two model versions (``combinations``). Where the MLLM found text or speech that it
    cannot follow, the policy counts as judged by nobody, whatever the prefilter thought of the
    caption alone.

    Args:
        combinations: By policy, in place of what is known of these versions: for a pair of models
            that is only tried out.
    """
    one = first.scores.get(policy)
    two = second.scores.get(policy) if second else None
    p1 = one.probability if one else None
    p2 = two.probability if two else None
    why_one, why_two = (score.why_not if score else None for score in (one, two))
    if why_two in GAP_REASONS:
        return FinalScore(policy, p1, None, None, False, why_two)
    final = p2 if p2 is not None else p1
    if p1 is not None and p2 is not None and second is not None:
        if combinations is None:
            combine = combination_of(policy, first.model_version, second.model_version)
        else:
            combine = combinations.get(policy, MLLM_ALONE)
        final = p2 if combine == MLLM_ALONE else float(combine(p1, p2))
    why_not = None if final is not None else (why_one or why_two or WhyNot.NOT_TRAINED)
    return FinalScore(policy, p1, p2, final, final is not None, why_not)


def final_scores(
    task: str,
    first: Assessment,
    second: Assessment | None = None,
    combinations: Mapping[str, Combination] | None = None,
) -> dict[str, FinalScore]:
    """Final scores of a task's policies, in their order; see ``final_score``."""
    return {
        policy.id: final_score(policy.id, first, second, combinations)
        for policy in taxonomy.task(task).policies
    }


def label_mass(finals: dict[str, FinalScore], second: Assessment) -> float | None:
    """The MLLM's smallest share on the label tokens over these policies; ``None``: unknown."""
    masses = [second.scores[name].label_mass for name in finals if name in second.scores]
    return min((mass for mass in masses if mass is not None), default=None)


def task_probability(
    recalibrated: Recalibrated, task: str, finals: dict[str, FinalScore]
) -> float | None:
    """The task's probability from its final scores; ``None`` where none is covered."""
    known = {name: score.final for name, score in finals.items() if score.final is not None}
    return recalibrated.task_probability(task, known) if known else None


def severity_at_stake(finals: dict[str, FinalScore]) -> int | None:
    """Severity, 1..5, of the gravest unjudged policy, else of the likeliest one."""
    known = taxonomy.policies()
    if unjudged := gaps(finals):
        return max(known[name].severity for name in unjudged)
    scored = [(each.final, name) for name, each in finals.items() if each.final is not None]
    return known[max(scored)[1]].severity if scored else None


def gaps(finals: dict[str, FinalScore]) -> tuple[str, ...]:
    """Policies that nobody has judged in this video, though a model was trained for them."""
    return tuple(name for name, score in finals.items() if score.why_not in GAP_REASONS)


def task_result(
    task: str, probability: float | None, route: Route, finals: dict[str, FinalScore]
) -> TaskResult:
    """A task's verdict from its route."""
    verdict = VERDICTS.get(route.name, Verdict.NEEDS_HUMAN)
    return TaskResult(task, verdict, probability, route, finals)


def whole_result(
    tasks: dict[str, TaskResult],
    first: Assessment,
    second: Assessment | None,
    cost: Cost,
    info: MediaInfo | None,
    expensive: ExpensiveSignals | None,
    posted: PostedText,
) -> CascadeResult:
    """One video's result: its tasks, both stages' answers, and what they were made from."""
    return CascadeResult(
        path=info.path if info else None,
        sha256=info.sha256 if info else None,
        duration_s=info.duration_s if info else None,
        warnings=(),
        tasks=tasks,
        prefilter=first,
        mllm=second,
        cost=cost,
        info=info,
        expensive=expensive,
        posted=posted,
        models={
            "prefilter": first.model_version,
            "mllm": second.model_version if second else None,
        },
    )
