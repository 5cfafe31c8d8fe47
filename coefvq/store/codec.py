"""Domain data to JSON and back, for the columns that hold it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from coefvq.domain import (
    Assessment,
    Evidence,
    ExpensiveSignals,
    FinalScore,
    MediaInfo,
    Modality,
    PolicyScore,
    Rationale,
    Route,
    RouteName,
    Stage,
    TaskResult,
    TimedText,
)


def media_info_to(info: MediaInfo) -> dict[str, Any]:
    """All but the path: the file may move."""
    return {name: value for name, value in asdict(info).items() if name != "path"}


def media_info_from(data: dict[str, Any], path: str) -> MediaInfo:
    """Inverse of ``media_info_to``."""
    return MediaInfo(**{**data, "path": path, "warnings": tuple(data["warnings"])})


def scores_to(scores: dict[str, PolicyScore]) -> dict[str, Any]:
    """Scores by policy id."""
    return {policy: asdict(score) for policy, score in scores.items()}


def scores_from(data: dict[str, Any]) -> dict[str, PolicyScore]:
    """Inverse of ``scores_to``."""
    return {policy: PolicyScore(**row) for policy, row in data.items()}


def evidence_to(evidence: Iterable[Evidence]) -> list[Any]:
    """Evidence in its order."""
    return [asdict(item) | {"modality": item.modality.value} for item in evidence]


def evidence_from(data: list[Any]) -> tuple[Evidence, ...]:
    """Inverse of ``evidence_to``."""
    return tuple(Evidence(**{**row, "modality": Modality(row["modality"])}) for row in data)


def rationale_to(rationale: Rationale | None) -> dict[str, Any] | None:
    """A rationale, or nothing where none was made."""
    if rationale is None:
        return None
    return {
        "summary": rationale.summary,
        "for": list(rationale.points_for),
        "against": list(rationale.points_against),
        "uncertain": list(rationale.uncertain),
        "evidence": evidence_to(rationale.evidence),
    }


def rationale_from(data: dict[str, Any] | None) -> Rationale | None:
    """Inverse of ``rationale_to``."""
    if data is None:
        return None
    return Rationale(
        data["summary"],
        tuple(data["for"]),
        tuple(data["against"]),
        tuple(data["uncertain"]),
        evidence_from(data["evidence"]),
    )


def contributions_from(data: dict[str, Any]) -> dict[str, tuple[tuple[str, float], ...]]:
    """Contributions by policy, as the domain has them."""
    return {policy: tuple((name, weight) for name, weight in rows) for policy, rows in data.items()}


def assessment_to(assessment: Assessment) -> dict[str, Any]:
    """The columns of ``AssessmentRow`` that an assessment fills."""
    return {
        "stage": assessment.stage.value,
        "model_version": assessment.model_version,
        "scores": scores_to(assessment.scores),
        "evidence": evidence_to(assessment.evidence),
        "rationale": rationale_to(assessment.rationale),
        "contributions": {
            policy: [list(pair) for pair in pairs]
            for policy, pairs in assessment.contributions.items()
        },
        "milliseconds": float(assessment.milliseconds),
        "tokens_in": assessment.tokens_in,
        "tokens_out": assessment.tokens_out,
    }


def assessment_from(row: Any) -> Assessment:
    """Inverse of ``assessment_to``; ``row`` is an ``AssessmentRow``."""
    return Assessment(
        stage=Stage(row.stage),
        model_version=row.model_version,
        scores=scores_from(row.scores),
        evidence=evidence_from(row.evidence),
        rationale=rationale_from(row.rationale),
        contributions=contributions_from(row.contributions),
        milliseconds=row.milliseconds,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
    )


def route_to(route: Route) -> dict[str, Any]:
    """A route with its rule and threshold."""
    return asdict(route) | {"name": route.name.value}


def route_from(data: dict[str, Any]) -> Route:
    """Inverse of ``route_to``."""
    return Route(**{**data, "name": RouteName(data["name"])})


def finals_to(result: TaskResult) -> dict[str, Any]:
    """Both stages' scores of a task, by policy."""
    return {policy: asdict(score) for policy, score in result.policies.items()}


def finals_from(data: dict[str, Any]) -> dict[str, FinalScore]:
    """Inverse of ``finals_to``."""
    return {policy: FinalScore(**row) for policy, row in data.items()}


def lines_to(lines: Iterable[TimedText] | None) -> list[Any] | None:
    """Speech or screen text; ``None`` stays ``None`` (absent is not empty)."""
    return None if lines is None else [asdict(line) for line in lines]


def lines_from(data: list[Any] | None) -> tuple[TimedText, ...] | None:
    """Inverse of ``lines_to``."""
    if data is None:
        return None
    return tuple(
        TimedText(**{**row, "box": tuple(row["box"]) if row["box"] else None}) for row in data
    )


def readable_to(signals: ExpensiveSignals) -> dict[str, Any]:
    """What people read of expensive signals; kept beside their bytes in the cache."""
    return {
        "speech": lines_to(signals.speech),
        "speech_understood": signals.speech_understood,
        "screen_text": lines_to(signals.screen_text),
    }
