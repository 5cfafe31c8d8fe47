"""``coefvq report``: a month in one file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from coefvq.errors import SettingsError


@click.command()
@click.option("--month", required=True, metavar="YYYY-MM", help="The month, in UTC.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.html",
              help="Where the report is written.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON object on stdout.")
def report(month: str, out: Path | None, as_json: bool) -> None:
    """Write a month's report as one HTML file; a browser prints it to PDF."""
    from coefvq.review.users import OPERATOR
    from coefvq.settings import load_settings
    from coefvq.store import taxonomies
    from coefvq.store.session import open_store
    from coefvq.work.report import figures_of, render

    if out is None and not as_json:
        raise SettingsError("Nothing to do: give --out FILE.html, --json, or both.")
    if out is not None and not out.parent.is_dir():
        raise SettingsError(f"There is no folder {out.parent} to write {out.name} in.")
    with open_store(load_settings().url) as store:
        taxonomies.follow(store)
        found = figures_of(store, OPERATOR, month)
    if out is not None:
        draft = out.with_name(out.name + ".part")
        draft.write_text(render(found), "utf-8")
        draft.replace(out)
        click.echo(f"Wrote {out}.", err=True)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
