"""Import a file, by the name of its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from coefvq.errors import SettingsError, did_you_mean
from coefvq.export.import_csv import read_csv
from coefvq.export.import_label_studio import read_label_studio
from coefvq.export.imports import Result, Told, take_in
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store

READERS: dict[str, Callable[[Path, Result], Iterator[Told]]] = {
    "csv": read_csv,
    "label-studio": read_label_studio,
}


def import_file(
    store: Store,
    settings: Settings,
    actor: Actor,
    name: str,
    path: Path,
    *,
    source: str | None = None,
    progress: Callable[[int], None] = lambda number: None,
) -> Result:
    """Take in what a file holds; rows that cannot be taken are told by their line.

    Args:
        source: The file's name for people, where it is another one.
        progress: Told how many decisions were looked at.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: No such format.
        ExportError: The file cannot be read at all.
    """
    require(actor, Permission.LEAD)
    check_format(name)
    result = Result()
    told = READERS[name](path, result)
    shown = source or path.name
    return take_in(store, settings, actor, told, result, source=shown, progress=progress)


def check_format(name: str) -> None:
    """Refuse a format that nothing reads.

    Raises:
        SettingsError: With the nearest known name.
    """
    if name not in READERS:
        raise SettingsError(f"Unknown format '{name}'.{did_you_mean(name, READERS)}")
