"""Delete a video everywhere it left a trace; a lead asks for it, a legal hold forbids it."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import deletion, videos
from coefvq.store.session import Store
from coefvq.store.tables import MediaRow
from coefvq.store.text import storable

log = logging.getLogger(__name__)
REASON_LIMIT = 2000


@dataclass(frozen=True)
class Deleted:
    """What happened.

    Attributes:
        files: Files that were removed now.
        kept: Files that could not be removed yet; they are tried again by the worker.
        shared: Whether another video shows the same bytes, so that the file stays.
    """

    video_id: str
    files: int
    kept: tuple[str, ...]
    shared: bool


def delete_video(
    store: Store, settings: Settings, actor: Actor, video_id: str, reason: str
) -> Deleted:
    """Empty a video's rows and remove its files; see ``store.deletion`` for what stays.

    ``coefvq.work.deletion`` also takes it out of snapshots' files and of exports.

    Rows go in one transaction that also notes the files, so a process that is killed before it
    has removed them leaves a note and no reachable file.

    Args:
        reason: Why; kept in the event.

    Raises:
        NotAllowed: The actor leads nobody.
        StoreError: There is no such video, no reason is given, or a legal hold stands.
    """
    require(actor, Permission.LEAD)
    why = storable(reason)
    if why is None or len(why) > REASON_LIMIT:
        raise StoreError(f"Say why it is deleted, in 1 to {REASON_LIMIT} characters.")
    with store.write() as session:
        row = deletion.delete_video(session, video_id, actor.name, why)
        shared = bool(row.media.file_name)
    removed, kept = sweep(store, settings)
    return Deleted(video_id, removed, kept, shared)


def sweep(store: Store, settings: Settings) -> tuple[int, tuple[str, ...]]:
    """Remove the files that deletions have noted.

    Returns:
        How many are gone, and the names of those that could not be removed.
    """
    with store.read() as session:
        names = deletion.asked_for(session)
    done, kept = 0, []
    for name in names:
        with store.write() as session:
            if _in_use(session, name):  # the same bytes were uploaded again
                deletion.removed(session, name)
                continue
            try:
                _remove(settings.home, name)
            except OSError as error:
                log.warning("%s cannot be removed: %s", name, error)
                kept.append(name)
                continue
            deletion.removed(session, name)
        done += not name.endswith("*")
    return done, tuple(kept)


def is_deleted(store: Store, actor: Actor, video_id: str) -> bool:
    """Whether a video's content is gone.

    Raises:
        StoreError: There is no such video.
    """
    require(actor, Permission.VIEW)
    with store.read() as session:
        return videos.get(session, video_id).status == videos.DELETED


def _remove(home: Path, name: str) -> None:
    if not name.endswith("*"):
        (home / name).unlink(missing_ok=True)
        return
    for folder in (home / name).parent.glob(Path(name).name):
        shutil.rmtree(folder)


def _in_use(session: Session, name: str) -> bool:
    short = Path(name).name
    columns = (MediaRow.file_name, MediaRow.proxy, MediaRow.poster, MediaRow.contact_sheet)
    held = select(MediaRow.sha256).where(or_(*(column == short for column in columns)))
    return session.scalars(held.limit(1)).first() is not None
