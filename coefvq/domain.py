"""The vocabulary of the cascade as plain, frozen data. See docs/architecture.md.

Nothing here imports torch, a database or a media library, so every floor can use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stage(StrEnum):
    """The two models of the cascade."""

    PREFILTER = "prefilter"
    MLLM = "mllm"


STAGES = ("auto", "prefilter", "mllm")
"""How far to go with a video: as routed, the first stage only, or both in any case."""


class RouteName(StrEnum):
    """Where a video goes. ``MLLM`` only where the MLLM was due and has not run."""

    AUTO_PASS = "auto_pass"
    AUTO_FLAG = "auto_flag"
    MLLM = "mllm"
    HUMAN = "human"


class Verdict(StrEnum):
    """The machine's answer on a case."""

    OK = "ok"
    VIOLATION = "violation"
    NEEDS_HUMAN = "needs_human"


class WhyNot(StrEnum):
    """Why a policy has no score."""

    NOT_TRAINED = "not_trained"
    NOTHING_TO_READ = "nothing_to_read"
    NO_MEDIA = "no_media"
    NO_FRAMES = "no_frames"
    LANGUAGE_NOT_COVERED = "language_not_covered"
    SPEECH_NOT_UNDERSTOOD = "speech_not_understood"
    NO_PROBABILITY = "no_probability"
    NOT_SEARCHED = "not_searched"


class Modality(StrEnum):
    """The kinds of evidence. Title and caption both count as ``CAPTION``."""

    VISUAL = "visual"
    AUDIO = "audio"
    SPEECH = "speech"
    SCREEN_TEXT = "screen_text"
    CAPTION = "caption"
    COPY = "copy"


@dataclass(frozen=True)
class MediaInfo:
    """What a probe found in a file, before any frame was decoded for a model.

    Attributes:
        path: Where the file is now.
        sha256: Hex digest of the bytes; the identity of the media.
        duration_s: Seconds; estimated from the frames where the container does not say.
        width: Display width in pixels, after rotation.
        height: Display height in pixels, after rotation.
        rotation: Degrees clockwise to turn decoded frames for display: 0, 90, 180 or 270.
        fps: Average frames per second, or 0.0 where unknown.
        warnings: Short codes such as ``truncated``, ``no_audio``.
    """

    path: str
    sha256: str
    size_bytes: int
    duration_s: float
    width: int
    height: int
    rotation: int
    fps: float
    video_codec: str
    pixel_format: str
    container: str
    has_audio: bool
    audio_codec: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TimedText:
    """One line of speech or screen text.

    Attributes:
        start_s: Seconds from the start of the video.
        end_s: Seconds from the start of the video.
        text: As recognised. Hostile: whoever made the video wrote it.
        confidence: Mean log-probability (speech) or score in 0..1 (screen text).
        box: Screen text only: x0, y0, x1, y1 as shares of the frame, 0..1.
    """

    start_s: float
    end_s: float
    text: str
    confidence: float | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class PostedText:
    """What the uploader typed. ``None`` is absent; it is not the empty string's score."""

    title: str | None = None
    caption: str | None = None


@dataclass(frozen=True)
class CopyMatch:
    """Footage of a video that was there before.

    Attributes:
        reference: The name under which the original was added.
        bank: Which bank it is in.
        score: Calibrated probability that this is a copy, 0..1.
        query_start_s: Seconds in the video looked at.
        reference_start_s: Seconds in the original.
        transform: Kinds of edit between the two, such as ``mirror``; empty for none.
        speed: Seconds of the original that pass in a second of the video looked at.
        by: What matched: ``picture``, ``sound`` or both.
        video_id: The original's id in the library, where it is there.
        sha256: Digest of the original's bytes.
        match_id: The stored match's id, once it is stored.
        confirmed: A person has looked at both and said that it is one.
    """

    reference: str
    bank: str
    score: float
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    transform: tuple[str, ...] = ()
    speed: float = 1.0
    by: tuple[str, ...] = ("picture",)
    video_id: str | None = None
    sha256: str = ""
    match_id: str | None = None
    confirmed: bool = False


