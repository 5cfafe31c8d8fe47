"""One whole case as a view, without a store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from coefvq import taxonomy
from coefvq.domain import Evidence, Modality, Rationale, TimedText
from coefvq.review.views import (
    AssessmentView,
    CaseView,
    Disagreement,
    LeaseView,
    PolicyView,
    RouteView,
    ScoreView,
    VideoView,
)

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)> {{7*7}} ${alert(1)} {0} {name}"


def video(**changes: object) -> VideoView:
    """A three-second upload with all previews."""
    fields: dict = {
        "id": "v1", "sha256": "ab" * 32, "title": "a title", "caption": "a caption",
        "original_name": "clip.mp4", "uploader": "local", "uploaded_at": NOW, "duration_s": 10.0,
        "width": 320, "height": 180, "fps": 25.0, "has_audio": True, "warnings": (),
        "proxy": Path("p.mp4"), "poster": Path("p.jpg"), "contact_sheet": None,
    }  # fmt: skip
    return VideoView(**fields | changes)


def policy(key: int, item: taxonomy.Policy) -> PolicyView:
    """A policy of the form."""
    return PolicyView(item.id, key, item.name, item.question, item.guideline, item.severity,
                      (), (*item.reasons, "other"), 0.2, 0.3, 0.3, True, None)  # fmt: skip


def assessment(stage: str = "prefilter", **changes: object) -> AssessmentView:
    """One stage's answer on two policies, a third one not covered."""
    scores = (
        ScoreView("violence", "violence", 0.28, True, None),
        ScoreView("hate_harassment", "hate, harassment", 0.41, True, None),
        ScoreView("sexual", "sexual", None, False, "not_trained"),
    )
    fields: dict = {
        "id": "a1", "stage": stage, "model_version": f"{stage}-1", "milliseconds": 84.0,
        "tokens_in": 0, "tokens_out": 0, "created_at": NOW, "probability": 0.41,
        "scores": scores, "rationale": None,
        "top_contributions": (("loud voices", 0.2), ("crowd", -0.1)),
    }  # fmt: skip
    return AssessmentView(**fields | changes)


def route(**changes: object) -> RouteView:
    """Sent on by entropy."""
    fields: dict = {
        "name": "human", "rule": "entropy", "version": "built-in", "score": 0.98,
        "threshold": 0.6, "escalated": True, "audit": False, "propensity": 1.0,
        "reason": "The stages disagree.", "escalate_low": 0.15, "escalate_high": 0.85,
    }  # fmt: skip
    return RouteView(**fields | changes)


RATIONALE = Rationale("In short.", ("for it",), ("against it",), ("not sure",))
EVIDENCE = (
    Evidence(Modality.SPEECH, 2.0, 4.0, "thrown out", "raises hate", "hate_harassment", 0.3),
    Evidence(Modality.VISUAL, 5.0, 5.0, None, "calm picture", "violence", -0.1),
    Evidence(Modality.CAPTION, 0.0, 0.0, "caption", "noted", None, None),
)


def case(**changes: object) -> CaseView:
    """A case that both stages answered and that this page may decide."""
    task = taxonomy.task("icd")
    fields: dict = {
        "id": "c1", "task": "icd", "task_name": task.name, "state": "queued",
        "verdict": "needs_human", "verdict_id": "d1", "probability": 0.87, "video": video(),
        "policies": tuple(policy(n, p) for n, p in enumerate(task.policies, 1)),
        "prefilter": assessment(),
        "mllm": assessment("mllm", probability=0.87, trust=0.96, rationale=RATIONALE),
        "route": route(score=0.7), "first_route": route(),
        "disagreement": Disagreement("hate_harassment", "hate, harassment", 0.41, 0.87,
                                     ("speech",), "The stages disagree."),
        "evidence": EVIDENCE,
        "transcript": (TimedText(2.0, 4.0, "they should be thrown out now"),),
        "speech_understood": True,
        "screen_text": (TimedText(1.0, 1.5, "FREE"),),
        "lease": LeaseView("local", True, NOW, 7), "draft": None, "decisions": (),
        "second_look": False, "second_look_by": None, "queued_at": NOW, "priority": 1.0,
        "rationale_due": False, "siblings": (("ucc", "c2"),),
    }  # fmt: skip
    return CaseView(**fields | changes)
