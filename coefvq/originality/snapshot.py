"""An index on disk: one file that is whole or not there, and says so when it is damaged.

Magic, length and checksum of a JSON description, the description, then the arrays one after the
other. The description holds each array's name, type and shape, a checksum over all of them, and
what the index was made of. A file is written beside its place and renamed, so that a reader sees
the old or the new one. It can always be made again: nothing is lost with it.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import struct
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import CoefVQError

VERSION = 1
_MAGIC = b"CVIX"
_HEAD = struct.Struct("<4sII")
_MOST_DESCRIPTION = 1 << 20
_LEFT_S = 3600.0
Arrays = dict[str, NDArray[Any]]


class SnapshotError(CoefVQError):
    """A snapshot that is damaged or of another version; the index is made again."""

    code = "bad_snapshot"


def save(path: Path, arrays: Mapping[str, NDArray[Any]], made_of: str) -> None:
    """Write an index; whoever reads at the same time sees the one before.

    Args:
        path: Where; its folder is made.
        arrays: As ``Index.arrays`` gives them.
        made_of: What ``load`` must be asked for, such as the fingerprints' version.
    """
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    described = [[name, array.dtype.str, array.shape] for name, array in whole.items()]
    description = json.dumps(
        {
            "version": VERSION,
            "made_of": made_of,
            "arrays": described,
            "checksum": _checksum(whole),
        }
    ).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as out:
            out.write(_HEAD.pack(_MAGIC, len(description), zlib.crc32(description)) + description)
            for array in whole.values():
                out.write(array.data.cast("B") if array.size else b"")
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path, made_of: str) -> Arrays:
    """Read an index.

    Raises:
        FileNotFoundError: There is none.
        SnapshotError: It is damaged, cut off, of another version or made of something else.
    """
    with path.open("rb") as file:
        try:
            description = _description(file)
            if description["version"] != VERSION or description["made_of"] != made_of:
                raise SnapshotError(f"{path.name} is of another version.")
            arrays = _arrays(file, description["arrays"])
            whole = not file.read(1) and _checksum(arrays) == description["checksum"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise SnapshotError(f"{path.name} is damaged ({error}).") from error
    if not whole:
        raise SnapshotError(f"{path.name} is damaged (its checksum does not fit).")
    return arrays


def set_aside(path: Path) -> Path:
    """Move a file that cannot be used out of the way; an older one there is replaced."""
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    return aside


def _sweep(path: Path) -> None:
    """Remove what processes that were killed while they wrote have left."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with contextlib.suppress(OSError):  # another process may sweep or finish it just now
            if time.time() - left.stat().st_mtime > _LEFT_S:
                left.unlink()


def _description(file: BinaryIO) -> dict[str, Any]:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise ValueError("it is cut off")
    magic, length, checksum = _HEAD.unpack(head)
    if magic != _MAGIC or length > _MOST_DESCRIPTION:
        raise ValueError("it is no index")
    data = file.read(length)
    if len(data) < length or zlib.crc32(data) != checksum:
        raise ValueError("its description does not fit")
    found: dict[str, Any] = json.loads(data)
    return found


def _arrays(file: BinaryIO, described: list[tuple[str, str, list[int]]]) -> Arrays:
    left = os.fstat(file.fileno()).st_size - file.tell()
    arrays: Arrays = {}
    for name, kind, shape in described:
        array = np.empty(0, np.dtype(kind))
        size = array.itemsize * int(np.prod(shape, dtype=np.int64))
        if min(shape, default=0) < 0 or size > left:
            raise ValueError("it is cut off")
        left -= size
        arrays[name] = np.fromfile(file, array.dtype, size // array.itemsize).reshape(shape)
    return arrays


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays.values():
        digest.update(array.data.cast("B") if array.size else b"")
    return digest.hexdigest()
