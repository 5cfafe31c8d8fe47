"""``coefvq queue``: the queues that cases wait in. Whoever runs this has the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any

import click

from coefvq import taxonomy
from coefvq.review import queues
from coefvq.review.queues import RULES, QueueSetup
from coefvq.review.users import OPERATOR
from coefvq.settings import load_settings
from coefvq.store.session import open_store

_HOUR_S = 3600.0
_FIELDS: tuple[Callable[[Any], Any], ...] = (
    click.option("--task", metavar="ID", help="Only this task."),
    click.option(
        "--policy",
        "policies",
        multiple=True,
        metavar="ID",
        help="Only cases whose likeliest policy it is; may be repeated.",
    ),
    click.option(
        "--rule",
        "rules",
        multiple=True,
        metavar="RULE",
        help=f"Only cases that came this way ({', '.join(RULES)}); may be repeated.",
    ),
    click.option(
        "--promised-hours",
        type=click.FloatRange(min=0, min_open=True),
        default=None,
        help="Cases are decided within so many hours; older ones raise an alert.",
    ),
    click.option(
        "--restricted/--open",
        "restricted",
        default=None,
        help="Restricted: closed to everyone who does not have it in their list of queues.",
    ),
)


def _with_fields(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Only what was named on the command line."""
    hours = given.pop("promised_hours")
    named = {name: value for name, value in given.items() if value not in (None, ())}
    return named if hours is None else named | {"promised_age_s": hours * _HOUR_S}


@click.group()
def queue() -> None:
    """Set up the queues that cases wait in."""


@queue.command()
@click.argument("name")
@_with_fields
def add(name: str, **given: Any) -> None:
    """Set up a queue after the others; cases that wait are sorted anew."""
    with open_store(load_settings().url) as store:
        made = queues.add(store, OPERATOR, name, **_changes(given))
    click.echo(f"Added {made.id}: {_words(made)}.", err=True)


@queue.command()
@click.argument("queue_id", metavar="ID")
@click.option("--name", default=None, help="What people read.")
@click.option("--position", type=click.IntRange(0), default=None, help="Lower ones take first.")
@_with_fields
def change(queue_id: str, **given: Any) -> None:
    """Change a queue; what is not named stays."""
    with open_store(load_settings().url) as store:
        made = queues.change(store, OPERATOR, queue_id, **_changes(given))
    click.echo(f"Changed {made.id}: {_words(made)}.", err=True)


@queue.command()
@click.argument("queue_id", metavar="ID")
def remove(queue_id: str) -> None:
    """Take a queue away; its waiting cases go to the others."""
    with open_store(load_settings().url) as store:
        moved = queues.remove(store, OPERATOR, queue_id)
    click.echo(f"Removed {queue_id}; {moved} waiting cases moved.", err=True)


@queue.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(as_json: bool) -> None:
    """List the queues in the order in which they take cases."""
    with open_store(load_settings().url) as store:
        found = queues.list_queues(store, OPERATOR)
    for one in found:
        click.echo(json.dumps(asdict(one)) if as_json else f"{one.id}\t{_words(one)}")
    if not found and not as_json:
        click.echo("No queues: all cases wait together.", err=True)


def _still(name: str, known: Collection[str]) -> str:
    return name if name in known else f"{name} (gone)"


def _words(one: QueueSetup) -> str:
    task = _still(one.task, taxonomy.tasks()) if one.task else "any task"
    policies = ", ".join(_still(policy, taxonomy.policies()) for policy in one.policies)
    parts = [one.name, task, policies or "any policy"]
    parts += [", ".join(RULES[rule] for rule in one.rules)] if one.rules else []
    if one.promised_age_s is not None:
        parts.append(f"promised within {one.promised_age_s / _HOUR_S:g} h")
    return "; ".join([*parts, "restricted"] if one.restricted else parts)
