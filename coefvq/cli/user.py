"""``coefvq user``: people who sign in. Whoever runs this has the database, and needs no sign-in."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

import click

from coefvq.errors import SettingsError
from coefvq.review import passwords, users
from coefvq.review.access import ROLES
from coefvq.review.users import OPERATOR, Person
from coefvq.settings import load_settings
from coefvq.store.session import Store, open_store
from coefvq.store.tables import utcnow

_STDIN = click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from a pipe."
)


@contextmanager
def _store() -> Iterator[Store]:
    with open_store(load_settings().url) as store:
        yield store


def _password(name: str, from_stdin: bool) -> str:
    """Ask for a password, twice, or read one line."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise SettingsError("There is no terminal to ask for a password. Use --password-stdin.")
    words = f"Password for {name} (at least {passwords.SHORTEST} characters)"
    return str(click.prompt(words, hide_input=True, confirmation_prompt=True, err=True))


@click.group()
def user() -> None:
    """Add, list, disable and enable people."""


@user.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=("reviewer",),
    show_default=True,
    metavar="ROLE",
    help=f"{', '.join(ROLES)}; may be repeated.",
)
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="ID",
    help="Only cases of this queue; may be repeated. Default: all queues.",
)
@_STDIN
def add(name: str, roles: tuple[str, ...], queues: tuple[str, ...], from_stdin: bool) -> None:
    """Add somebody; from the first one on everyone signs in."""
    with _store() as store:
        first = not users.any_user(store)
        password = _password(name, from_stdin)
        made = users.add(store, OPERATOR, name, password, roles, queues or None)
    click.echo(f"Added {made.name} ({', '.join(made.roles)}).", err=True)
    if first:
        click.echo("Everyone signs in from now on, at this machine too.", err=True)


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(as_json: bool) -> None:
    """List everyone."""
    with _store() as store:
        found = users.list_people(store, OPERATOR)
    for person in found:
        click.echo(json.dumps(_fields(person)) if as_json else _line(person))
    if not found and not as_json:
        click.echo("Nobody yet. Add somebody: coefvq user add NAME --role admin", err=True)


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Shut somebody out; they are signed out at once."""
    with _store() as store:
        users.disable(store, OPERATOR, name)
    click.echo(f"{name} is signed out and cannot sign in any more.", err=True)


@user.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let somebody in again; ends a lock after wrong passwords too."""
    with _store() as store:
        users.enable(store, OPERATOR, name)
    click.echo(f"{name} can sign in.", err=True)


@user.command()
@click.argument("name")
@_STDIN
def password(name: str, from_stdin: bool) -> None:
    """Set somebody's password; they are signed out everywhere."""
    with _store() as store:
        users.set_password(store, OPERATOR, name, _password(name, from_stdin))
    click.echo(f"{name} has a new password.", err=True)


def _fields(person: Person) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(person).items()
    }


def _line(person: Person) -> str:
    locked = person.locked_until is not None and person.locked_until > utcnow()
    state = "disabled" if person.disabled else "locked" if locked else "active"
    queues = "all queues" if person.queues is None else ", ".join(person.queues)
    seen = f"{person.last_seen_at:%Y-%m-%d %H:%M} UTC" if person.last_seen_at else "never seen"
    return f"{person.name:<24} {', '.join(person.roles):<28} {state:<9} {queues}; {seen}"
