"""``coefvq alarms``: what a lead should know. Whoever runs this has the database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from coefvq.work.alarms import Alarm

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")


@click.group()
def alarms() -> None:
    """List alarms, acknowledge one, check everything at once."""


@alarms.command("list")
@click.option("--over", is_flag=True, help="Also those that ended in the last seven days.")
@_JSON
def list_(over: bool, as_json: bool) -> None:
    """List the alarms that stand, the loudest first."""
    from coefvq.review.users import OPERATOR
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work.alarms import desk

    with open_store(load_settings().url) as store:
        found = desk.listed(store, OPERATOR)
    _print([*found.standing, *(found.over if over else ())], as_json)


@alarms.command()
@click.argument("alarm_id", metavar="ID")
def acknowledge(alarm_id: str) -> None:
    """Say that somebody looks after an alarm; it stays until it is over."""
    from coefvq.review.users import OPERATOR
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work.alarms import desk

    with open_store(load_settings().url) as store:
        made = desk.acknowledge(store, OPERATOR, alarm_id)
    click.echo(f"{made.kind} {made.subject}: acknowledged.", err=True)


@alarms.command()
@_JSON
def check(as_json: bool) -> None:
    """Check everything now, and send what the webhook has not taken yet.

    The worker does this regularly; run it from a timer to hear of a worker that is gone.
    """
    from coefvq.settings import load_settings
    from coefvq.store import taxonomies
    from coefvq.store.session import open_store
    from coefvq.work.alarms import check as check_now

    settings = load_settings()
    with open_store(settings.url) as store:
        taxonomies.follow(store)
        found = check_now(store, settings)
    _print(found.alarms, as_json)
    for note in found.notes:
        click.echo(f"{note.kind} {note.subject}: {note.why}".replace(" :", ":"), err=True)
    if settings.alarm_webhook:
        click.echo(f"Sent to the webhook: {found.sent}.", err=True)


def _print(found: list[Alarm] | tuple[Alarm, ...], as_json: bool) -> None:
    for alarm in found:
        click.echo(json.dumps(alarm.to_json(), allow_nan=False) if as_json else _line(alarm))
    if not found and not as_json:
        click.echo("No alarm stands.", err=True)


def _line(alarm: Alarm) -> str:
    state = "over" if alarm.cleared_at else "acknowledged" if alarm.acknowledged_at else "new"
    when = f"{alarm.raised_at:%Y-%m-%d %H:%M} UTC"
    return f"{alarm.id}  {alarm.severity:<8} {state:<12} {when}  {alarm.message}"
