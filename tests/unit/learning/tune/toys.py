"""Labelled videos made up of a few words, and what a tiny model is given of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from coefvq.domain import CheapSignals, ExpensiveSignals, MediaInfo, PostedText, TimedText
from coefvq.errors import MediaError
from coefvq.learning.dataset.items import LabelledVideo, Split
from coefvq.learning.tune.options import TuneOptions
from tests.unit.mllm.fused import parts

SCAM = "scam_spam"
GOOD, BAD = ("garden", "music", "bread"), ("freebie", "giveaway", "lottery")
QUICK = TuneOptions(items=60, held_items=20, item_steps=24, epochs=2, batch=4, novices=8)
_OTHERS: tuple[Split, ...] = ("validation", "test", "golden")


def video(number: int, policy: str = SCAM, **changes: Any) -> LabelledVideo:
    """A video whose words say whether it violates; seven of ten are to be learnt from."""
    bad = number % 2 == 1
    word = (BAD if bad else GOOD)[number % 3]
    given: dict[str, Any] = {
        "video_id": f"v{number:03}",
        "sha256": None,
        "posted": PostedText(f"{word} a{number % 7}", f"{word} again"),
        "group": f"g{number}",
        "split": "train" if number % 10 < 7 else _OTHERS[number % 10 - 7],
        "labels": {policy: int(bad)},
        "corrected": frozenset({policy}) if number % 3 == 0 else frozenset(),
    }
    return LabelledVideo(**(given | changes))


def videos(count: int = 50, policy: str = SCAM) -> list[LabelledVideo]:
    """Several of them."""
    return [video(number, policy) for number in range(count)]


class Heard:
    """Signals of a made-up video, from its number; some videos can be gone or broken."""

    def __init__(self, gone: frozenset[str] = frozenset(), broken: frozenset[str] = frozenset()):
        self._gone, self._broken = gone, broken
        self.asked: list[str] = []

    def cheap(self, item: LabelledVideo) -> CheapSignals | None:
        return None

    def info(self, item: LabelledVideo) -> MediaInfo | None:
        return None

    def expensive(self, item: LabelledVideo) -> ExpensiveSignals:
        self.asked.append(item.video_id)
        if item.video_id in self._gone:
            raise MediaError("the file is gone")
        chance = np.random.default_rng(int(item.video_id[1:]))
        motion = chance.normal(size=parts.MOTION).astype(np.float32)
        if item.video_id in self._broken:
            motion[:] = np.nan
        return ExpensiveSignals(
            "x",
            speech=(TimedText(0.0, 2.0, "we talk a bit"),),
            speech_understood=True,
            screen_text=(),
            sound_states=chance.normal(size=(9, parts.HEARD)).astype(np.float16),
            motion=motion,
        )


class Watch:
    """A monitor that remembers, and stops at a step if asked to."""

    def __init__(self, stop: str = "", at: int = 0):
        self._stop, self._at = stop, at
        self.parts: dict[str, tuple[int, int]] = {}
        self.losses: list[tuple[int, str, float]] = []

    def progress(self, done: int, total: int, what: str) -> None:
        assert 0 <= done <= total
        self.parts[what] = (done, total)

    def loss(self, step: int, name: str, value: float) -> None:
        self.losses.append((step, name, value))

    def check(self) -> None:
        from coefvq.errors import TrainingStopped

        if self._stop and self.parts.get(self._stop, (-1, 0))[0] >= self._at:
            raise TrainingStopped("stopped")


def files(folder: Path) -> dict[str, bytes]:
    """Bytes by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def relabelled(item: LabelledVideo, **changes: Any) -> LabelledVideo:
    """A changed video."""
    return replace(item, **changes)
