"""Delete a video everywhere: rows, files, snapshots, and exports that may show it."""

from __future__ import annotations

from coefvq.export import desk
from coefvq.learning.dataset import removal
from coefvq.review import deletion
from coefvq.review.access import Actor
from coefvq.review.deletion import Deleted
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.store.tables import JobKind


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
    removal.clean_quietly(store, settings)


def _out_of_copies(store: Store, settings: Settings) -> None:
    removal.clean_quietly(store, settings)
    for export in desk.listed(store, OPERATOR):
        if export.kind == JobKind.EXPORT.value and not export.busy:
            desk.remove(store, settings, OPERATOR, export.id)
