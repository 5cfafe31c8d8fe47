"""A model that a training made and nothing uses yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coefvq.domain import Stage


@dataclass(frozen=True)
class Candidate:
    """What a training leaves in its folder.

    Attributes:
        stage: Which of the two models.
        version: Names the exact weights and calibration.
        folder: Holds the files of the model and nothing else: safetensors and JSON.
        parent: Version that it was made from.
        covers: Policies that it answers.
        metrics: Figures on what the training held out, plain JSON.
        options: What the training was asked for, plain JSON.
    """

    stage: Stage
    version: str
    folder: Path
    parent: str
    covers: frozenset[str]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
