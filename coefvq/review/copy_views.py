"""What the pages show of a copy: the matched seconds, the original, what a person said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from coefvq.review.case_views import VideoView

LIBRARY, BANK, RESTRICTED, REMOVED = "library", "bank", "restricted", "removed"
"""Where an original is: there to play; only its fingerprint is kept; in a queue that is closed to
who asks; it was taken out of its bank since."""


@dataclass(frozen=True)
class SpanView:
    """One stretch of footage that both videos show. Seconds.

    Attributes:
        speed: Seconds of the original that pass in a second of the video looked at.
        score: Calibrated probability that it is a copy, 0..1.
    """

    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    speed: float = 1.0
    score: float = 1.0


@dataclass(frozen=True)
class OriginalView:
    """What a copy was made of. ``reference`` and the video's texts are hostile.

    Attributes:
        where: ``LIBRARY``, ``BANK``, ``RESTRICTED`` or ``REMOVED``.
        reference: The name it was added under; empty where it is ``RESTRICTED``.
        banks: Every bank that holds this file, also the one that this match is with.
        video: The library's video; ``None`` unless ``where`` is ``LIBRARY``.
    """

    where: str
    reference: str
    banks: tuple[str, ...]
    duration_s: float
    added_by: str
    added_at: datetime
    video: VideoView | None = None


@dataclass(frozen=True)
class AnswerView:
    """What a person said of a pair: ``confirmed`` or ``rejected``."""

    answer: str
    reviewer: str
    at: datetime
    note: str = ""


@dataclass(frozen=True)
class CopyPair:
    """A video and one original of which it shows footage.

    Attributes:
        match_id: Names the pair in an answer.
        video_id: The video looked at.
        score: Calibrated probability that it is a copy, 0..1.
        spans: By start in the video looked at, at least one.
        transform: Kinds of edit, such as ``mirror``; empty: none was noticed.
        by: What matched: ``picture``, ``sound`` or both.
        answer: The newest answer that this actor may know of.
    """

    match_id: str
    video_id: str
    score: float
    spans: tuple[SpanView, ...]
    transform: tuple[str, ...]
    by: tuple[str, ...]
    found_at: datetime
    original: OriginalView
    answer: AnswerView | None = None

    @property
    def rejected(self) -> bool:
        """Whether a person said that it is no copy."""
        return self.answer is not None and self.answer.answer == "rejected"

    @property
    def confirmed(self) -> bool:
        """Whether a person said that it is a copy."""
        return self.answer is not None and self.answer.answer == "confirmed"


@dataclass(frozen=True)
class CopyOf:
    """A later video that shows footage of the one looked at. ``title`` is hostile."""

    match_id: str
    video_id: str
    title: str
    uploaded_at: datetime
    score: float
    spans: tuple[SpanView, ...]
    transform: tuple[str, ...]


@dataclass(frozen=True)
class SameFootage:
    """How two videos of the library belong together.

    Attributes:
        span: The longest stretch that both show.
        earlier: The other one is the original; else the copy.
    """

    score: float
    span: SpanView
    transform: tuple[str, ...]
    earlier: bool = True


@dataclass(frozen=True)
class Proposal:
    """What a confirmed copy proposes for the decision form.

    Attributes:
        reason: One of the policy's listed reasons.
        start_s: The matched seconds in the video under review.
    """

    policy: str
    reason: str
    start_s: float
    end_s: float
