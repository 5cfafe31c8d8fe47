"""``coefvq import``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from coefvq.review.access import LOCAL
from coefvq.settings import load_settings
from coefvq.store.session import open_store


@click.command("import")
@click.option("--format", "name", required=True, metavar="FORMAT", help="csv, label-studio")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def import_(name: str, file: Path, as_json: bool) -> None:
    """Take decisions in that were exported or taken elsewhere; known ones are passed over."""
    from coefvq.export.take import import_file

    settings = load_settings()
    with open_store(settings.url) as store:
        result = import_file(store, settings, LOCAL, name, file)
    if as_json:
        told = {"taken": result.taken, "known": result.known, "refused": result.refused_count,
                "lines": [{"line": line, "why": why} for line, why in result.refused]}  # fmt: skip
        click.echo(json.dumps(told))
    else:
        click.echo(result.words(), err=True)
        for line, why in result.refused:
            click.echo(f"line {line}: {why}", err=True)
        if result.refused_count > len(result.refused):
            click.echo(f"and {result.refused_count - len(result.refused)} more", err=True)
    sys.exit(1 if result.refused_count else 0)
