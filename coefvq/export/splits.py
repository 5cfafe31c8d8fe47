"""Which split a video is exported in: the one that a dataset snapshot of now would give it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.learning.dataset import groups, splits
from coefvq.learning.dataset.items import Split
from coefvq.store import decisions, labelled, snapshots
from coefvq.store.tables import CaseRow, DecisionRow

MOST_COMPARED = 20_000
"""Among more labelled videos than this, look-alikes are not searched: it would take minutes. A
dataset snapshot searches them all."""


@dataclass(frozen=True)
class Dealt:
    """The split of each video.

    Attributes:
        by_look: Whether videos that look alike were joined; else only those of one uploader, of
            the same bytes, texts or footage.
        seed: What new groups were dealt with; ``None`` where a snapshot had dealt them.
    """

    splits: Mapping[str, Split]
    by_look: bool = True
    seed: int | None = None


def deal(session: Session, seed: int = 0) -> Dealt:
    """Deal all videos of the library as a snapshot would; groups keep the split they had."""
    uploads = list(labelled.uploads(session))
    decided = frozenset(session.scalars(_decided_videos()))
    few = len(decided) <= MOST_COMPARED
    digests = {upload.sha256 for upload in uploads if upload.video_id in decided} if few else set()
    sets = groups.components(
        uploads, decided, labelled.matched_files(session), _vectors(session, digests)
    )
    golden = {row.video_id for row in labelled.golden(session)}
    made = splits.assign(sets, golden, snapshots.splits_so_far(session), seed)
    return Dealt(made.splits, few, seed)


def _decided_videos():  # type: ignore[no-untyped-def]
    query = select(CaseRow.video_id).join(DecisionRow, DecisionRow.case_id == CaseRow.id)
    return query.where(decisions.stands()).distinct()


def _vectors(session: Session, digests: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """What media look like, by the version that most of them have."""
    if not digests:
        return {}
    by_version: dict[str, dict[str, NDArray[np.float32]]] = {}
    for sha256, version, vector in labelled.vectors(session, digests):
        row = np.frombuffer(vector, np.float16).astype(np.float32)
        by_version.setdefault(version, {})[sha256] = row
    return max((by_version[name] for name in sorted(by_version)), key=len, default={})
