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
@click.option("--names", is_flag=True, help="Real names of reviewers in place of pseudonyms.")
def export(name: str, out: Path, names: bool) -> None:
    """Export the corrections that stand, with a dataset card."""
    from coefvq.export.csv import export_csv
    from coefvq.export.pseudonyms import by_name, pseudonyms

    if name not in FORMATS:
        raise SettingsError(f"Unknown format '{name}'.{did_you_mean(name, FORMATS)}")
    settings = load_settings()
    naming = by_name if names else pseudonyms(settings.home)
    with open_store(settings.url) as store:
        report = export_csv(store, out, settings.media_dir, naming=naming)
    click.echo(report.message, err=True)
    if names:
        click.echo("warning: the files hold reviewers' real names.", err=True)
