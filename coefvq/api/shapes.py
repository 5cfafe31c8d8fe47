"""The JSON of the API. Keys may be added, never renamed. Texts of videos are hostile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from coefvq.domain import Cost, TaskResult, TimedText, Verdict
from coefvq.results import cost_json, evidence_json, rationale_json, task_json
from coefvq.review.copy_views import CopyPair
from coefvq.review.views import (
    AssessmentView,
    CaseView,
    DecisionView,
    LibraryItem,
    PolicyView,
    RouteView,
)
from coefvq.store import codec
from coefvq.store.tables import AssessmentRow, CaseRow, VerdictRow, VideoRow

Answer = dict[str, Any]


def at(moment: datetime | None) -> str | None:
    """A time in UTC, ISO 8601."""
    return None if moment is None else moment.isoformat()


def item(found: LibraryItem) -> Answer:
    """A video in a list."""
    failed = found.error_code is not None
    return {
        "id": found.video_id,
        "title": found.title,
        "name": found.original_name,
        "uploader": found.uploader,
        "uploaded_at": at(found.uploaded_at),
        "duration_s": found.duration_s,
        "status": found.status,
        "warnings": list(found.warnings),
        "error": {"code": found.error_code, "message": found.error} if failed else None,
        "cases": [
            {"id": each.case_id, "task": each.task, "state": each.state, "verdict": each.verdict,
             "route": each.route, "probability": each.probability, "decided": each.decided}
            for each in found.cases
        ],
    }  # fmt: skip


def video(row: VideoRow, listed: LibraryItem, first: AssessmentRow | None) -> Answer:
    """One video; ``tasks`` and ``models`` are filled in by the caller."""
    cost = first.cost if first is not None else None
    return item(listed) | {
        "title": row.title,
        "caption": row.caption,
        "sha256": row.sha256,
        "progress": listed.progress,
        "cost": cost_json(Cost(**cost)) if cost else None,
    }


def task(case: CaseRow, answer: VerdictRow) -> Answer:
    """One task as in ``coefvq score``, with its case."""
    first = codec.route_from(answer.first_route) if answer.first_route else None
    made = task_json(
        TaskResult(
            task=case.task,
            verdict=Verdict(answer.verdict),
            probability=answer.probability,
            route=codec.route_from(answer.route),
            policies=codec.finals_from(answer.policies),
            first_route=first,
        )
    )
    return made | {"case_id": case.id, "state": case.state, "blind": False}


def hidden(case: CaseRow) -> Answer:
    """A task whose answer the caller is not to see before they have decided."""
    nothing = dict.fromkeys(("verdict", "probability", "route", "routing"))
    return nothing | {"policies": {}, "case_id": case.id, "state": case.state, "blind": True}


def case(row: CaseRow, blind: bool, untold: bool) -> Answer:
    """A case in a list.

    Args:
        blind: Leave out what the machine said, and what would tell it.
        untold: Leave out that somebody decided it.
    """
    said = {"verdict": row.verdict, "probability": row.probability, "route": row.route,
            "audit": row.audit, "rule": row.rule, "top_policy": row.top_policy,
            "queue": row.queue}  # fmt: skip
    return {
        "id": row.id,
        "video_id": row.video_id,
        "task": row.task,
        "state": row.state,
        "blind": blind,
        **(dict.fromkeys(said) if blind else said),
        "second_look": row.second_look,
        "assigned_to": row.assigned_to,
        "decision_id": None if untold else row.decision_id,
        "queued_at": at(row.queued_at),
        "due_at": at(row.due_at),
        "created_at": at(row.created_at),
        "updated_at": at(row.updated_at),
    }


def verdict(answer: VerdictRow, row: CaseRow, hide: bool) -> Answer:
    """The machine's answer on a case."""
    made = hidden(row) if hide else task(row, answer)
    head = {
        "id": answer.id,
        "video_id": row.video_id,
        "task": row.task,
        "newest": answer.id == row.verdict_id,
        "at": at(answer.created_at),
        "models": {} if hide else dict(answer.models),
    }
    return head | made


