"""``coefvq batch``: score a backlog into a folder of Parquet."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from coefvq.cli.progress import Progress
from coefvq.settings import load_settings

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", type=_PATH, metavar="INPUT")
@click.argument("folder", type=_PATH, metavar="OUTPUT")
@click.option(
    "--engine", type=click.Choice(["local"]), default="local", show_default=True,
    help="local: this machine, one file after another.",
)  # fmt: skip
@click.option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run.")
@click.option("--no-store", is_flag=True, help="Keep nothing in the store.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def batch(
    source: Path, folder: Path, engine: str, retry_failed: bool, no_store: bool, as_json: bool
) -> None:
    """Score INPUT (a folder, or a CSV or Parquet with path[,video_id,title,caption]) into OUTPUT.

    Started again with the same two, it goes on where it was stopped.
    """
    from coefvq.work.backlog.items import read_backlog
    from coefvq.work.backlog.local import run_local
    from coefvq.work.backlog.output import Output

    items = read_backlog(source)
    output = Output(folder, items)
    if retry_failed:
        output.drop_errors()
    found = run_local(
        load_settings(), items, output, keep=not no_store, progress=Progress(len(items), "scored")
    )
    told = f"{found.scored} scored, {found.failed} failed, {found.before} done before: {folder}"
    click.echo(json.dumps(asdict(found)) if as_json else told)
    sys.exit(1 if found.failed else 0)
