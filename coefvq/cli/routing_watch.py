"""``coefvq routing drift``: is the traffic still what the policy in force was fitted on?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from coefvq.work.routing_drift import TaskDrift


@click.command()
@click.option("--task", required=True, help="The task, for instance icd.")
@click.option("--since", type=click.FloatRange(0, min_open=True), default=7.0, show_default=True,
              metavar="DAYS", help="Look at videos scored in the last DAYS days.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def drift(task: str, since: float, as_json: bool) -> None:
    """Compare recent scores and decisions with the baseline of the policy in force."""
    from coefvq import taxonomy
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work.routing_drift import drift as measure
    from coefvq.work.task_probability import Recalibration

    taxonomy.task(task)
    settings = load_settings()
    with open_store(settings.url) as store:
        found = measure(store, task, Recalibration.in_force(store, settings), since)
    click.echo(json.dumps(found.to_json(), allow_nan=False) if as_json else _table(found))


def _table(found: TaskDrift) -> str:
    head = [] if found.version is None else [f"{found.task} under {found.version}: {found.level}"]
    lines = [f"{each.policy:<20} {reason}" for each in found.reports for reason in each.reasons]
    left = [f"left out: {number} {why}" for why, number in found.left_out.items()]
    return "\n".join([*head, *lines, *left, f"what to do: {found.advice}"])
