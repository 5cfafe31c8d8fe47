"""From two stages' answers to one score a policy and one verdict a task."""

from __future__ import annotations

from coefvq.domain import Assessment, FinalScore, Route, RouteName, TaskResult, Verdict, WhyNot

# Reasons that hold for one video only: nobody has judged the policy, so the video goes on.
GAP_REASONS = frozenset({WhyNot.LANGUAGE_NOT_COVERED, WhyNot.SPEECH_NOT_UNDERSTOOD})
VERDICTS = {RouteName.AUTO_PASS: Verdict.OK, RouteName.AUTO_FLAG: Verdict.VIOLATION}


def final_score(policy: str, first: Assessment, second: Assessment | None) -> FinalScore:
    """The MLLM's answer where it has one, else the prefilter's.

    Where the MLLM found text or speech that it cannot follow, the policy counts as judged by
    nobody, whatever the prefilter thought of the caption alone.
    """
    one = first.scores.get(policy)
    two = second.scores.get(policy) if second else None
    p1 = one.probability if one else None
    p2 = two.probability if two else None
    why_one, why_two = (score.why_not if score else None for score in (one, two))
    if why_two in GAP_REASONS:
        return FinalScore(policy, p1, None, None, False, why_two)
    final = p2 if p2 is not None else p1
    why_not = None if final is not None else (why_one or why_two or WhyNot.NOT_TRAINED)
    return FinalScore(policy, p1, p2, final, final is not None, why_not)


def gaps(finals: dict[str, FinalScore]) -> tuple[str, ...]:
    """Policies that nobody has judged in this video, though a model was trained for them."""
    return tuple(name for name, score in finals.items() if score.why_not in GAP_REASONS)


def task_result(
    task: str, probability: float | None, route: Route, finals: dict[str, FinalScore]
) -> TaskResult:
    """A task's verdict from its route."""
    verdict = VERDICTS.get(route.name, Verdict.NEEDS_HUMAN)
    return TaskResult(task, verdict, probability, route, finals)
