"""``coefvq golden``: cases whose answer is known. Whoever runs this has the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from coefvq.errors import SettingsError
from coefvq.review import golden as service
from coefvq.review.golden import GoldenView
from coefvq.review.users import OPERATOR
from coefvq.settings import load_settings
from coefvq.store.decisions import VIOLATION
from coefvq.store.session import open_store

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def golden() -> None:
    """Cases whose answer is known, mixed among the others to measure reviewers."""


@golden.command()
@click.argument("case_id", metavar="CASE")
@click.option(
    "--violation",
    "violations",
    multiple=True,
    metavar="POLICY",
    help="Expected as violated; may be repeated. Default: what the decision says that stands.",
)
@click.option("--ok", "is_ok", is_flag=True, help="Nothing is violated.")
@click.option(
    "--range", "range_s", nargs=2, type=float, metavar="START END", help="Where it shows, seconds."
)
@click.option("--note", default="", help="For the team.")
@_JSON
def add(
    case_id: str,
    violations: tuple[str, ...],
    is_ok: bool,
    range_s: tuple[float, float] | None,
    note: str,
    as_json: bool,
) -> None:
    """Make a golden case of a case."""
    labels = _labels(violations, is_ok, range_s)
    start_s, end_s = range_s or (None, None)
    with open_store(load_settings().url) as store:
        made = service.add(store, OPERATOR, case_id, labels, start_s, end_s, note)
    _print([made], as_json)


@golden.command("list")
@click.option("--task", default=None, metavar="TASK", help="Only this task.")
@click.option("--retired", is_flag=True, help="Those that are shown no more, too.")
@_JSON
def list_(task: str | None, retired: bool, as_json: bool) -> None:
    """List the golden cases, newest first."""
    with open_store(load_settings().url) as store:
        found = service.list_golden(store, OPERATOR, task, retired)
    _print(found, as_json)
    if not found and not as_json:
        click.echo("No golden cases yet. Add one: coefvq golden add CASE", err=True)


@golden.command()
@click.argument("golden_id", metavar="ID")
def retire(golden_id: str) -> None:
    """Show a golden case to nobody any more; its answers stay."""
    with open_store(load_settings().url) as store:
        made = service.retire(store, OPERATOR, golden_id)
    click.echo(f"{made.id} is shown no more; its {made.answers} answers stay.", err=True)


def _labels(
    violations: tuple[str, ...], is_ok: bool, range_s: tuple[float, float] | None
) -> dict[str, bool] | None:
    if is_ok and violations:
        raise SettingsError("Give --ok or --violation, not both.")
    if range_s and not violations:
        raise SettingsError("A --range shows a violation: name it with --violation.")
    return dict.fromkeys(violations, True) if violations or is_ok else None


def _print(found: Iterable[GoldenView], as_json: bool) -> None:
    for one in found:
        click.echo(json.dumps(asdict(one), default=_iso) if as_json else _line(one))


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _line(one: GoldenView) -> str:
    marked = [policy for policy, label in one.labels.items() if label == VIOLATION]
    state = "retired" if one.retired_at else f"{one.right} of {one.answers} right"
    return f"{one.id}\t{one.task}\t{', '.join(marked) or 'ok'}\t{state}\t{one.title!r}"
