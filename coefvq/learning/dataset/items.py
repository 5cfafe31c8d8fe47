"""What is known of a labelled video: the rows of a dataset snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from coefvq.domain import CheapSignals, ExpensiveSignals, MediaInfo, PostedText

Split = Literal["train", "validation", "test", "golden"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "golden")


@dataclass(frozen=True)
class LabelledVideo:
    """One video with what people said of it.

    Attributes:
        video_id: Of the library.
        sha256: Of the media; ``None`` where there is only text.
        posted: Title and caption; hostile text.
        group: Its uploader and near duplicates: one group never sits in two splits.
        split: ``train`` is learnt from, ``validation`` tunes and calibrates, ``test`` and
            ``golden`` only ever measure. A group keeps its split in every later snapshot; what is
            ``golden`` once is never learnt from again.
        labels: By policy 1 (violation) or 0; adjudicated where people differed. What is not here
            is not labelled.
        weights: By policy the trust in the label, 0..1: the share of the votes that agree.
        votes: By policy every person's answer, in order of time.
        propensity: Probability with which the video came to a person, in (0, 1]; the least one
            of its cases. ``propensities`` is exact.
        audit: Whether it was drawn at random out of the automatic outcomes, for any task.
        machine: By policy the probability that was on the screen; ``None``: not covered.
        corrected: Policies whose label differs from the machine's.
        span: Seconds that the reviewer marked, or ``None``.
        language: As detected, e.g. ``en``, or ``None``.
        decided_at: Of the decision that stands.
        propensities: By policy the probability with which its case came to a person: each task
            has draws of its own.
        audited: Policies whose case was drawn at random out of the automatic outcomes.
    """

    video_id: str
    sha256: str | None
    posted: PostedText
    group: str
    split: Split
    labels: Mapping[str, int]
    weights: Mapping[str, float] = field(default_factory=dict)
    votes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    propensity: float = 1.0
    audit: bool = False
    machine: Mapping[str, float | None] = field(default_factory=dict)
    corrected: frozenset[str] = frozenset()
    span: tuple[float, float] | None = None
    language: str | None = None
    decided_at: datetime | None = None
    propensities: Mapping[str, float] = field(default_factory=dict)
    audited: frozenset[str] = frozenset()


class Signals(Protocol):
    """What the models are shown of labelled videos; see ``dataset.signals``."""

    def cheap(self, item: LabelledVideo) -> CheapSignals | None:
        """The prefilter's signals; ``None`` without media.

        Raises:
            MediaError: The file cannot be read any more.
        """

    def expensive(self, item: LabelledVideo) -> ExpensiveSignals:
        """Speech and screen text, from the cache or extracted now."""

    def info(self, item: LabelledVideo) -> MediaInfo | None:
        """The probed file; ``None`` without media."""


@dataclass(frozen=True)
class GivenSignals:
    """Signals that are there already, by video: for sets without files."""

    by_video: Mapping[str, tuple[CheapSignals | None, ExpensiveSignals]] = field(
        default_factory=dict
    )

    def cheap(self, item: LabelledVideo) -> CheapSignals | None:
        """As given; ``None`` where nothing was."""
        return self.by_video[item.video_id][0] if item.video_id in self.by_video else None

    def expensive(self, item: LabelledVideo) -> ExpensiveSignals:
        """As given; without speech and screen text where nothing was."""
        if item.video_id in self.by_video:
            return self.by_video[item.video_id][1]
        return ExpensiveSignals("given")

    def info(self, item: LabelledVideo) -> MediaInfo | None:
        """There is no file."""
        return None