@dataclass(frozen=True)
class CheapSignals:
    """What the prefilter reads from the media. ``None`` marks an absent modality.

    Attributes:
        extractor: Version of the extractor that made it (part of the cache key).
        frame_embeddings: float32 (frames <= 8, 1280), EfficientNet-Lite0 pooled features.
        frame_times_s: float32 (frames,).
        visual: float32 (V,), picture statistics (bars, static overlays, sharpness, ...).
        motion: float32 (M,), motion statistics.
        sound: float32 (S,), sound statistics; ``None`` without a sound track.
        frame_hashes: uint8 (frames, 32), PDQ hashes of the frames with embeddings.
        frame_quality: uint8 (frames,), PDQ's quality 0..100 of each hash.
        warnings: Codes that arose while extracting.
    """

    extractor: str
    frame_embeddings: NDArray[np.float32] | None = None
    frame_times_s: NDArray[np.float32] | None = None
    visual: NDArray[np.float32] | None = None
    motion: NDArray[np.float32] | None = None
    sound: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()
    frame_hashes: NDArray[np.uint8] | None = None
    frame_quality: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class ExpensiveSignals:
    """What only an escalated video gets. ``None`` marks an absent modality.

    Attributes:
        extractor: Version of the extractor that made it (part of the cache key).
        speech: Lines with times; empty if there is sound but nobody speaks.
        speech_understood: False where the recogniser's own log-probabilities say that it
            did not follow (another language, noise); ``None`` without speech.
        screen_text: Lines with times and boxes; empty if frames show none.
        frame_times_s: Seconds of the frames that were looked at.
        sound_states: float16 (T <= 120, 384), the speech recogniser's encoder states averaged
            to 2 a second from second 0; no rows for empty sound, ``None`` without sound.
        motion: float32 (M,), the MLLM stage's own motion statistics.
    """

    extractor: str
    speech: tuple[TimedText, ...] | None = None
    speech_understood: bool | None = None
    screen_text: tuple[TimedText, ...] | None = None
    frame_times_s: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    sound_states: NDArray[np.float16] | None = None
    motion: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class PolicyScore:
    """One model's answer on one policy.

    Attributes:
        probability: Calibrated, 0..1; ``None`` exactly when ``covered`` is False.
        covered: Whether this model can answer for this video at all.
        why_not: Reason where not covered, one of ``WhyNot``.
        label_mass: MLLM only: share of the next-token probability on the label tokens.
    """

    policy: str
    probability: float | None
    covered: bool = True
    why_not: str | None = None
    label_mass: float | None = None

    def __post_init__(self) -> None:
        if self.covered == (self.probability is None):
            raise ValueError(f"{self.policy}: covered scores have a probability, others have none")


@dataclass(frozen=True)
class Evidence:
    """One thing seen, heard or read.

    Attributes:
        quote: Verbatim from its source, or ``None`` where nothing is quotable.
        detail: One line on what it does to which score.
        policy: The policy it speaks to, or ``None`` for all.
        weight: Change of the policy's probability that it accounts for, signed.
    """

    modality: Modality
    start_s: float
    end_s: float
    quote: str | None
    detail: str
    policy: str | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Rationale:
    """Structured and two-sided: what speaks for a violation, against, what is uncertain."""

    summary: str
    points_for: tuple[str, ...] = ()
    points_against: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Cost:
    """What one video has cost so far. Milliseconds of wall time; tokens of the MLLM.

    ``copies_ms``: looking for copies, where that was part of scoring.
    """

    media_ms: float = 0.0
    prefilter_ms: float = 0.0
    expensive_signals_ms: float = 0.0
    mllm_ms: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    copies_ms: float = 0.0


@dataclass(frozen=True)
class Assessment:
    """One stage's answer for all policies it was asked about.

    Attributes:
        scores: By policy id.
        contributions: By policy id: the signals that moved the score most, signed, largest first.
        milliseconds: Wall time of the stage; in a cascade's result with the signals it needed.
    """

    stage: Stage
    model_version: str
    scores: dict[str, PolicyScore]
    evidence: tuple[Evidence, ...] = ()
    rationale: Rationale | None = None
    contributions: dict[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    milliseconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True)
class Route:
    """Where a video goes for one task, and which rule sent it there.

    Attributes:
        score: The rule's score (for ``entropy``: bits), ``None`` if nothing was covered.
        threshold: What the score was compared with.
        escalated: Whether the MLLM was due.
        audit: Whether it was drawn at random for a person's audit.
        propensity: Probability with which it was drawn (1.0 where no draw was made).
        reason: One line for people.
    """

    name: RouteName
    rule: str
    version: str
    score: float | None
    threshold: float
    escalated: bool
    audit: bool = False
    propensity: float = 1.0
    reason: str = ""


@dataclass(frozen=True)
class ShadowRoute:
    """Where a routing policy on trial would have sent a video; ``trial`` is the trial's id."""

    trial: str
    route: Route


@dataclass(frozen=True)
class FinalScore:
    """Both stages' probabilities of one policy beside the one that counts."""

    policy: str
    prefilter: float | None
    mllm: float | None
    final: float | None
    covered: bool
    why_not: str | None = None


@dataclass(frozen=True)
class TaskResult:
    """The cascade's answer for one task.

    Attributes:
        first_route: The prefilter's route, where the MLLM ran after it.
        shadow: What a routing policy on trial would have done; ``None`` where none runs.
    """

    task: str
    verdict: Verdict
    probability: float | None
    route: Route
    policies: dict[str, FinalScore]
    first_route: Route | None = None
    shadow: ShadowRoute | None = None


@dataclass(frozen=True)
class CascadeResult:
    """The cascade's answer for one video. ``results.result_json`` gives the promised JSON shape.

    ``copies``: what was found of earlier footage; ``None`` where nobody looked.
    """

    path: str | None
    sha256: str | None
    duration_s: float | None
    warnings: tuple[str, ...]
    tasks: dict[str, TaskResult]
    prefilter: Assessment
    mllm: Assessment | None
    cost: Cost
    info: MediaInfo | None = None
    cheap: CheapSignals | None = None
    expensive: ExpensiveSignals | None = None
    posted: PostedText = PostedText()
    item_id: str | None = None
    models: dict[str, str | None] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    copies: tuple[CopyMatch, ...] | None = None
