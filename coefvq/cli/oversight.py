"""``coefvq appeal`` and ``coefvq hold``. Whoever runs this has the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from coefvq.review import appeals, holds
from coefvq.review.users import OPERATOR
from coefvq.settings import load_settings
from coefvq.store.session import open_store

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
_REASON = click.option("--reason", required=True, help="Why; it is kept.")


@click.group()
def appeal() -> None:
    """Appeals against decisions."""


@appeal.command("file")
@click.argument("case_id", metavar="CASE")
@click.argument("text")
def file_(case_id: str, text: str) -> None:
    """File an appeal against the decision that stands on a case, in the uploader's words."""
    with open_store(load_settings().url) as store:
        made = appeals.file(store, OPERATOR, case_id, text)
    click.echo(made.id)


@appeal.command("list")
@click.option("--all", "every", is_flag=True, help="Resolved ones, too.")
@_JSON
def list_appeals(every: bool, as_json: bool) -> None:
    """List appeals, those filed first come first."""
    with open_store(load_settings().url) as store:
        state = None if every else appeals.OPEN
        found = appeals.list_appeals(store, OPERATOR, state, limit=1_000_000)
    _print(found.items, as_json, "{id}\t{state}\t{case_id}\t{title!r}\t{text!r}")


@appeal.command()
@click.argument("appeal_id", metavar="ID")
@_REASON
def uphold(appeal_id: str, reason: str) -> None:
    """Let the decision stay."""
    settings = load_settings()
    with open_store(settings.url) as store:
        made = appeals.uphold(store, settings, OPERATOR, appeal_id, reason)
    click.echo(f"The decision on case {made.case_id} stays.", err=True)


@appeal.command()
@click.argument("appeal_id", metavar="ID")
@_REASON
def overturn(appeal_id: str, reason: str) -> None:
    """Decide that nothing is violated, and keep the video."""
    settings = load_settings()
    with open_store(settings.url) as store:
        made = appeals.overturn(store, settings, OPERATOR, appeal_id, reason)
    click.echo(f"The decision on case {made.case_id} is overturned.", err=True)


@click.group()
def hold() -> None:
    """Legal holds: while one stands, nothing deletes its video."""


@hold.command()
@click.argument("video_id", metavar="VIDEO")
@_REASON
def place(video_id: str, reason: str) -> None:
    """Place a hold on a video."""
    with open_store(load_settings().url) as store:
        made = holds.place(store, OPERATOR, video_id, reason)
    click.echo(made.id)


@hold.command()
@click.argument("hold_id", metavar="ID")
@_REASON
def release(hold_id: str, reason: str) -> None:
    """End a hold."""
    with open_store(load_settings().url) as store:
        made = holds.release(store, OPERATOR, hold_id, reason)
    click.echo(f"Video {made.video_id} is free of hold {hold_id}.", err=True)


@hold.command("list")
@click.option("--released", is_flag=True, help="Those that ended, too.")
@_JSON
def list_holds(released: bool, as_json: bool) -> None:
    """List holds, newest first."""
    with open_store(load_settings().url) as store:
        found = holds.list_holds(store, OPERATOR, released)
    _print(found, as_json, "{id}\t{video_id}\t{placed_by}\t{title!r}\t{reason!r}")


def _print(found: Iterable[Any], as_json: bool, line: str) -> None:
    for one in found:
        fields = asdict(one)
        click.echo(json.dumps(fields, default=_iso) if as_json else line.format(**fields))


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
