"""What one training example of the fused model is, before any tensor exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from coefvq.domain import TimedText
from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.compose import UCC_POLICIES
from coefvq.learning.text_corpora import HATE, SCAM

POLICIES = (VIOLENCE, HATE, SCAM, *UCC_POLICIES)
"""Slot order of the shipped model."""
ALWAYS = -1
"""Fold of what every run may train on."""
HELD = -2
"""Fold of what no run trains on."""

Place = Literal["speech", "screen_text", "caption", "pictures"]
PLACES: tuple[Place, ...] = ("speech", "screen_text", "caption")


@dataclass(frozen=True)
class Recognised:
    """Words that pass through a recogniser: spoken and heard, or drawn and read.

    Attributes:
        kind: ``hear``, ``hear_clearly`` (by voices that the recogniser follows well) or ``see``.
    """

    kind: Literal["hear", "hear_clearly", "see"]
    text: str
    seed: int


Words = Recognised | tuple[TimedText, ...] | None


@dataclass(frozen=True)
class Example:
    """One video's worth of text and footage, with what is known about it.

    Attributes:
        id: Unique in the mixture.
        part: Which part of the mixture it belongs to, e.g. ``video`` or ``composed_speech``.
        group: Items of one group never sit on both sides of a split; resampled together.
        fold: The run that must not train on it, or ``ALWAYS`` or ``HELD``.
        title: As posted.
        caption: As posted.
        speech: Lines, words to be recognised, or ``None`` where there is no sound.
        screen_text: The same for what is written in the picture.
        footage: Key of the clip whose pictures it shows, or ``None``.
        targets: 0 or 1 by policy; what is not here is not labelled.
        weights: Loss weight by policy, 1 where not given.
        evidence: Policy and place of known evidence, for the rationale.
        align: Whether the first phase may train on it.
    """

    id: str
    part: str
    group: str
    fold: int
    title: str | None = None
    caption: str | None = None
    speech: Words = None
    screen_text: Words = None
    footage: str | None = None
    targets: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[str, Place] | None = None
    align: bool = False

    @property
    def recognised(self) -> tuple[Recognised, ...]:
        """The words of this example that need a recogniser."""
        return tuple(w for w in (self.speech, self.screen_text) if isinstance(w, Recognised))
