"""Put the demo clips into the library, once.

A clip is added under an actor of its own, ``demo:<clip id>``, so the event that records its
upload, in the same transaction, is also the mark that it was added. Events are never removed:
a clip that somebody deletes does not come back, and a start that was interrupted goes on with
the clips that are missing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import select

from coefvq.demo.build import Progress, build_clip
from coefvq.demo.catalogue import CLIPS, DemoClip
from coefvq.review import uploads
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import leases
from coefvq.store.leases import Lease
from coefvq.store.session import Store
from coefvq.store.tables import EventRow, new_id

_ACTOR = "demo:"
_UPLOADED = "video.uploaded"
_KIND, _SUBJECT = "demo", "library"
# A clip takes a few seconds; a start that was killed must not hold the next one up for long.
_LEASE_S = 60.0


def ensure_demo(settings: Settings, store: Store, progress: Progress | None = None) -> list[str]:
    """Make the demo clips and queue them for scoring, each only once in the life of a store.

    A clip is queued as soon as its file is there, so that a worker can score the first ones
    while the others are made. While another process is at it, nothing is done.

    Args:
        progress: Called with the number of clips done, how many there are in all, and the
            title of the next one (empty at the end). Not called where nothing is to be done.

    Returns:
        The ids of the videos that were added now, in the order of the catalogue.

    Raises:
        MediaError: If the installed gradio package lacks a file that a clip is made from.
    """
    if not missing_clips(store):
        return []
    holder = new_id()
    lease = _claim(store, holder)
    if lease is None:
        return []
    try:
        return _add_missing(settings, store, holder, progress)
    finally:
        with store.write() as session:
            leases.release(session, _KIND, _SUBJECT, holder, lease.token)


def missing_clips(store: Store) -> list[DemoClip]:
    """The clips that were never added to this store, in the order of the catalogue."""
    query = select(EventRow.actor).where(
        EventRow.kind == _UPLOADED, EventRow.actor.startswith(_ACTOR, autoescape=True)
    )
    with store.read() as session:
        added = {actor.removeprefix(_ACTOR) for actor in session.scalars(query)}
    return [clip for clip in CLIPS if clip.id not in added]


def _add_missing(
    settings: Settings, store: Store, holder: str, progress: Progress | None
) -> list[str]:
    folder = settings.cache_dir / "demo"
    missing = missing_clips(store)
    before = len(CLIPS) - len(missing)
    added: list[str] = []
    for clip in missing:
        if _claim(store, holder) is None:
            return added
        if progress is not None:
            progress(before + len(added), len(CLIPS), clip.title)
        added.append(_add(settings, store, clip, folder))
    if progress is not None:
        progress(len(CLIPS), len(CLIPS), "")
    shutil.rmtree(folder, ignore_errors=True)
    return added


def _add(settings: Settings, store: Store, clip: DemoClip, folder: Path) -> str:
    return uploads.register(
        store,
        settings,
        Actor(_ACTOR + clip.id, frozenset({"uploader"})),
        build_clip(clip, folder),
        title=clip.title,
        caption=clip.caption,
        uploader=clip.uploader,
        move=False,  # another clip may be a copy of this one
    )


def _claim(store: Store, holder: str) -> Lease | None:
    with store.write() as session:
        return leases.claim(session, _KIND, _SUBJECT, holder, _LEASE_S)
