"""The seam of the MLLM stage: what every backend is given, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from coefvq.domain import (
    Assessment,
    CopyMatch,
    ExpensiveSignals,
    MediaInfo,
    PostedText,
    Rationale,
)

IsForeign = Callable[[str], bool]


@dataclass(frozen=True)
class MllmInput:
    """What the MLLM stage gets of one video.

    Attributes:
        posted: Title and caption as typed by the uploader.
        expensive: Speech, screen text and frame times.
        duration_s: Seconds, or ``None`` where only signals are known.
        info: The probed media, or ``None`` where only signals are known.
        copies: Earlier footage found in it. Models that were not trained on it pass it over.
    """

    posted: PostedText
    expensive: ExpensiveSignals
    duration_s: float | None
    info: MediaInfo | None = None
    copies: tuple[CopyMatch, ...] = ()


@runtime_checkable
class MllmBackend(Protocol):
    """A model that answers all policies of a video at once and can give its reasons."""

    @property
    def version(self) -> str:
        """Name and hash of the model; part of every stored assessment."""
        ...

    @property
    def covers(self) -> frozenset[str]:
        """Policies that this model was trained or prompted for."""
        ...

    def assess(self, item: MllmInput) -> Assessment:
        """Score every known policy; what cannot be answered is ``covered=False``."""
        ...

    def explain(self, item: MllmInput, assessment: Assessment) -> Rationale:
        """Give structured reasons for an assessment that ``assess`` made of this item."""
        ...
