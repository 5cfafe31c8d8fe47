"""``coefvq originality``: originals in banks, and the copies of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coefvq.cli.progress import Progress, duration
from coefvq.errors import CoefVQError
from coefvq.results import error_json
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings, load_settings
from coefvq.store.originals import KNOWN, LIBRARY
from coefvq.store.session import Store, open_store

if TYPE_CHECKING:
    from coefvq.domain import CopyMatch, MediaInfo
    from coefvq.work.originality import Originals

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
_PATHS = click.argument("paths", nargs=-1, required=True, metavar="PATH...")
_FIELDS = ("query_start_s", "query_end_s", "reference_start_s", "reference_end_s")
Row = dict[str, Any]


@click.group()
def originality() -> None:
    """Find copies: originals in banks, their fingerprints, exchange of hashes."""


@originality.command()
@_PATHS
@click.option("--bank", default=KNOWN, show_default=True, metavar="BANK", help="Where to.")
@_JSON
def add(paths: tuple[str, ...], bank: str, as_json: bool) -> None:
    """Add originals; of a folder all files in it.

    What was added stays when this is stopped; called again it adds the rest.
    """
    from coefvq.store.originals import checked_bank

    _not_the_library(checked_bank(bank))
    settings = load_settings()
    files = list(_walk(paths))
    tell = Progress(len(files), "fingerprints")
    failed = 0
    with open_store(settings.url) as store:
        for done, path in enumerate(files, 1):
            row = _add(settings, store, path, bank)
            failed |= "error" in row
            _print_added(row, as_json)
            tell(done)
    sys.exit(failed)


@originality.command()
@_PATHS
@_JSON
def query(paths: tuple[str, ...], as_json: bool) -> None:
    """Find the originals that files show footage of, with the seconds."""
    from coefvq.work.originality import Originals

    settings = load_settings()
    files = list(_walk(paths))
    tell = Progress(len(files), "looked up", quiet=len(files) < 2)
    failed = 0
    with open_store(settings.url) as store:
        originals = Originals.open(store, settings)
        for done, path in enumerate(files, 1):
            found = _query(settings, originals, path)
            failed |= isinstance(found, CoefVQError)
            if as_json:
                click.echo(_json(_answer(path, found)))
            else:
                _print_matches(path, found)
            tell(done)
    sys.exit(failed)


@originality.command()
@click.argument("reference", metavar="REFERENCE")
@click.option("--bank", default=None, metavar="BANK", help="Only there; default: everywhere.")
def remove(reference: str, bank: str | None) -> None:
    """Remove what was added under a name: its fingerprint goes."""
    from coefvq.work import banks as work

    with open_store(load_settings().url) as store:
        for one in work.remove(store, OPERATOR, reference, bank):
            click.echo(f"removed from {one.bank}: {_plain(one.reference)}", err=True)


@originality.command()
@_JSON
def banks(as_json: bool) -> None:
    """List the banks and what is in them."""
    from coefvq.work import banks as work

    with open_store(load_settings().url) as store:
        found = work.listed(store, OPERATOR)
    for bank in found:
        if as_json:
            click.echo(json.dumps(asdict(bank)))
            continue
        old = f"\t{bank.outdated} made by an older version: add them again" if bank.outdated else ""
        seconds = duration(bank.duration_s)
        click.echo(f"{bank.name}\t{bank.references} originals\t{seconds}\t{bank.frames} looks{old}")
    if not found and not as_json:
        click.echo("Nothing was added yet. Add files: coefvq originality add PATH", err=True)


@originality.command()
def backfill() -> None:
    """Queue the library's videos that were never looked at for copies; a worker does it."""
    from coefvq.work.copies import backfill as queue_missing

    with open_store(load_settings().url) as store:
        count = queue_missing(store, OPERATOR)
    click.echo(f"{count} videos queued to be compared. Run: coefvq worker", err=True)


@originality.command("export")
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--bank", required=True, metavar="BANK", help="Which bank.")
@click.option("--reference", default=None, metavar="NAME", help="Only what has this name.")
def export_hashes(target: Path, bank: str, reference: str | None) -> None:
    """Write a bank's hashes as ThreatExchange reads them.

    FILE.jsonl takes all of the bank, a video a line; FILE.txt takes one video, a frame a line.
    """
    from coefvq.work.exchange import export_bank

    with open_store(load_settings().url) as store:
        count = export_bank(store, OPERATOR, target, bank, reference)
    click.echo(f"hashes of {count} originals written to {target}", err=True)


