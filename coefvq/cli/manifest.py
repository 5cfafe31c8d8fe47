"""Reads ``ingest --manifest``: a CSV with ``path,title,caption,uploader``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coefvq.errors import SettingsError, did_you_mean

COLUMNS = ("path", "title", "caption", "uploader")


@dataclass(frozen=True)
class Entry:
    """One file to add, with what was posted beside it."""

    path: str
    title: str | None = None
    caption: str | None = None
    uploader: str | None = None


def read_manifest(path: Path) -> list[Entry]:
    """Read the file; relative paths are relative to it.

    Raises:
        SettingsError: If it is missing, is not UTF-8, lacks ``path`` or has an unknown column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check(path, reader.fieldnames or [])
            return [_entry(path, row) for row in reader if row.get("path")]
    except FileNotFoundError:
        raise SettingsError(f"No such manifest: {path}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} is not a CSV file in UTF-8: {error}") from None


def _check(path: Path, columns: Sequence[str]) -> None:
    if "path" not in columns:
        raise SettingsError(f"{path} needs a column 'path'; known columns: {', '.join(COLUMNS)}.")
    for column in columns:
        if column not in COLUMNS:
            raise SettingsError(
                f"{path}: unknown column '{column}'.{did_you_mean(column, COLUMNS)}"
            )


def _entry(manifest: Path, row: dict[str, str]) -> Entry:
    found = manifest.parent / row["path"]
    return Entry(str(found), *(row.get(name) or None for name in COLUMNS[1:]))
