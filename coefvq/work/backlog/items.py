"""What a backlog consists of: a folder of files, or a CSV or Parquet that lists them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coefvq.errors import SettingsError, did_you_mean

COLUMNS = ("path", "video_id", "title", "caption")
SUFFIXES = frozenset(
    f".{name}"
    for name in (
        "mp4", "mov", "m4v", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "3gp", "flv", "wmv",
        "ogv", "gif",
    )
)  # fmt: skip
"""Files of a folder that are taken; a table may list any file."""


@dataclass(frozen=True)
class BacklogItem:
    """One file to score. ``key`` is its video id, else its path: unique in a backlog."""

    path: str
    video_id: str | None = None
    title: str | None = None
    caption: str | None = None

    @property
    def key(self) -> str:
        """What says that it is done."""
        return self.video_id or self.path


def read_backlog(source: Path) -> list[BacklogItem]:
    """Read a backlog; relative paths in a table are relative to it.

    Raises:
        SettingsError: It is missing, empty, has no column ``path`` or an unknown one, or lists
            something twice.
    """
    if source.is_dir():
        found = list(_of_folder(source))
    elif not source.is_file():
        raise SettingsError(f"No such folder or table: {source}")
    else:
        found = [_item(source, row) for row in _rows(source) if row.get("path")]
    if not found:
        raise SettingsError(f"{source} names no file to score.")
    twice = [key for key, number in Counter(item.key for item in found).items() if number > 1]
    if twice:
        raise SettingsError(f"{source} lists {twice[0]!r} more than once ({len(twice)} such).")
    return found


def _of_folder(folder: Path) -> Iterator[BacklogItem]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield BacklogItem(str(path))


def _rows(table: Path) -> Iterator[Mapping[str, Any]]:
    if table.suffix.lower() in (".parquet", ".pq"):
        yield from _of_parquet(table)
        return
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check(table, reader.fieldnames or [])
            yield from reader
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{table} is not a CSV file in UTF-8: {error}") from None


def _of_parquet(table: Path) -> Iterator[Mapping[str, Any]]:
    from coefvq.work.backlog.parquet import pyarrow

    pa, pq = pyarrow()
    try:
        held = pq.ParquetFile(table)
        _check(table, held.schema_arrow.names)
        for batch in held.iter_batches():
            yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise SettingsError(f"{table} cannot be read as Parquet: {error}") from None


def _check(table: Path, columns: Iterable[str]) -> None:
    names = list(columns)
    if "path" not in names:
        raise SettingsError(f"{table} needs a column 'path'; known: {', '.join(COLUMNS)}.")
    for name in names:
        if name not in COLUMNS:
            raise SettingsError(f"{table}: unknown column '{name}'.{did_you_mean(name, COLUMNS)}")


def _item(table: Path, row: Mapping[str, Any]) -> BacklogItem:
    texts = {name: str(row[name]) if row.get(name) else None for name in COLUMNS[1:]}
    return BacklogItem(str(table.parent / str(row["path"])), **texts)
