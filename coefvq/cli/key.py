"""``coefvq key``: keys with which programs call the HTTP API."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from coefvq.review import api_keys
from coefvq.review.users import OPERATOR
from coefvq.settings import load_settings
from coefvq.store.session import open_store

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def key() -> None:
    """Keys of programs that call the HTTP API."""


@key.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="read, submit, decide or metrics."
)
@click.option("--days", type=float, default=None, help="How long it holds [default: for good].")
@_JSON
def create(name: str, scopes: tuple[str, ...], days: float | None, as_json: bool) -> None:
    """Make a key and print it; it is shown this once."""
    with open_store(load_settings().url) as store:
        made = api_keys.create(store, OPERATOR, name, scopes, days)
    click.echo(json.dumps({"name": name, "key": made}) if as_json else made)
    click.echo("Keep it now: nobody can read it again.", err=True)


@key.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List keys, never their secrets."""
    with open_store(load_settings().url) as store:
        found = api_keys.list_keys(store, OPERATOR)
    for one in found:
        fields = asdict(one)
        line = "{name}\t{state}\t{scopes}\tlast used {last_used_at}"
        click.echo(json.dumps(fields, default=_iso) if as_json else line.format(**fields))


@key.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End a key now."""
    with open_store(load_settings().url) as store:
        api_keys.revoke(store, OPERATOR, name)
    click.echo(f"Key {name} is revoked.", err=True)


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
