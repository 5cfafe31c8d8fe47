"""A snapshot as its readers have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from coefvq.errors import TrainingError, did_you_mean
from coefvq.learning.dataset.items import SPLITS, LabelledVideo


@dataclass(frozen=True)
class Snapshot:
    """A frozen set of labelled videos.

    Attributes:
        id: SHA-256 over its items; the same answers give the same id.
        number: Counts up from 1, for people.
        items: By video id; without the videos that were removed since.
        document: Counts, what it was made from, versions; plain JSON.
        folder: Holds ``items.jsonl`` and ``card.md``.
    """

    id: str
    number: int
    items: tuple[LabelledVideo, ...]
    document: Mapping[str, Any]
    folder: Path

    def split(self, *names: str) -> list[LabelledVideo]:
        """The items of some splits, in order of video id.

        Raises:
            TrainingError: There is no such split.
        """
        for name in names:
            if name not in SPLITS:
                raise TrainingError(f"There is no split '{name}'.{did_you_mean(name, SPLITS)}")
        return [item for item in self.items if item.split in names]


@dataclass(frozen=True)
class SnapshotView:
    """A snapshot in a list. ``removed``: how many of its videos were deleted since."""

    id: str
    number: int
    videos: int
    labels: int
    removed: int
    note: str
    made_by: str
    made_at: datetime
    document: Mapping[str, Any]
