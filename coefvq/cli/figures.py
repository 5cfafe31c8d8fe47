"""``coefvq figures``: compute now what leads see on Insights."""

from __future__ import annotations

import json
import time

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a figure on stdout.")
def figures(as_json: bool) -> None:
    """Compute all figures in this process and keep them; the page shows them at once."""
    from coefvq.settings import load_settings
    from coefvq.store import taxonomies
    from coefvq.store.session import open_store
    from coefvq.work.figures import compute

    settings, begun = load_settings(), time.perf_counter()
    with open_store(settings.url) as store:
        taxonomies.follow(store)
        found = compute.compute(store, settings, report=_say)
        with store.write() as session:
            compute.keep(session, found)
    if as_json:
        for name, task, document in found:
            click.echo(json.dumps({"name": name, "task": task, "document": document}))
    click.echo(f"{len(found)} figures in {time.perf_counter() - begun:.1f} s", err=True)


def _say(share: float, note: str) -> None:
    click.echo(f"{share:4.0%} {note}", err=True)
