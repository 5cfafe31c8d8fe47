"""What exporters are given: a video with its answers and with one settled label a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from coefvq.domain import MediaInfo, Stage, TimedText
from coefvq.learning.dataset.items import Split
from coefvq.store.decisions import OK, VIOLATION

HALF = 0.5
"""From this probability on the machine leans to a violation, as in ``review.compare``."""
IMPORTED_KEY = "imported"
"""In a decision's snapshot: what the file said that it was imported from."""


@dataclass(frozen=True)
class Machine:
    """What the machine said of one policy when somebody decided.

    Attributes:
        label: ``violation`` or ``ok``; ``None`` where no model covers the policy.
        probability: 0..1.
        stage: The stage whose probability counted.
    """

    label: str | None = None
    probability: float | None = None
    stage: str | None = None


@dataclass(frozen=True)
class Answer:
    """One decision that stands.

    Attributes:
        labels: By policy ``violation`` or ``ok``.
        machine: By policy, what was on the screen.
        propensity: Probability with which the case came to a person; 1.0 without a draw.
        audit: Whether an automatic outcome was drawn at random for this person.
        seen: Whether the machine's answer was shown before the decision.
        verdict: The machine's whole answer that was on the screen, or ``None``.
        models: Versions of both stages.
    """

    decision_id: str
    case_id: str
    task: str
    reviewer: str
    role: str
    kind: str
    action: str
    labels: Mapping[str, str]
    reasons: Mapping[str, str]
    comment: str
    start_s: float | None
    end_s: float | None
    decided_at: datetime
    correction: bool
    taxonomy_version: str | None
    machine: Mapping[str, Machine] = field(default_factory=dict)
    propensity: float = 1.0
    audit: bool = False
    seen: bool = False
    verdict: str | None = None
    models: Mapping[str, Any] = field(default_factory=dict)

    @property
    def violated(self) -> tuple[str, ...]:
        """Policies that are violated, in their order."""
        return tuple(policy for policy, label in self.labels.items() if label == VIOLATION)


@dataclass(frozen=True)
class Settled:
    """The label that people's answers on one policy come to.

    Attributes:
        label: 1 (violation) or 0.
        weight: The share of the votes that agree, in (0, 1].
        machine: What the machine said beside it.
        propensity: As in ``Answer``.
    """

    task: str
    policy: str
    label: int
    weight: float = 1.0
    machine: Machine = Machine()
    propensity: float = 1.0
    audit: bool = False
    taxonomy_version: str | None = None

    @property
    def corrected(self) -> bool:
        """Whether the machine leant to the other side."""
        return self.machine.label is not None and (self.machine.label == VIOLATION) != bool(
            self.label
        )


@dataclass(frozen=True)
class Video:
    """A video with what people said of it. Title and caption are hostile.

    Attributes:
        path: The stored file; ``None`` where it is gone or there never was one.
        settled: One label a policy; policies on which as many said yes as no are not here.
        speech: Lines that were heard; ``None``: nobody listened.
        screen_text: Lines that were read.
        tied: How many policies have as many answers for as against.
    """

    video_id: str
    sha256: str
    file_name: str
    path: Path | None
    title: str | None
    caption: str | None
    uploaded_at: datetime | None
    info: MediaInfo | None
    split: Split
    answers: tuple[Answer, ...] = ()
    settled: tuple[Settled, ...] = ()
    speech: tuple[TimedText, ...] | None = None
    screen_text: tuple[TimedText, ...] | None = None
    tied: int = 0


def machine_of(score: Mapping[str, Any]) -> Machine:
    """A score of a decision's snapshot (``FinalScore`` as JSON) as it is exported."""
    final = score.get("final")
    if final is None:
        return Machine()
    stage = Stage.PREFILTER if score.get("mllm") is None else Stage.MLLM
    return Machine(VIOLATION if final >= HALF else OK, final, stage.value)
