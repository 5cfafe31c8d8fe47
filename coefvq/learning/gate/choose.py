"""Which videos a candidate is judged on: held-out ones, golden ones, and recent random audits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from coefvq.learning.dataset.items import LabelledVideo

LEARNT = ("train", "validation")
HELD_OUT = ("test", "golden")


@dataclass(frozen=True)
class Chosen:
    """The videos, and where they come from.

    Attributes:
        items: In the order of their ids.
        overlap: Held-out videos that the candidate learnt from: nothing may be judged on them.
        audits: Videos that are there because chance drew them since the training.
        of: Videos that there were before the largest number was taken.
    """

    items: tuple[LabelledVideo, ...]
    overlap: tuple[str, ...] = ()
    audits: int = 0
    of: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def choose(
    held_out: Iterable[LabelledVideo],
    recent: Iterable[LabelledVideo],
    learnt: Iterable[LabelledVideo],
    most: int | None = None,
) -> Chosen:
    """Pick the videos to judge on.

    Args:
        held_out: A snapshot; its splits ``test`` and ``golden`` are taken.
        recent: Everything that is labelled now: random audits that are new are taken.
        learnt: The snapshot that the candidate was trained from.
        most: Take at most so many, golden ones first, then by a hash of the id.
    """
    known = _Known.of(learnt)
    found: dict[str, LabelledVideo] = {}
    overlap = []
    for item in held_out:
        if item.split in HELD_OUT:
            if known.learnt(item, groups=False):
                overlap.append(item.video_id)
            found[item.video_id] = item
    audits = [
        item for item in recent
        if item.audit and item.video_id not in found and item.video_id not in known.ids
        and not known.learnt(item)
    ]  # fmt: skip
    found |= {item.video_id: item for item in audits}
    kept = _some(list(found.values()), most)
    new = {item.video_id for item in audits}
    counts = {name: sum(item.split == name and item.video_id not in new for item in kept)
              for name in HELD_OUT}  # fmt: skip
    drawn = sum(item.video_id in new for item in kept)
    return Chosen(kept, tuple(overlap), drawn, len(found), counts | {"audits": drawn})


@dataclass(frozen=True)
class _Known:
    """What a candidate has seen: videos, the bytes of their media, and the groups they are in."""

    ids: frozenset[str]
    seen: frozenset[str]
    media: frozenset[str]
    groups: frozenset[str]

    @classmethod
    def of(cls, learnt: Iterable[LabelledVideo]) -> _Known:
        everything = list(learnt)
        taught = [item for item in everything if item.split in LEARNT]
        return cls(
            frozenset(item.video_id for item in everything),
            frozenset(item.video_id for item in taught),
            frozenset(item.sha256 for item in taught if item.sha256),
            frozenset(item.group for item in taught),
        )

    def learnt(self, item: LabelledVideo, groups: bool = True) -> bool:
        """Whether it taught the candidate; with its group: or one of its kind did."""
        if item.video_id in self.seen or (item.sha256 is not None and item.sha256 in self.media):
            return True
        return groups and item.group in self.groups


def _some(items: Sequence[LabelledVideo], most: int | None) -> tuple[LabelledVideo, ...]:
    if most is not None and len(items) > most:
        items = sorted(items, key=lambda item: (item.split != "golden", _hash(item.video_id)))[
            :most
        ]
    return tuple(sorted(items, key=lambda item: item.video_id))


def _hash(video_id: str) -> str:
    return hashlib.sha256(video_id.encode()).hexdigest()
