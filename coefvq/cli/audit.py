"""``coefvq audit``: whether the log of events is what was written."""

from __future__ import annotations

import json
import re
import sys

import click

from coefvq.errors import SettingsError
from coefvq.settings import load_settings
from coefvq.store.events import Head


@click.group()
def audit() -> None:
    """The chain of events."""


@audit.command()
@click.option(
    "--known", metavar="SEQ:HASH", help="An event that was noted elsewhere, as printed before."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def verify(known: str | None, as_json: bool) -> None:
    """Find the first event that was changed, removed, moved or put in; exit status 1 then."""
    from coefvq.store import events
    from coefvq.store.session import open_store

    noted = _head(known) if known else None
    with open_store(load_settings().url) as store, store.read() as session:
        head, broken = events.head(session), events.verify(session, noted)
    found = {
        "events": head.seq,
        "head": f"{head.seq}:{head.hash}",
        "ok": broken is None,
        "broken": None if broken is None else {"seq": broken.seq, "why": broken.why},
    }
    if as_json:
        click.echo(json.dumps(found))
    elif broken is None:
        click.echo(f"{head.seq} events, all as they were written. Newest: {found['head']}")
    else:
        click.echo(f"broken at event {broken.seq}: {broken.why}", err=True)
    sys.exit(0 if broken is None else 1)


def _head(text: str) -> Head:
    if not re.fullmatch(r"\d{1,12}:[0-9a-f]{64}", text):
        raise SettingsError(
            f"--known {text!r}: write SEQ:HASH, as `coefvq audit verify` prints it."
        )
    seq, digest = text.split(":")
    return Head(int(seq), digest)
