"""``coefvq export``."""

from __future__ import annotations

from pathlib import Path

import click

from coefvq.errors import SettingsError, did_you_mean
from coefvq.settings import load_settings
from coefvq.store.session import open_store

FORMATS = ("csv",)


@click.command()
@click.option("--format", "name", required=True, metavar="FORMAT", help=", ".join(FORMATS))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder; made where missing.",
)
def export(name: str, out: Path) -> None:
    """Export the corrections that stand, with a dataset card."""
    from coefvq.export.csv import export_csv

    if name not in FORMATS:
        raise SettingsError(f"Unknown format '{name}'.{did_you_mean(name, FORMATS)}")
    settings = load_settings()
    with open_store(settings.url) as store:
        click.echo(export_csv(store, out, settings.media_dir).message, err=True)
