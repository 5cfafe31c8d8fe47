"""``coefvq export``."""

from __future__ import annotations

from pathlib import Path

import click

from coefvq.review.access import LOCAL
from coefvq.settings import load_settings
from coefvq.store.session import open_store

NAMES = ("ms-swift", "llama-factory", "llava", "hf", "trl", "label-studio", "csv", "dsa")


@click.command()
@click.option("--format", "name", required=True, metavar="FORMAT", help=", ".join(NAMES))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder; made where missing.",
)
@click.option("--since", default="", metavar="DAY", help="Decisions from this day on.")
@click.option("--until", default="", metavar="DAY", help="Decisions up to this day's end.")
@click.option("--task", "tasks", multiple=True, help="Of this task only; may be given again.")
@click.option("--policy", "policies", multiple=True, help="Labels of this policy only; again.")
@click.option("--role", "roles", multiple=True, help="Decisions in this role only; again.")
@click.option("--split", "splits", multiple=True, help="train, validation, test, golden; again.")
@click.option("--seed", default=0, show_default=True, help="Deals groups that have no split yet.")
@click.option("--snapshot", metavar="ID", help="Exactly the items of this dataset snapshot.")
@click.option("--media", default="", metavar="HOW", help="Videos: none (by path), link or copy.")
@click.option("--classes", is_flag=True, help="ms-swift: rows for classification, too.")
@click.option("--names", is_flag=True, help="Real names of reviewers in place of pseudonyms.")
def export(
    name: str,
    out: Path,
    since: str,
    until: str,
    tasks: tuple[str, ...],
    policies: tuple[str, ...],
    roles: tuple[str, ...],
    splits: tuple[str, ...],
    seed: int,
    snapshot: str | None,
    media: str,
    classes: bool,
    names: bool,
) -> None:
    """Export the corrections that stand, with a dataset card.

    Broken off, the same command goes on where it stopped.
    """
    from coefvq.cli.progress import Progress
    from coefvq.export.run import run_export
    from coefvq.export.wanted import Wanted, moment_from

    asked = Wanted(
        name, moment_from(since), moment_from(until, end=True), tasks, policies, roles, splits,
        seed, snapshot, names, media, classes,
    )  # fmt: skip
    settings = load_settings()
    with open_store(settings.url) as store:
        shown = Progress(100, f"{name}, percent")
        report = run_export(
            store, settings, LOCAL, asked, out,
            progress=lambda share, note: shown(int(share * 100), note=note),
        )  # fmt: skip
    click.echo(report.message, err=True)
    if report.resumed:
        click.echo("It went on where an earlier one had stopped.", err=True)
    if names:
        click.echo("warning: the files hold reviewers' real names.", err=True)
