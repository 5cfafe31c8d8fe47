"""Read a snapshot, and check that it is what it was."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.learning.dataset import files, removal
from coefvq.learning.dataset.files import Line
from coefvq.learning.dataset.snapshot import Snapshot, SnapshotView
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import snapshots
from coefvq.store.session import Store
from coefvq.store.tables import SnapshotRow


def read_snapshot(store: Store, settings: Settings, wanted: str | int) -> Snapshot:
    """Read a snapshot by its id, the beginning of its id, or its number.

    Videos that were removed since are not in it.

    Raises:
        StoreError: There is none, its file is missing, or it was changed on disk.
    """
    with store.read() as session:
        row = snapshots.find(session, wanted)
        gone = snapshots.removed(session, row.id)
    folder = settings.datasets_dir / row.id
    path = folder / files.ITEMS
    lines = list(files.read_lines(path))
    _check(row, lines, gone, str(path))
    if any(line.item is not None and line.video_id in gone for line in lines):
        removal.clean_quietly(store, settings, [row.id])  # a crash had left them
    items = (line.item for line in lines if line.item is not None and line.video_id not in gone)
    return Snapshot(row.id, row.number, tuple(items), row.document, folder)


def read_card(store: Store, settings: Settings, actor: Actor, wanted: str | int) -> str:
    """The card of a snapshot, as Markdown.

    Raises:
        StoreError: There is no such snapshot.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        row = snapshots.find(session, wanted)
        return removal.card_of(session, row)


def list_snapshots(store: Store, actor: Actor) -> list[SnapshotView]:
    """All snapshots, newest first."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        gone = snapshots.removed_numbers(session)
        return [_view(row, gone.get(row.id, 0)) for row in snapshots.listed(session)]


def show_snapshot(store: Store, actor: Actor, wanted: str | int) -> SnapshotView:
    """One snapshot without its items.

    Raises:
        StoreError: There is no such snapshot.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        return view_of(session, snapshots.find(session, wanted))


def view_of(session: Session, row: SnapshotRow) -> SnapshotView:
    """A row as people see it."""
    return _view(row, snapshots.removed_numbers(session).get(row.id, 0))


def _view(row: SnapshotRow, removed: int) -> SnapshotView:
    return SnapshotView(
        row.id,
        row.number,
        row.videos,
        row.labels,
        removed,
        row.note,
        row.made_by,
        row.made_at,
        row.document,
    )


def _check(row: SnapshotRow, lines: Sequence[Line], gone: frozenset[str], path: str) -> None:
    found = files.id_of(line.digest for line in lines)
    blank = [line.video_id for line in lines if line.item is None and line.video_id not in gone]
    if found == row.id and not blank:
        return
    what = f"lacks video {blank[0]}, which nobody removed" if found == row.id else f"is {found}"
    raise StoreError(
        f"Snapshot {row.number} was changed on disk: {path} {what}, and should be {row.id}. "
        "Restore it from a backup, or make a new snapshot."
    )
