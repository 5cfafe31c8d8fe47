"""What the Review page shows of one case. Plain data, made from the store's rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coefvq.domain import Evidence, Rationale, TimedText
from coefvq.review.decision_views import DecisionView, DraftView

if TYPE_CHECKING:
    from coefvq.review.copy_views import CopyPair


@dataclass(frozen=True)
class VideoView:
    """One upload and the files that show it.

    Attributes:
        proxy: MP4 that every browser plays; ``None`` until previews are made.
        poster: JPEG still.
        contact_sheet: JPEG with stills over the whole length.
        copies: Earlier uploads of the same bytes (video ids), oldest first.
    """

    id: str
    sha256: str
    title: str | None
    caption: str | None
    original_name: str
    uploader: str
    uploaded_at: datetime
    duration_s: float | None
    width: int | None
    height: int | None
    fps: float | None
    has_audio: bool | None
    warnings: tuple[str, ...]
    proxy: Path | None
    poster: Path | None
    contact_sheet: Path | None
    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicyView:
    """One rule with its guideline, and what the machine says about it in this case.

    Attributes:
        key: 1-based place in the task: the shortcut key.
        reasons: What may be given as the reason, ``other`` (with a comment) last.
        final: The probability that counts; ``None`` where not covered.
    """

    id: str
    key: int
    name: str
    question: str
    guideline: str
    severity: int
    modalities: tuple[str, ...]
    reasons: tuple[str, ...]
    prefilter: float | None
    mllm: float | None
    final: float | None
    covered: bool
    why_not: str | None


@dataclass(frozen=True)
class ScoreView:
    """One row of a stage's card.

    Attributes:
        probability: ``None`` exactly when not covered.
        label_mass: Trust in the MLLM's answer, 0..1.
        contributions: (signal, signed weight), largest first.
    """

    policy: str
    name: str
    probability: float | None
    covered: bool
    why_not: str | None
    label_mass: float | None = None
    contributions: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class AssessmentView:
    """One stage's card for one task: only this task's policies, in their order.

    Attributes:
        probability: Largest covered probability of the task in this stage.
        trust: Smallest ``label_mass`` of the covered scores; ``None`` for the prefilter.
        top_contributions: Signals that moved the largest score most.
    """

    id: str
    stage: str
    model_version: str
    milliseconds: float
    tokens_in: int
    tokens_out: int
    created_at: datetime
    probability: float | None
    scores: tuple[ScoreView, ...]
    rationale: Rationale | None
    trust: float | None = None
    top_contributions: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class RouteView:
    """Where the case was sent, and by what.

    Attributes:
        score: The rule's score (for ``entropy``: bits).
        threshold: What the score was compared with.
        escalate_low: Prefilter probability from which the entropy rule escalates.
        escalate_high: Prefilter probability up to which it does; both ``None`` for other rules.
    """

    name: str
    rule: str
    version: str
    score: float | None
    threshold: float
    escalated: bool
    audit: bool
    propensity: float
    reason: str
    escalate_low: float | None = None
    escalate_high: float | None = None


@dataclass(frozen=True)
class Disagreement:
    """The policy on which the stages differ most, where they fall on two sides of one half
    or lie at least 0.3 apart.

    Attributes:
        modalities: What the MLLM's evidence for it consists of (``speech``, ...).
    """

    policy: str
    name: str
    prefilter: float
    mllm: float
    modalities: tuple[str, ...]
    route_reason: str


@dataclass(frozen=True)
class LeaseView:
    """Who works on the case. ``token`` is only there for the holder."""

    holder: str
    mine: bool
    expires_at: datetime
    token: int | None


@dataclass(frozen=True)
class NoteView:
    """An internal note on a case. The text is a colleague's, and escaped all the same."""

    author: str
    text: str
    at: datetime


@dataclass(frozen=True)
class CaseView:
    """Everything the Review page shows of one case.

    Attributes:
        state: ``pending``, ``queued``, ``auto``, ``decided`` or ``set_aside``.
        first_route: The prefilter's route, where the MLLM ran after it.
        verdict_id: Names what is on the screen; goes back with the form.
        evidence: Both stages' evidence for this task, by start time.
        transcript: Speech lines; ``None``: not listened to or no sound; empty: nobody speaks.
        speech_understood: False where the recogniser did not follow.
        screen_text: Lines read off frames; ``None``: not looked for.
        rationale_due: An ``explain`` job is queued or running for this case.
        blind: This reviewer answers before they see the machine's answer; nothing of it is here.
        concealed: A colleague's independent answer is waited for, so decisions are left out.
        pairs: Originals of which the video shows footage, the likeliest first.
    """

    id: str
    task: str
    task_name: str
    state: str
    verdict: str | None
    verdict_id: str | None
    probability: float | None
    video: VideoView
    policies: tuple[PolicyView, ...]
    prefilter: AssessmentView | None
    mllm: AssessmentView | None
    route: RouteView | None
    first_route: RouteView | None
    disagreement: Disagreement | None
    evidence: tuple[Evidence, ...]
    transcript: tuple[TimedText, ...] | None
    speech_understood: bool | None
    screen_text: tuple[TimedText, ...] | None
    lease: LeaseView | None
    draft: DraftView | None
    decisions: tuple[DecisionView, ...]
    second_look: bool
    second_look_by: str | None
    queued_at: datetime | None
    priority: float
    rationale_due: bool
    siblings: tuple[tuple[str, str], ...] = ()
    """(task, case id) of the same video's other cases."""
    queue: str | None = None
    due_at: datetime | None = None
    assigned_to: str | None = None
    notes: tuple[NoteView, ...] = ()
    blind: bool = False
    concealed: bool = False
    pairs: tuple[CopyPair, ...] = ()
