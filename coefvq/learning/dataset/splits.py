"""Which group goes into which split, for good.

A new group is drawn by a hash. A group that was in a snapshot before keeps its split. Groups may
merge later, when footage in common is found: the merged group goes to the most protected split
that any of its members was ever in, so that nothing once held out is ever learnt from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from coefvq.learning.dataset.items import Split

PROTECTION: tuple[Split, ...] = ("golden", "test", "validation", "train")
"""The most protected split first."""

SHARES: tuple[tuple[Split, float], ...] = (("train", 0.7), ("validation", 0.1), ("test", 0.2))
HELD_OUT: frozenset[Split] = frozenset({"golden", "test"})


@dataclass(frozen=True)
class Assigned:
    """The splits of all videos.

    Attributes:
        splits: By video.
        groups: By video, its group's members, the smallest first.
        merged: Videos that moved from one split into a more protected one.
        once_trained: Those of them that are held out now and could be learnt from before: an
            earlier model may know them, so they flatter it.
    """

    splits: dict[str, Split]
    groups: dict[str, tuple[str, ...]]
    merged: frozenset[str]
    once_trained: frozenset[str]


def assign(
    groups: Iterable[Sequence[str]],
    golden: Collection[str] = (),
    history: Mapping[str, Collection[str]] | None = None,
    seed: int = 0,
) -> Assigned:
    """Give each group a split.

    Args:
        groups: Ids of videos; no id in two groups.
        golden: Videos of which a case is or was ever golden.
        history: By video, every split that it was ever in.
        seed: Another seed deals groups that are new otherwise; it changes no others.
    """
    known, aside = history or {}, frozenset(golden)
    splits: dict[str, Split] = {}
    members_of: dict[str, tuple[str, ...]] = {}
    for group in groups:
        members = tuple(sorted(group))
        split = split_of(members, aside, known, seed)
        splits |= dict.fromkeys(members, split)
        members_of |= dict.fromkeys(members, members)
    before = {video: known[video] for video in splits if video in known}
    merged = frozenset(v for v, was in before.items() if _most_protected(was) != splits[v])
    trained = (v for v, was in before.items() if "train" in was and splits[v] in HELD_OUT)
    return Assigned(splits, members_of, merged, frozenset(trained))


def split_of(
    members: Sequence[str],
    golden: Collection[str],
    history: Mapping[str, Collection[str]],
    seed: int = 0,
) -> Split:
    """The split of one group."""
    if any(member in golden for member in members):
        return "golden"
    ever = {split for member in members for split in history.get(member, ())}
    return _most_protected(ever) if ever else drawn(min(members), seed)


def drawn(member: str, seed: int = 0) -> Split:
    """The split of a new group, by a hash of its smallest member."""
    digest = hashlib.sha256(f"{seed}:{member}".encode()).digest()
    at = int.from_bytes(digest[:8], "big") / 2**64
    for split, share in SHARES:
        at -= share
        if at < 0:
            return split
    return SHARES[-1][0]


def _most_protected(splits: Collection[str]) -> Split:
    return next(split for split in PROTECTION if split in splits)
