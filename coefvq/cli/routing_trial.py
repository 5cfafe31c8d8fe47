"""``coefvq routing trial``: try a policy on live traffic, beside the one in force."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from coefvq.work.trials import TrialView

# Fixed here too, so that help needs no store; a test holds them together.
KINDS = ("shadow", "split")
_TASK = click.option("--task", required=True, help="The task, for instance icd.")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


@click.group()
def trial() -> None:
    """Try a routing policy on live traffic: in the shadow, or for a share of the uploaders."""


@trial.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_TASK
@click.option("--kind", type=click.Choice(KINDS), default="shadow", show_default=True,
              help="A shadow decides nothing; a split decides for --share.")  # fmt: skip
@click.option("--share", type=float, default=0.0, help="Of the uploaders, for a split: up to 0.5.")
@click.option("--note", required=True, help="What is tried and why.")
@_JSON
def start(file: Path, task: str, kind: str, share: float, note: str, as_json: bool) -> None:
    """Start a trial of a routing policy; FILE is what fit wrote."""
    from coefvq.review.access import LOCAL
    from coefvq.routing.policy import read_policy
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work import trials
    from coefvq.work.routing_versions import keep

    with open_store(load_settings().url) as store:
        version = keep(store, LOCAL, read_policy(file))
        found = trials.start(store, LOCAL, task, kind, version, note, share=share)
    _say(found, as_json)


@trial.command()
@click.argument("trial_id", metavar="TRIAL")
@click.option("--note", default="", help="Why.")
@_JSON
def stop(trial_id: str, note: str, as_json: bool) -> None:
    """Stop a trial: all traffic goes by the policy in force from the next video on."""
    from coefvq.review.access import LOCAL
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work import trials

    with open_store(load_settings().url) as store:
        _say(trials.stop(store, LOCAL, trial_id, note), as_json)


@trial.command("list")
@_TASK
@_JSON
def list_trials(task: str, as_json: bool) -> None:
    """List the trials of a task, newest first."""
    from coefvq.review.access import LOCAL
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work import trials

    with open_store(load_settings().url) as store:
        found = trials.of_task(store, LOCAL, task)
    for each in found:
        _say(each, as_json)
    if not found and not as_json:
        click.echo(f"no trial of {task} was started")


def _say(found: TrialView, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: _plain(value) for name, value in asdict(found).items()}))
        return
    state = "runs" if found.running else f"ended by {found.ended_by}"
    share = f" {found.share:.1%} of uploaders" if found.kind == "split" else ""
    click.echo(f"{found.id}  {found.task} {found.kind}{share}: {found.version} against "
               f"{found.against}; {state}; {found.started_by}: {found.note}")  # fmt: skip


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else value
