"""Banks of hashes from files and into files, in ThreatExchange's formats."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coefvq.errors import CoefVQError, StoreError
from coefvq.originality.exchange import (
    Exchanged,
    ExchangeError,
    read_json,
    read_text,
    thinned,
    write_json,
    write_text,
)
from coefvq.originality.fingerprint import VERSION, Fingerprint, from_bytes
from coefvq.review.access import Actor, Permission, require
from coefvq.store import originals
from coefvq.store.originals import Original
from coefvq.store.session import Store
from coefvq.work.banks import add

MOST_BYTES = 1 << 30
"""Largest file of hashes that is read."""
_TEXT, _LINES = ".txt", ".jsonl"


@dataclass(frozen=True)
class Line:
    """What became of one video of a file.

    Attributes:
        number: Its line, from 1; 1 for a file with one video.
        reference: Its name in the bank.
        new: Whether it was not there before.
        error: Why it was not taken.
    """

    number: int
    reference: str = ""
    new: bool = False
    error: CoefVQError | None = None


def import_file(
    store: Store, actor: Actor, source: Path, bank: str, name: str | None = None
) -> Iterator[Line]:
    """Add the videos of a file of hashes to a bank; a bad one is told and the others are taken.

    Hashes that say the same as the one before them are left out (``thinned``).

    Args:
        source: ``.jsonl`` with a video a line, or vPDQ text with one video.
        name: What a text's video is called; default: the file's name.

    Raises:
        ExchangeError: The file cannot be read.
        StoreError: The bank's name cannot be used.
    """
    require(actor, Permission.UPLOAD)
    originals.checked_bank(bank)
    for number, found in _read(source, name):
        if isinstance(found, CoefVQError):
            yield Line(number, error=found)
            continue
        try:
            fp = thinned(found.fp)
            added, new = add(store, actor, fp, reference=found.name, sha256=found.sha256, bank=bank)
            yield Line(number, added.reference, new)
        except StoreError as error:
            yield Line(number, error=error)


def export_bank(
    store: Store, actor: Actor, target: Path, bank: str, reference: str | None = None
) -> int:
    """Write a bank's hashes; return of how many originals.

    Args:
        target: ``.jsonl`` for any number, ``.txt`` (vPDQ text) for one.
        reference: Only what was added under this name.

    Raises:
        StoreError: Nothing of that name, or nothing at all, is in the bank.
        ExchangeError: The format takes one video only, or the file cannot be written.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        rows = originals.in_bank(session, originals.checked_bank(bank))
    if reference is not None:
        rows = [row for row in rows if row.reference == reference]
    rows = [row for row in rows if row.version == VERSION]
    if not rows:
        raise StoreError(f"Bank {bank} holds nothing to write. List: coefvq originality banks")
    if target.suffix not in (_TEXT, _LINES):
        raise ExchangeError(f"{target}: name the file .jsonl (all videos) or .txt (one video).")
    if target.suffix == _TEXT and len(rows) > 1:
        raise ExchangeError(
            f"{target}: a .txt holds one video, and bank {bank} has {len(rows)}. "
            "Name one with --reference, or write a .jsonl."
        )
    _write(store, target, rows)
    return len(rows)


def _write(store: Store, target: Path, rows: list[Original]) -> None:
    """Beside its place first: a half-written file is never there under the name."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as out:
            for row, fp in _fingerprints(store, rows):
                if target.suffix == _TEXT:
                    out.writelines(write_text(fp))
                else:
                    out.write(write_json(row.reference, row.sha256, fp))
        beside.replace(target)
    except OSError as error:
        raise ExchangeError(f"{target}: cannot be written ({error.strerror}).") from error
    finally:
        beside.unlink(missing_ok=True)


def _fingerprints(store: Store, rows: list[Original]) -> Iterator[tuple[Original, Fingerprint]]:
    for row in rows:
        with store.read() as session:
            data = originals.fingerprints(session, [row.id]).get(row.id)
        if data:
            yield row, from_bytes(data)


def _read(source: Path, name: str | None) -> Iterator[tuple[int, Exchanged | CoefVQError]]:
    try:
        if source.stat().st_size > MOST_BYTES:
            raise ExchangeError(f"{source}: it is larger than {MOST_BYTES} bytes. Split it.")
        with source.open(encoding="utf-8-sig", errors="replace") as lines:
            if source.suffix == _LINES:
                yield from _videos(source, lines)
            else:
                yield 1, _one(source, lines, name)
    except OSError as error:
        raise ExchangeError(f"{source}: cannot be read ({error.strerror}).") from error


def _videos(source: Path, lines: Iterator[str]) -> Iterator[tuple[int, Exchanged | CoefVQError]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = read_json(line)
            yield number, _named(found, found.name or f"{source.name}:{number}")
        except ExchangeError as error:
            yield number, error


def _one(source: Path, lines: Iterator[str], name: str | None) -> Exchanged | CoefVQError:
    try:
        return _named(read_text(lines), name or source.name)
    except ExchangeError as error:
        return error


def _named(found: Exchanged, name: str) -> Exchanged:
    return Exchanged(name, found.sha256, found.fp)
