"""``coefvq video``: what the platform knows of videos."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.group()
def video() -> None:
    """Bring in what the platform knows of videos."""


@video.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def views(file: Path, as_json: bool) -> None:
    """Keep how often videos were seen: a CSV with video_id,views."""
    from coefvq.review.access import LOCAL
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work.trials import import_views

    with open_store(load_settings().url) as store:
        found = import_views(store, LOCAL, file)
    if as_json:
        click.echo(json.dumps({"kept": found.kept, "refused": list(found.refused)}))
    else:
        click.echo(f"views kept of {found.kept} videos")
        for line in found.refused:
            click.echo(line, err=True)
    sys.exit(1 if found.refused else 0)
