"""One file that holds the store and what belongs to it, and the way back.

The database is kept as a SQLite file, whatever it is copied from, so that a backup of PostgreSQL
can be restored on a laptop and the other way round.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from coefvq import __version__
from coefvq.errors import StoreError
from coefvq.ops.copy_store import Progress, copy_store
from coefvq.settings import Settings
from coefvq.store import events
from coefvq.store.migrate import revision
from coefvq.store.session import open_store
from coefvq.store.tables import utcnow

FORMAT = 1
_DATABASE, _MANIFEST = "store.sqlite3", "manifest.json"
_SMALL = ("models", "datasets", "pseudonym.key")
"""Of the data folder, always kept: nobody can make them again."""
_LARGE = ("media", "previews")


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself; the first file in it.

    Attributes:
        head_seq: Number of the newest event, 0 where there is none.
        head_hash: Its hash.
        database_sha256: Digest of the database file.
        media: Whether the videos' files are in it.
    """

    format: int
    made_at: str
    program: str
    schema: str
    rows: dict[str, int]
    head_seq: int
    head_hash: str
    database_sha256: str
    media: bool


def backup(
    settings: Settings, file: Path, *, media: bool = False, progress: Progress | None = None
) -> Manifest:
    """Write a backup while the app goes on; the file appears whole or not at all.

    Args:
        file: A new tar file.
        media: Put the videos and their previews in, too; else they are to be kept another way.

    Raises:
        StoreError: The file is there already or cannot be written, or the chain is broken.
    """
    if file.exists():
        raise StoreError(f"{file} is there already. Give another name, or remove it.")
    part = file.with_name(f".{file.name}.part")
    try:
        with tempfile.TemporaryDirectory(dir=file.resolve().parent, prefix=".backup-") as folder:
            database = Path(folder) / _DATABASE
            rows = _database_into(settings, database, progress)
            made = _manifest(database, rows, media)
            _write(part, settings.home, database, made)
        os.replace(part, file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"The backup {file} cannot be written: {error}.") from error
    return made


def restore(settings: Settings, file: Path, *, progress: Progress | None = None) -> Manifest:
    """Restore a backup into an empty data folder and an empty database.

    Files are unpacked beside their places and renamed; the database comes last and in one
    transaction, so a restore that was stopped can be started again.

    Raises:
        StoreError: The file is no backup or is damaged, or there is a store already.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home, prefix=".restore-") as folder:
        unpacked = Path(folder)
        made = _unpack(file, unpacked)
        _check(unpacked / _DATABASE, made, file)
        with (
            open_store(f"sqlite:///{unpacked / _DATABASE}") as source,
            open_store(settings.url) as store,
        ):
            copy_store(source, store, progress)  # refuses a store that is not empty
        for name in (*_SMALL, *_LARGE):
            _put(unpacked / name, settings.home / name)
    return made


def read_manifest(file: Path) -> Manifest:
    """What a backup says of itself.

    Raises:
        StoreError: It is no backup, or of another format.
    """
    try:
        with tarfile.open(file) as tar:
            first = tar.next()
            held = tar.extractfile(first) if first and first.name == _MANIFEST else None
            body: dict[str, Any] = json.loads(held.read()) if held else {}
        if body.get("format") != FORMAT:
            raise StoreError(f"{file} is no backup of this program, or one of another format.")
        return Manifest(**body)
    except (OSError, tarfile.TarError, ValueError, TypeError, EOFError) as error:
        raise StoreError(f"{file} cannot be read as a backup: {error}.") from error


def _database_into(settings: Settings, database: Path, progress: Progress | None) -> dict[str, int]:
    with open_store(settings.url) as source, open_store(f"sqlite:///{database}") as copy:
        rows = copy_store(source, copy, progress)
        with copy.engine.connect() as connection:  # all into the one file
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return rows


def _manifest(database: Path, rows: dict[str, int], media: bool) -> Manifest:
    with open_store(f"sqlite:///{database}") as store:
        with store.read() as session:
            head = events.head(session)
            schema = revision(session.connection()) or ""
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Manifest(
        FORMAT, utcnow().isoformat(), __version__, schema, rows, head.seq, head.hash,
        _sha256(database), media,
    )  # fmt: skip


def _write(part: Path, home: Path, database: Path, made: Manifest) -> None:
    note = database.with_name(_MANIFEST)
    note.write_text(json.dumps(asdict(made), indent=1), encoding="utf-8")
    with tarfile.open(part, "w") as tar:
        tar.add(note, _MANIFEST)
        tar.add(database, _DATABASE)
        for name in (*_SMALL, *(_LARGE if made.media else ())):
            if (home / name).exists():
                tar.add(home / name, name, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Files and folders only, and nothing that is half written."""
    hidden = PurePosixPath(member.name).name.startswith(".")
    return member if (member.isfile() or member.isdir()) and not hidden else None


def _unpack(file: Path, folder: Path) -> Manifest:
    made = read_manifest(file)
    try:
        with tarfile.open(file) as tar:
            tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError, EOFError) as error:
        raise StoreError(f"{file} cannot be unpacked: {error}. Nothing was restored.") from error
    return made


def _check(database: Path, made: Manifest, file: Path) -> None:
    if not database.is_file() or _sha256(database) != made.database_sha256:
        raise StoreError(f"{file} is damaged: its database is not the one that was backed up.")


def _put(source: Path, target: Path) -> None:
    """Merge what was unpacked into its place; what is there already stays."""
    if source.is_file():
        if not target.exists():
            os.replace(source, target)
    elif source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for each in source.iterdir():
            _put(each, target / each.name)
        shutil.rmtree(source, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
