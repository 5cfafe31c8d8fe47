"""Delete a video everywhere: rows, files, snapshots, and exports that may show it."""

from __future__ import annotations

import logging

from coefvq.errors import StoreError
from coefvq.export import desk
from coefvq.learning.dataset import removal
from coefvq.review import deletion
from coefvq.review.access import Actor
from coefvq.review.deletion import Deleted
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.store.tables import JobKind

log = logging.getLogger(__name__)


def delete_video(
    store: Store, settings: Settings, actor: Actor, video_id: str, reason: str
) -> Deleted:
    """Delete a video; see ``coefvq.review.deletion.delete_video``.

    It is taken out of the files of snapshots, which keep their ids. Exports that lie ready for a
    download were made with it or may have been: they go, and can be made again.

    Raises:
        NotAllowed, StoreError: As there.
    """
    done = deletion.delete_video(store, settings, actor, video_id, reason)
    _out_of_copies(store, settings)
    return done


def sweep(store: Store, settings: Settings) -> None:
    """Do what an earlier deletion could not finish."""
    deletion.sweep(store, settings)
    _out_of_snapshots(store, settings)


def _out_of_copies(store: Store, settings: Settings) -> None:
    _out_of_snapshots(store, settings)
    for export in desk.listed(store, OPERATOR):
        if export.kind == JobKind.EXPORT.value and not export.busy:
            desk.remove(store, settings, OPERATOR, export.id)


def _out_of_snapshots(store: Store, settings: Settings) -> None:
    try:
        removal.clean(store, settings)
    except (OSError, StoreError) as error:
        log.warning("removed videos are still in the files of a snapshot: %s", error)
