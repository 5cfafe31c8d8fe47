"""Take deleted videos out of the snapshots that they are in."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.learning.dataset import card, files
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import events, snapshots
from coefvq.store.session import Store
from coefvq.store.tables import SnapshotRow

log = logging.getLogger(__name__)

FORGOTTEN = "dataset.video_removed"


def forget_video(store: Store, settings: Settings, actor: Actor, video_id: str) -> int:
    """Remove a video from every snapshot: its texts go, the snapshots keep their ids.

    Whoever deletes the video itself calls ``coefvq.store.snapshots.forget_video`` in the same
    transaction, and ``clean`` after it.

    Returns:
        Out of how many snapshots it was taken.

    Raises:
        NotAllowed: The actor leads nobody.
        StoreError: A file cannot be read. The video is removed all the same, and readers pass it
            over.
        OSError: A file cannot be written; likewise.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        ids = snapshots.forget_video(session, video_id)
        if ids:
            data = {"snapshots": sorted(ids)}
            events.append(session, actor.name, FORGOTTEN, "video", video_id, data)
    clean(store, settings, ids)
    return len(ids)


def clean(store: Store, settings: Settings, ids: Iterable[str] | None = None) -> int:
    """Rewrite the files that still hold a removed video, and their cards.

    It can be run at any time, and again after a crash.

    Args:
        ids: Of the snapshots to look at; ``None``: all of which a video was removed.

    Returns:
        How many files were rewritten.

    Raises:
        StoreError: A file cannot be read.
        OSError: A file cannot be written; the old one stays.
    """
    with store.read() as session:
        wanted = snapshots.removed_numbers(session) if ids is None else ids
        rows = [row for each in wanted if (row := snapshots.get(session, each)) is not None]
        found = [(row, snapshots.removed(session, row.id), card_of(session, row)) for row in rows]
    count = 0
    for row, gone, text in found:
        folder = settings.datasets_dir / row.id
        if files.rewrite_without(folder / files.ITEMS, gone):
            count += 1
            files.write_whole(folder / files.CARD, text.rstrip("\n").encode().split(b"\n"))
    return count


def clean_quietly(store: Store, settings: Settings, ids: Iterable[str] | None = None) -> None:
    """``clean``; what cannot be written now is left for the next time."""
    try:
        clean(store, settings, ids)
    except (OSError, StoreError) as error:
        log.warning("removed videos are still in the files of a snapshot: %s", error)


def card_of(session: Session, row: SnapshotRow) -> str:
    """The card of a snapshot as it is now."""
    return card.render(row.id, row.document, snapshots.removed(session, row.id))