@originality.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--bank", required=True, metavar="BANK", help="Where to.")
@click.option("--name", default=None, metavar="NAME", help="What a FILE.txt is called.")
@_JSON
def import_hashes(source: Path, bank: str, name: str | None, as_json: bool) -> None:
    """Add originals of which only hashes are known: FILE.jsonl, or FILE.txt with one video."""
    from coefvq.work.exchange import import_file

    _not_the_library(bank)
    failed = 0
    with open_store(load_settings().url) as store:
        for line in import_file(store, OPERATOR, source, bank, name):
            row: Row = {"path": str(source), "line": line.number}
            if line.error is not None:
                row |= {"error": {"code": line.error.code, "message": str(line.error)}}
            else:
                row |= {"reference": line.reference, "status": "added" if line.new else "known"}
            failed |= "error" in row
            _print_added(row, as_json)
    sys.exit(failed)


def _not_the_library(bank: str) -> None:
    if bank == LIBRARY:
        raise click.UsageError(
            f"The bank {LIBRARY} holds the library's own videos: add them with coefvq ingest."
        )


def _walk(paths: Iterable[str]) -> Iterator[str]:
    """Files as they are named; of a folder all below it, by name, without hidden ones."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    yield os.path.join(folder, name)


def _add(settings: Settings, store: Store, path: str, bank: str) -> Row:
    from coefvq.work import banks as work

    try:
        info = _probe(settings, path)
        row: Row = {"path": path, "bank": bank, "sha256": info.sha256, "status": "known"}
        if work.known(store, OPERATOR, bank, path, info.sha256):
            return row
        fp = _fingerprint(settings, info)
        added, new = work.add(store, OPERATOR, fp, reference=path, sha256=info.sha256, bank=bank)
        return row | {"status": "added" if new else "known", "frames": added.frames}
    except CoefVQError as error:
        return error_json({"path": path}, error)


def _query(settings: Settings, originals: Originals, path: str) -> list[CopyMatch] | CoefVQError:
    try:
        info = _probe(settings, path)
        return originals.query(_fingerprint(settings, info), info.sha256)
    except CoefVQError as error:
        return error


def _answer(path: str, found: list[CopyMatch] | CoefVQError) -> Row:
    if isinstance(found, CoefVQError):
        return error_json({"path": path}, found)
    return {"path": path, "matches": [_match(one) for one in found]}


def _probe(settings: Settings, path: str) -> MediaInfo:
    from coefvq.media.limits import MediaLimits
    from coefvq.media.probe import probe

    return probe(path, MediaLimits.from_settings(settings))


def _fingerprint(settings: Settings, info: MediaInfo) -> Any:
    from coefvq.media.limits import MediaLimits
    from coefvq.signals.fingerprints import make_fingerprint

    return make_fingerprint(info, MediaLimits.from_settings(settings))


def _match(one: CopyMatch) -> Row:
    times = {name: round(float(getattr(one, name)), 2) for name in _FIELDS}
    return {
        "reference": one.reference,
        "bank": one.bank,
        "score": round(float(one.score), 4),
        **times,
        "transform": list(one.transform),
        "speed": round(float(one.speed), 3),
        "by": list(one.by),
    }


def _print_added(row: Row, as_json: bool) -> None:
    if as_json:
        click.echo(_json(row))
        return
    name = _plain(str(row.get("reference") or row["path"]))
    if "error" in row:
        at = f" line {row['line']}" if "line" in row else ""
        click.echo(f"{name}{at}: {row['error']['code']}: {_plain(row['error']['message'])}")
    else:
        click.echo(f"{name}: {'added' if row['status'] == 'added' else 'was there already'}")


def _print_matches(path: str, found: list[CopyMatch] | CoefVQError) -> None:
    name = _plain(path)
    if isinstance(found, CoefVQError):
        click.echo(f"{name}: {found.code}: {_plain(str(found))}")
        return
    click.echo(f"{name}: {len(found) or 'no'} match{'' if len(found) == 1 else 'es'}")
    for one in found:
        click.echo(_line(one))


def _line(one: CopyMatch) -> str:
    from coefvq.originality.words import clock, edit_words

    start, end, first, last = (clock(getattr(one, name)) for name in _FIELDS)
    words = [*edit_words(one), f"by {' and '.join(one.by)}"]
    return (
        f"  {one.score:.2f}  {start}-{end} is {first}-{last} of "
        f"{_plain(one.reference)} ({one.bank}), {', '.join(words)}"
    )


def _json(row: Row) -> str:
    """JSON that any terminal takes: a file's name may hold what UTF-8 cannot."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace").decode()


def _plain(text: str) -> str:
    """A name from outside, without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
