"""The unfinished files of an export: appended to, cut back to the last checkpoint, put in place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from coefvq.errors import ExportError

UNFINISHED, STATE, MANIFEST = ".unfinished", "state.json", "manifest.json"
_BUFFER = 1 << 20
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Output:
    """Files under one folder, by name relative to it. Open them with ``resume``.

    A JSON list is written like lines: ``item`` puts the brackets and commas.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, IO[bytes]] = {}
        self._sizes: dict[str, int] = {}

    def resume(self, sizes: Mapping[str, int]) -> None:
        """Cut all files back to what they were at a checkpoint, and remove later ones.

        Raises:
            ExportError: A file is shorter than that: it was changed on disk.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, size in sizes.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_size < size:
                raise ExportError(f"{path} was changed on disk.")
            os.truncate(path, size)
        for name in listed(self.folder):
            if name not in sizes and not is_media(name):
                (self.folder / name).unlink()
        self._sizes = dict(sizes)

    def write(self, name: str, data: bytes) -> None:
        """Append bytes to a file."""
        file = self._open.get(name)
        if file is None:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a checkpoint nothing of an earlier try may stay in it.
            mode = "ab" if self._sizes.get(name) else "wb"
            file = self._open[name] = path.open(mode, buffering=_BUFFER)
        file.write(data)
        self._sizes[name] = self._sizes.get(name, 0) + len(data)

    def line(self, name: str, row: Any) -> None:
        """Append one JSON object and the end of the line."""
        self.write(name, to_json(row) + b"\n")

    def item(self, name: str, row: Any) -> None:
        """Append one element of a JSON list; ``close_list`` ends it."""
        lead = b",\n" if self._sizes.get(name) else b"[\n"
        self.write(name, lead + to_json(row))

    def close_list(self, name: str) -> None:
        """End a JSON list; one without elements becomes an empty one."""
        self.write(name, b"\n]\n" if self._sizes.get(name) else b"[]\n")

    def text(self, name: str, text: str) -> None:
        """Write a whole file in place of what it was."""
        self.drop(name)
        self.write(name, text.encode("utf-8", "replace"))

    def drop(self, name: str) -> None:
        """Remove a file."""
        file = self._open.pop(name, None)
        if file is not None:
            file.close()
        self._sizes.pop(name, None)
        (self.folder / name).unlink(missing_ok=True)

    def size(self, name: str) -> int:
        """Bytes written to a file so far; 0 where there is none."""
        return self._sizes.get(name, 0)

    def has(self, name: str) -> bool:
        """Whether anything was written to a file."""
        return name in self._sizes

    def path(self, name: str) -> Path:
        """Where a file lies; what was appended is on it."""
        if name in self._open:
            self._open[name].flush()
        return self.folder / name

    def checkpoint(self) -> dict[str, int]:
        """Bring everything to the disk; return the sizes, which ``resume`` takes."""
        for file in self._open.values():
            file.flush()
            os.fsync(file.fileno())
        return dict(self._sizes)

    def close(self) -> None:
        """Close all files; a full disk is told by whoever closes them first."""
        files, self._open = list(self._open.values()), {}
        for file in files:
            with contextlib.suppress(OSError):
                file.close()


def is_media(name: str) -> bool:
    """Whether a file is a video or a frame: named by its content, it stays when one goes on."""
    folders = Path(name).parts[:-1]
    return bool({"videos", "frames", "videofolder"} & set(folders)) and not name.endswith(".jsonl")


def to_json(row: Any) -> bytes:
    """One line of JSON in UTF-8."""
    return _encode(row).encode("utf-8", "replace")


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Keep a checkpoint, in one step."""
    part = folder / f"{STATE}.part"
    with part.open("wb") as file:
        file.write(to_json(state))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / STATE)


def read_state(folder: Path) -> dict[str, Any] | None:
    """The last checkpoint; ``None`` where there is none that can be read."""
    try:
        found = json.loads((folder / STATE).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def listed(folder: Path) -> Iterator[str]:
    """Names of all files under a folder but the checkpoint's, sorted; links are not followed."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            found = (Path(root) / name).relative_to(folder).as_posix()
            if found not in (STATE, f"{STATE}.part"):
                yield found


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_in_place(unfinished: Path, folder: Path) -> None:
    """Move all files of a finished export into its folder, in place of the one before.

    The manifest goes first and comes last: a folder without one is not whole, and what is left
    to move is moved by the next export into it.
    """
    old = read_manifest(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    names = [name for name in listed(unfinished) if name != MANIFEST]
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(unfinished / name, target)
    for name in {each["name"] for each in (old or {}).get("files", ())} - set(names):
        _remove_old(folder, str(name))
    if (unfinished / MANIFEST).exists():
        os.replace(unfinished / MANIFEST, folder / MANIFEST)
    shutil.rmtree(unfinished, ignore_errors=True)


def _remove_old(folder: Path, name: str) -> None:
    """Remove a file that the export before had made, and its folders that are empty then."""
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        return
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What an export says of itself; ``None`` where there is no whole one."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_full(error: OSError) -> bool:
    """Whether there was no room."""
    return error.errno in _FULL
