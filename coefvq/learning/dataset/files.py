"""A snapshot's items on disk: one canonical JSON object a line, addressed by their hash.

The id of a snapshot is the SHA-256 over the SHA-256 of each line, in order of video id. A video
that was removed later leaves a line with nothing but its id and the hash of the line that stood
there: the texts are gone, and the id can still be checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coefvq.domain import PostedText
from coefvq.errors import StoreError
from coefvq.learning.dataset.items import LabelledVideo

ITEMS, CARD = "items.jsonl", "card.md"
_REMOVED = "removed"
_MAPS = ("labels", "weights", "machine", "propensities")
_SETS = ("corrected", "audited")


@dataclass(frozen=True)
class Line:
    """One line of an item file.

    Attributes:
        digest: SHA-256 of the line as it was first written.
        item: ``None``: it was removed from the file.
    """

    video_id: str
    digest: str
    item: LabelledVideo | None


def line_of(item: LabelledVideo) -> bytes:
    """An item as canonical JSON, without the end of the line."""
    data: dict[str, Any] = {field.name: getattr(item, field.name) for field in fields(item)}
    data["posted"] = {"title": item.posted.title, "caption": item.posted.caption}
    data["votes"] = {policy: list(answers) for policy, answers in item.votes.items()}
    data["span"] = None if item.span is None else list(item.span)
    data["decided_at"] = None if item.decided_at is None else _iso(item.decided_at)
    data |= {name: dict(data[name]) for name in _MAPS}
    data |= {name: sorted(data[name]) for name in _SETS}
    return _canonical(data)


def item_of(data: dict[str, Any]) -> LabelledVideo:
    """Inverse of ``line_of``, of its parsed JSON.

    Raises:
        TypeError, KeyError, ValueError: It is no item.
    """
    values = dict(data)
    values["posted"] = PostedText(**data["posted"])
    values["votes"] = {policy: tuple(answers) for policy, answers in data["votes"].items()}
    values["span"] = None if data["span"] is None else (data["span"][0], data["span"][1])
    at = data["decided_at"]
    values["decided_at"] = None if at is None else datetime.fromisoformat(at)
    values |= {name: frozenset(data[name]) for name in _SETS}
    return LabelledVideo(**values)


def digest_of(line: bytes) -> str:
    """SHA-256 of one line."""
    return hashlib.sha256(line).hexdigest()


def id_of(digests: Iterable[str]) -> str:
    """The snapshot's id, from the digests of its lines in order."""
    whole = hashlib.sha256()
    for digest in digests:
        whole.update(digest.encode("ascii") + b"\n")
    return whole.hexdigest()


def read_lines(path: Path) -> Iterator[Line]:
    """Read an item file.

    Raises:
        StoreError: It is not there, or a line is no item.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                yield _line(path, number, raw.rstrip(b"\n"))
    except OSError as error:
        raise StoreError(
            f"The items of a snapshot cannot be read: {error}. Restore {path} from a backup, or "
            "make a new snapshot."
        ) from error


def rewrite_without(path: Path, gone: Collection[str]) -> bool:
    """Take videos out of an item file, in one step; their lines keep only id and digest.

    Returns:
        Whether there was anything to take out.

    Raises:
        StoreError: The file cannot be read.
        OSError: It cannot be written; the old one stays.
    """
    if not any(line.item is not None and line.video_id in gone for line in read_lines(path)):
        return False
    with path.open("rb") as old:
        write_whole(path, (_kept(raw.rstrip(b"\n"), gone) for raw in old))
    return True


def write_whole(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file and put it in its place once it is on the disk; else the old one stays."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _kept(raw: bytes, gone: Collection[str]) -> bytes:
    data = json.loads(raw)
    if _REMOVED in data or data["video_id"] not in gone:
        return raw
    return _canonical({_REMOVED: digest_of(raw), "video_id": data["video_id"]})


def _line(path: Path, number: int, raw: bytes) -> Line:
    try:
        data = json.loads(raw)
        if _REMOVED in data:
            return Line(str(data["video_id"]), str(data[_REMOVED]), None)
        return Line(str(data["video_id"]), digest_of(raw), item_of(data))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise StoreError(
            f"Line {number} of {path} is no item of a snapshot ({error}). Restore the file from a "
            "backup, or make a new snapshot."
        ) from error


def _canonical(data: dict[str, Any]) -> bytes:
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