def whole_case(found: CaseView) -> Answer:
    """Everything that a reviewer sees of a case; no paths of files."""
    return {
        "id": found.id,
        "video_id": found.video.id,
        "task": found.task,
        "state": found.state,
        "blind": found.blind,
        "verdict": found.verdict,
        "verdict_id": found.verdict_id,
        "probability": found.probability,
        "title": found.video.title,
        "caption": found.video.caption,
        "duration_s": found.video.duration_s,
        "warnings": list(found.video.warnings),
        "policies": [_policy(each) for each in found.policies],
        "prefilter": _assessment(found.prefilter),
        "mllm": _assessment(found.mllm),
        "route": _route(found.route),
        "first_route": _route(found.first_route),
        "evidence": [evidence_json(each) for each in found.evidence],
        "transcript": _lines(found.transcript),
        "screen_text": _lines(found.screen_text),
        "copies": [_copy(each) for each in found.pairs],
        "queue": found.queue,
        "queued_at": at(found.queued_at),
        "due_at": at(found.due_at),
        "second_look": found.second_look,
        "assigned_to": found.assigned_to,
        "open_by_somebody": found.lease is not None,
        "decisions": [_decision(each) for each in found.decisions],
        "notes": [
            {"author": each.author, "text": each.text, "at": at(each.at)} for each in found.notes
        ],
        "other_cases": dict(found.siblings),
    }


def _policy(found: PolicyView) -> Answer:
    return {
        "id": found.id,
        "name": found.name,
        "question": found.question,
        "severity": found.severity,
        "reasons": list(found.reasons),
        "prefilter": found.prefilter,
        "mllm": found.mllm,
        "final": found.final,
        "covered": found.covered,
        "why_not": found.why_not,
    }


def _assessment(found: AssessmentView | None) -> Answer | None:
    if found is None:
        return None
    return {
        "model": found.model_version,
        "probability": found.probability,
        "scores": [
            {"policy": each.policy, "probability": each.probability, "covered": each.covered,
             "why_not": each.why_not, "label_mass": each.label_mass}
            for each in found.scores
        ],
        "rationale": rationale_json(found.rationale) if found.rationale else None,
        "top_contributions": [list(each) for each in found.top_contributions],
        "milliseconds": found.milliseconds,
        "tokens_in": found.tokens_in,
        "tokens_out": found.tokens_out,
        "at": at(found.created_at),
    }  # fmt: skip


def _route(found: RouteView | None) -> Answer | None:
    if found is None:
        return None
    return {
        "name": found.name,
        "rule": found.rule,
        "version": found.version,
        "score": found.score,
        "threshold": found.threshold,
        "escalated": found.escalated,
        "audit": found.audit,
        "propensity": found.propensity,
        "reason": found.reason,
    }


def _decision(found: DecisionView) -> Answer:
    return {
        "id": found.id,
        "reviewer": found.reviewer,
        "role": found.role,
        "action": found.action,
        "labels": found.labels,
        "reasons": found.reasons,
        "comment": found.comment,
        "start_s": found.start_s,
        "end_s": found.end_s,
        "correction": found.correction,
        "decided_at": at(found.decided_at),
        "undone_at": at(found.undone_at),
    }


def _copy(found: CopyPair) -> Answer:
    return {
        "match_id": found.match_id,
        "score": found.score,
        "transform": list(found.transform),
        "by": list(found.by),
        "spans": [asdict(each) for each in found.spans],
        "original": {"where": found.original.where, "reference": found.original.reference},
        "answer": found.answer.answer if found.answer else None,
    }


def _lines(found: Iterable[TimedText] | None) -> list[Answer] | None:
    if found is None:
        return None
    return [{"start_s": one.start_s, "end_s": one.end_s, "text": one.text} for one in found]
