"""``coefvq store``: back the store up, restore it, move it to another database."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from coefvq.settings import load_settings

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.tar")


@click.group()
def store() -> None:
    """Back up, restore, copy to another database."""


@store.command()
@_FILE
@click.option("--media", is_flag=True, help="The videos' files and previews, too.")
@_JSON
def backup(file: Path, media: bool, as_json: bool) -> None:
    """Write the database, models and data sets into one file; the app may go on."""
    from coefvq.ops.backup import backup as write

    made = asdict(write(load_settings(), file, media=media, progress=_say))
    told = f"{file}: {sum(made['rows'].values())} rows, newest event {made['head_seq']}"
    without = "" if media else "; without the videos' files (--media)"
    click.echo(json.dumps(made) if as_json else told + without)


@store.command()
@_FILE
@_JSON
def restore(file: Path, as_json: bool) -> None:
    """Restore a backup into an empty COEFVQ_HOME and an empty database."""
    from coefvq.ops.backup import restore as read

    made = asdict(read(load_settings(), file, progress=_say))
    told = f"restored {sum(made['rows'].values())} rows, newest event {made['head_seq']}"
    click.echo(json.dumps(made) if as_json else told)


@store.command("copy")
@click.option("--to", "url", required=True, help="Address of an empty database.")
@_JSON
def copy_(url: str, as_json: bool) -> None:
    """Copy everything into another, empty database, e.g. from SQLite to PostgreSQL."""
    from coefvq.ops.copy_store import copy_store
    from coefvq.store.session import open_store

    with open_store(load_settings().url) as source, open_store(url) as target:
        rows = copy_store(source, target, _say)
        told = f"copied {sum(rows.values())} rows to {target.url}"
    click.echo(json.dumps({"rows": rows}) if as_json else told)
    if not as_json:
        click.echo("Set COEFVQ_DATABASE_URL to it; the data folder stays where it is.", err=True)


def _say(table: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        click.echo(f"{table}: {done} of {total}", err=True)
