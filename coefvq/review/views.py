"""What the pages show, as frozen data: no session, no ORM row ever leaves the services.

Every text that came with or out of a video (``title``, ``caption``, ``original_name``,
lines, quotes) is hostile and is escaped by whoever shows it. Times are UTC. Probabilities
are calibrated, 0..1, and ``None`` where a policy is not covered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from coefvq.domain import Evidence, Rationale, TimedText
from coefvq.review.library_views import CaseBadge as CaseBadge
from coefvq.review.library_views import IngestProgress as IngestProgress
from coefvq.review.library_views import JobView as JobView
from coefvq.review.library_views import LibraryItem as LibraryItem
from coefvq.review.library_views import LibraryPage as LibraryPage


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
class DraftView:
    """A form that was filled in and not sent. The fields of ``DecisionForm``."""

    labels: dict[str, bool]
    reasons: dict[str, str]
    action: str
    comment: str
    start_s: float | None
    end_s: float | None
    saved_at: datetime
    notice: str = ""


@dataclass(frozen=True)
class DecisionView:
    """A reviewer's answer. ``labels`` maps policy to ``violation`` or ``ok``.

    Attributes:
        correction: Whether it differs from what the machine had said.
        undone_at: When a later event took it back; ``None`` while it stands.
        snapshot: What was on the screen when it was taken.
    """

    id: str
    case_id: str
    task: str
    reviewer: str
    role: str
    action: str
    labels: dict[str, str]
    reasons: dict[str, str]
    comment: str
    start_s: float | None
    end_s: float | None
    decided_at: datetime
    correction: bool
    undone_at: datetime | None
    snapshot: dict[str, Any]
    notice: str = ""
    batch_id: str | None = None


@dataclass(frozen=True)
class NoteView:
    """An internal note on a case. The text is a colleague's, and escaped all the same."""

    author: str
    text: str
    at: datetime


@dataclass(frozen=True)
class QueueView:
    """One queue as a reviewer sees it.

    Attributes:
        waiting: Cases in it that this actor could be given.
        oldest_s: Age of the oldest that waits, seconds.
        late: Cases that are older than promised.
        open: Whether this actor is given its cases.
    """

    id: str
    name: str
    task: str | None
    waiting: int
    oldest_s: float | None
    promised_age_s: float | None
    late: int
    open: bool


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


@dataclass(frozen=True)
class QueueCounts:
    """What waits.

    Attributes:
        waiting: Cases that this actor could be given, by task.
        leased: Cases that others hold now, by task.
        second_look: Cases that wait for somebody other than this actor.
        oldest_s: Age of the oldest waiting case, seconds; ``None`` when none waits.
        pace_s: Median seconds between this actor's last decisions; ``None`` before the third.
        scoring: Videos that are being scored or wait for it.
        failed: Jobs set aside.
        queues: Those of the actor first in their order; empty where none were set up.
    """

    waiting: dict[str, int]
    leased: dict[str, int] = field(default_factory=dict)
    second_look: int = 0
    oldest_s: float | None = None
    pace_s: float | None = None
    decided_today: int = 0
    scoring: int = 0
    failed: int = 0
    queues: tuple[QueueView, ...] = ()

    @property
    def total(self) -> int:
        """Waiting cases over all tasks."""
        return sum(self.waiting.values())


@dataclass(frozen=True)
class DecisionForm:
    """What a reviewer sends.

    Attributes:
        labels: Policy id to whether it is violated; policies left out are not.
        reasons: Policy id to a reason of that policy's list, or ``other``.
        action: One of ``decide.ACTIONS``.
        comment: Required where a reason is ``other``.
        start_s: Start of the range that shows it, seconds; with ``end_s`` or not at all.
        verdict_id: ``CaseView.verdict_id`` of what was on the screen.
        notice: Message to the uploader; empty: none is sent.
    """

    labels: dict[str, bool]
    action: str
    reasons: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    start_s: float | None = None
    end_s: float | None = None
    verdict_id: str | None = None
    notice: str = ""


@dataclass(frozen=True)
class Submitted:
    """The answer to a decision: its id, whether it corrects the machine, the next case."""

    decision_id: str
    correction: bool
    next: CaseView | None
