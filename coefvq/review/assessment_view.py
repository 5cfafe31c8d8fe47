"""The cards of the two stages, the route and where the stages disagree."""

from __future__ import annotations

from coefvq.domain import Assessment, FinalScore, PolicyScore, Route
from coefvq.review.views import AssessmentView, Disagreement, RouteView, ScoreView
from coefvq.routing.entropy import RULE, is_settings_version, unsure_band
from coefvq.store import codec
from coefvq.store.tables import AssessmentRow
from coefvq.taxonomy import Policy, Task

_FAR_APART = 0.3


def card(row: AssessmentRow, task: Task) -> AssessmentView:
    """One stage's card: only the task's policies, in the task's order."""
    said = codec.assessment_from(row)
    scores = tuple(_score(policy, said) for policy in task.policies)
    covered = [score for score in scores if score.probability is not None]
    top = max(covered, key=lambda score: score.probability or 0.0, default=None)
    masses = [score.label_mass for score in covered if score.label_mass is not None]
    return AssessmentView(
        id=row.id,
        stage=row.stage,
        model_version=row.model_version,
        milliseconds=row.milliseconds,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        created_at=row.created_at,
        probability=top.probability if top else None,
        scores=scores,
        rationale=said.rationale,
        trust=min(masses, default=None),
        top_contributions=top.contributions if top else (),
    )


def route_view(route: Route) -> RouteView:
    """The route, and for the settings' entropy rule the probabilities that it escalates."""
    mine = route.rule == RULE and is_settings_version(route.version)
    band = unsure_band(route.threshold) if mine else None
    return RouteView(
        name=route.name.value,
        rule=route.rule,
        version=route.version,
        score=route.score,
        threshold=route.threshold,
        escalated=route.escalated,
        audit=route.audit,
        propensity=route.propensity,
        reason=route.reason,
        escalate_low=band[0] if band else None,
        escalate_high=band[1] if band else None,
    )


def disagreement(
    task: Task, finals: dict[str, FinalScore], mllm: Assessment | None, route: Route | None
) -> Disagreement | None:
    """The policy on which the stages differ most, where they differ enough to say so."""
    apart = [pair for policy in task.policies if (pair := _apart(policy, finals.get(policy.id)))]
    if not apart or mllm is None:
        return None
    policy, prefilter, second = max(apart, key=lambda item: abs(item[1] - item[2]))
    seen = (*mllm.evidence, *(mllm.rationale.evidence if mllm.rationale else ()))
    kinds = {item.modality.value: None for item in seen if item.policy in (None, policy.id)}
    reason = route.reason if route else ""
    return Disagreement(policy.id, policy.name, prefilter, second, tuple(kinds), reason)


def _apart(policy: Policy, score: FinalScore | None) -> tuple[Policy, float, float] | None:
    if score is None or score.prefilter is None or score.mllm is None:
        return None
    opposite = (score.prefilter >= 0.5) != (score.mllm >= 0.5)
    if not opposite and abs(score.prefilter - score.mllm) < _FAR_APART:
        return None
    return policy, score.prefilter, score.mllm


def _score(policy: Policy, said: Assessment) -> ScoreView:
    score = said.scores.get(policy.id) or PolicyScore(policy.id, None, False, "not_asked")
    return ScoreView(
        policy=policy.id,
        name=policy.name,
        probability=score.probability,
        covered=score.covered,
        why_not=score.why_not,
        label_mass=score.label_mass,
        contributions=said.contributions.get(policy.id, ()),
    )
