"""``coefvq dataset``: frozen sets of labelled videos, and what to label next."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from coefvq.errors import SettingsError
from coefvq.review.users import OPERATOR
from coefvq.settings import load_settings
from coefvq.store.session import open_store

if TYPE_CHECKING:
    from coefvq.learning.choose.service import Suggestion
    from coefvq.learning.dataset.snapshot import SnapshotView

_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, one object a line.")


@click.group()
def dataset() -> None:
    """Frozen sets of labelled videos, and what to label next (docs/learning.md)."""


@dataset.command()
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this; may be repeated.")
@click.option("--policy", "policies", multiple=True, metavar="POLICY", help="Only its labels.")
@click.option("--since", metavar="TIME", help="Only videos answered since then, e.g. 2026-05-01.")
@click.option("--until", metavar="TIME", help="Only answers before then.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Only answers in this role.")
@click.option("--seed", default=0, show_default=True, help="Deals groups that are new.")
@click.option("--note", default="", help="For the team.")
@_JSON
def make(
    tasks: tuple[str, ...],
    policies: tuple[str, ...],
    since: str | None,
    until: str | None,
    roles: tuple[str, ...],
    seed: int,
    note: str,
    as_json: bool,
) -> None:
    """Freeze what people have decided until now."""
    from coefvq.learning.dataset.make import make_snapshot
    from coefvq.learning.dataset.read import show_snapshot
    from coefvq.learning.dataset.wanted import Wanted

    wanted = Wanted(
        tasks=tasks or None,
        policies=policies or None,
        since=_time(since),
        until=_time(until),
        roles=roles or None,
        seed=seed,
    )
    settings = load_settings()
    with open_store(settings.url) as store:
        made = make_snapshot(store, settings, OPERATOR, wanted=wanted, note=note)
        view = show_snapshot(store, OPERATOR, made.id)
    _print(view, as_json)
    click.echo(f"Items and card: {made.folder}", err=True)


@dataset.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List the snapshots, newest first."""
    from coefvq.learning.dataset.read import list_snapshots

    with open_store(load_settings().url) as store:
        found = list_snapshots(store, OPERATOR)
    for view in found:
        _print(view, as_json)
    if not found and not as_json:
        click.echo("No snapshots yet. Make one: coefvq dataset make", err=True)


@dataset.command()
@click.argument("snapshot")
@_JSON
def show(snapshot: str, as_json: bool) -> None:
    """Check a snapshot's file, and print its counts; SNAPSHOT is a number, an id or its start."""
    from coefvq.learning.dataset.read import read_snapshot, show_snapshot

    settings = load_settings()
    with open_store(settings.url) as store:
        read = read_snapshot(store, settings, snapshot)
        view = show_snapshot(store, OPERATOR, snapshot)
    _print(view, as_json)
    if not as_json:
        click.echo(json.dumps(read.document, indent=2))
    click.echo(f"{read.folder}: {len(read.items)} videos, as they were written.", err=True)


@dataset.command()
@click.argument("snapshot")
def card(snapshot: str) -> None:
    """Print the card of a snapshot, as Markdown."""
    from coefvq.learning.dataset.read import read_card

    settings = load_settings()
    with open_store(settings.url) as store:
        click.echo(read_card(store, settings, OPERATOR, snapshot), nl=False)


@dataset.command("next")
@click.option("--task", required=True, metavar="TASK", help="For which task.")
@click.option("--n", "number", default=50, show_default=True, help="How many cases.")
@click.option("--queue", is_flag=True, help="Send them to people.")
@_JSON
def next_(task: str, number: int, queue: bool, as_json: bool) -> None:
    """List the cases whose labels would teach most, and some drawn at random."""
    from coefvq.learning.choose.service import next_to_label

    with open_store(load_settings().url) as store:
        found = next_to_label(store, OPERATOR, task, number=number, queue=queue)
    for item in found.items:
        click.echo(json.dumps(asdict(item)) if as_json else _line(item))
    click.echo(
        f"{len(found.items)} of {found.candidates} cases of {found.task} without a decision; "
        f"{found.labels} are decided." + (f" {found.opened} were sent." if queue else ""),
        err=True,
    )


def _line(item: Suggestion) -> str:
    said = "not covered" if item.probability is None else f"{item.probability:.2f}"
    where = "waits" if item.waiting else "automatic"
    return f"{item.case_id}\t{item.reason}\t{said}\t{where}\t{item.propensity:.4f}\t{item.title!r}"


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"'{text}' is no time; write 2026-05-01 or 2026-05-01T08:00Z."
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _print(view: SnapshotView, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(view), default=_iso))
        return
    splits = ", ".join(f"{n} {name}" for name, n in view.document["splits"].items())
    removed = f", {view.removed} removed since" if view.removed else ""
    when = f"{view.made_at:%Y-%m-%d %H:%M}"
    click.echo(
        f"{view.number}\t{view.id[:12]}\t{when}\t{view.made_by}\t{view.videos} videos "
        f"({splits}{removed}), {view.labels} labels\t{view.note!r}"
    )


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
