"""The promised JSON shape of a cascade result: keys may be added, never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coefvq.domain import (
    CascadeResult,
    CopyMatch,
    Cost,
    Evidence,
    FinalScore,
    Rationale,
    Route,
    TaskResult,
)
from coefvq.errors import CoefVQError


def result_json(result: CascadeResult, *, with_rationale: bool = False) -> dict[str, Any]:
    """One video's result as a JSON-ready dict.

    Args:
        result: From ``Cascade.assess`` or ``Cascade.assess_signals``.
        with_rationale: Include the MLLM's rationale where there is one, else ``null``.
    """
    rationale = result.mllm.rationale if result.mllm and with_rationale else None
    name = {"id": result.item_id} if result.item_id is not None else {"path": result.path}
    return {
        **name,
        "sha256": result.sha256,
        "duration_s": _rounded(result.duration_s, 3),
        "warnings": list(result.warnings),
        "tasks": {task_id: task_json(task) for task_id, task in result.tasks.items()},
        "rationale": rationale_json(rationale) if rationale else None,
        "cost": cost_json(result.cost),
        "models": dict(result.models),
        "copies": None if result.copies is None else [match_json(each) for each in result.copies],
    }


def task_json(task: TaskResult) -> dict[str, Any]:
    """One task's verdict, route and policies."""
    return {
        "verdict": task.verdict.value,
        "probability": _rounded(task.probability),
        "route": task.route.name.value,
        "routing": routing_json(task),
        "policies": {name: _policy_json(score) for name, score in task.policies.items()},
    }


def routing_json(task: TaskResult) -> dict[str, Any]:
    """The escalation rule's answer; beside it, where the MLLM ran, the rule's answer after it."""
    if task.first_route is None:
        return route_json(task.route)
    after = {"score": _rounded(task.route.score), "threshold": task.route.threshold}
    return route_json(task.first_route) | {
        "reason": task.route.reason,
        "audit": task.route.audit,
        "propensity": task.route.propensity,
        "after_mllm": after,
    }


def route_json(route: Route) -> dict[str, Any]:
    """The rule and thresholds that sent a video where it went."""
    return {
        "rule": route.rule,
        "version": route.version,
        "score": _rounded(route.score),
        "threshold": route.threshold,
        "escalated": route.escalated,
        "audit": route.audit,
        "propensity": route.propensity,
        "reason": route.reason,
    }


def rationale_json(rationale: Rationale) -> dict[str, Any]:
    """A rationale with its evidence."""
    return {
        "summary": rationale.summary,
        "for": list(rationale.points_for),
        "against": list(rationale.points_against),
        "uncertain": list(rationale.uncertain),
        "evidence": [evidence_json(item) for item in rationale.evidence],
    }


def evidence_json(item: Evidence) -> dict[str, Any]:
    """One piece of evidence."""
    return {
        "modality": item.modality.value,
        "start_s": _rounded(item.start_s, 2),
        "end_s": _rounded(item.end_s, 2),
        "quote": item.quote,
        "detail": item.detail,
        "policy": item.policy,
        "weight": _rounded(item.weight),
    }


def match_json(match: CopyMatch) -> dict[str, Any]:
    """Earlier footage that was found: where it is in both videos, and what was done to it."""
    return {
        "reference": match.reference,
        "bank": match.bank,
        "score": _rounded(match.score),
        "query_start_s": _rounded(match.query_start_s, 2),
        "query_end_s": _rounded(match.query_end_s, 2),
        "reference_start_s": _rounded(match.reference_start_s, 2),
        "reference_end_s": _rounded(match.reference_end_s, 2),
        "transform": list(match.transform),
        "speed": _rounded(match.speed, 3),
        "by": list(match.by),
    }


def cost_json(cost: Cost) -> dict[str, Any]:
    """The cost ledger of one video."""
    return {
        "media_ms": round(cost.media_ms),
        "prefilter_ms": round(cost.prefilter_ms),
        "copies_ms": round(cost.copies_ms),
        "expensive_signals_ms": round(cost.expensive_signals_ms),
        "mllm_ms": round(cost.mllm_ms),
        "tokens_in": cost.tokens_in,
        "tokens_out": cost.tokens_out,
    }


def error_json(name: Mapping[str, Any], error: CoefVQError) -> dict[str, Any]:
    """One input that could not be used: its path or id, a code and what to do."""
    return {**name, "error": {"code": error.code, "message": str(error)}}


def _policy_json(score: FinalScore) -> dict[str, Any]:
    row = {
        "prefilter": _rounded(score.prefilter),
        "mllm": _rounded(score.mllm),
        "final": _rounded(score.final),
        "covered": score.covered,
    }
    return row if score.why_not is None else {**row, "why_not": score.why_not}


def _rounded(value: float | None, digits: int = 6) -> float | None:
    return None if value is None else round(float(value), digits)
