"""``coefvq routing``: fit and replay on files. What touches the store is in ``routing_store``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coefvq.cli import routing_store, routing_trial, routing_watch
from coefvq.cli.progress import Progress
from coefvq.errors import RoutingError, did_you_mean

if TYPE_CHECKING:
    from coefvq.routing.predictions import Predictions
    from coefvq.routing.request import FitRequest

# Fixed here too, so that help and wrong use need no numpy; a test holds them together.
RULES = ("auto", "entropy", "margin", "bayes_risk", "learned", "similar")
OBJECTIVES = ("f1", "ap", "cost")
METHODS = ("ltt", "crc")
_PAUSE_S = 2.0
_FILE = click.Path(path_type=Path, dir_okay=False)


class _Group(click.Group):
    """Names the nearest command for one that is not there."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            ctx.fail(f"No such command '{args[0]}'.{did_you_mean(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group)
def routing() -> None:
    """Fit, replay and publish routing policies: who goes to the MLLM, and who to a person."""


@routing.command()
@click.argument("predictions", type=_FILE, metavar="PREDICTIONS.csv")
@click.option("--rule", type=click.Choice(RULES), default="auto", show_default=True,
              help="auto chooses by cross-validation.")  # fmt: skip
@click.option("--objective", type=click.Choice(OBJECTIVES), default="f1", show_default=True,
              help="F1, average precision, or the cost of wrong answers.")  # fmt: skip
@click.option("--budget", type=float, help="Largest share of MLLM calls, 0..1. [default: 0.3]")
@click.option("--cost-per-thousand", type=float, metavar="COST",
              help="The budget as money or time instead: what 1,000 videos may cost, in the unit "
              "of the columns prefilter_cost and mllm_cost.")  # fmt: skip
@click.option("--miss-rate", type=float, help="Certify that no more violations are passed.")
@click.option("--false-removal", type=float,
              help="Certify that no more of the others are flagged.")  # fmt: skip
@click.option("--confidence", type=float, default=0.9, show_default=True,
              help="Of the certificate.")  # fmt: skip
@click.option("--method", type=click.Choice(METHODS), default="ltt", show_default=True,
              help="Learn then Test, or conformal risk control (mean only).")  # fmt: skip
@click.option("--cost-fn", type=float, default=1.0, show_default=True,
              help="Cost of a missed violation, for --objective cost.")  # fmt: skip
@click.option("--cost-fp", type=float, default=1.0, show_default=True,
              help="Cost of a false alarm, for --objective cost.")  # fmt: skip
@click.option("--human-share", type=float, help="Share that may go to people after the MLLM.")
@click.option("--abstention-cost", type=float,
              help="Cost of asking a person, in place of --human-share.")  # fmt: skip
@click.option("--audit-people", type=float, default=0.01, show_default=True,
              help="Share of automatic outcomes that a person checks at random.")  # fmt: skip
@click.option("--audit-mllm", type=float, default=0.002, show_default=True,
              help="Share sent to the MLLM at random; counts in the budget.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@click.option("--out", type=_FILE, required=True, metavar="routing.json",
              help="Where the routing policy is written.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the routing policy as JSON.")
def fit(predictions: Path, out: Path, as_json: bool, **wanted: Any) -> None:
    """Fit a routing policy on labelled predictions."""
    from coefvq.routing.fit import fit_policy
    from coefvq.routing.policy import write_policy
    from coefvq.routing.predictions_csv import read_predictions

    _check_folder(out)
    items = read_predictions(predictions)
    policy = fit_policy(items, _request(items, wanted), _Steps())
    write_policy(policy, out)
    document = {"version": policy.version, "out": str(out)} | policy.to_json()
    click.echo(json.dumps(document) if as_json else _fit_table(document))


@routing.command()
@click.argument("predictions", type=_FILE, metavar="PREDICTIONS.csv")
@click.option("--routing", "file", type=_FILE, required=True, metavar="routing.json",
              help="The routing policy, as fit writes it.")  # fmt: skip
@click.option("--bootstrap", type=click.IntRange(min=0), default=0, show_default=True,
              help="Resamples for intervals; 0: none.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resamples.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def replay(predictions: Path, file: Path, bootstrap: int, seed: int, as_json: bool) -> None:
    """Measure a routing policy on labelled predictions that it was not fitted on."""
    from coefvq.routing.policy import read_policy
    from coefvq.routing.predictions_csv import read_predictions
    from coefvq.routing.replay import replay as replay_policy

    policy = read_policy(file)
    items = read_predictions(predictions)
    progress = Progress(bootstrap, "resamples", quiet=not bootstrap)
    found = replay_policy(policy, items, bootstrap, seed, progress=progress).to_json()
    click.echo(json.dumps(found, allow_nan=False) if as_json else _replay_table(found))


for _command in (*routing_store.COMMANDS, routing_watch.drift, routing_trial.trial):
    routing.add_command(_command)


def _request(items: Predictions, wanted: dict[str, Any]) -> FitRequest:
    from coefvq.routing.audit import AuditPlan
    from coefvq.routing.objective import Objective
    from coefvq.routing.request import FitRequest

    costs = wanted.pop("cost_fn"), wanted.pop("cost_fp")
    audit = AuditPlan(wanted.pop("audit_people"), wanted.pop("audit_mllm"))
    budget = _budget(items, wanted.pop("budget"), wanted.pop("cost_per_thousand"), audit.mllm)
    objective = Objective.named(wanted.pop("objective"), *costs)
    return FitRequest(objective=objective, budget=budget, audit=audit, **wanted)


def _budget(items: Predictions, share: float | None, cost: float | None, audit: float) -> float:
    """The share of calls, from a share or from what 1,000 videos may cost."""
    from coefvq.routing.budget import Budget

    if share is not None and cost is not None:
        raise click.UsageError("Give --budget or --cost-per-thousand, not both.")
    if cost is None:
        return 0.3 if share is None else share
    if not items.costs_given:
        raise RoutingError(
            "--cost-per-thousand needs the columns prefilter_cost and mllm_cost, in its unit."
        )
    means = (float(items.prefilter_cost.mean()), float(items.mllm_cost[items.has_mllm].mean()))
    return Budget.from_cost_per_thousand(cost, *means, audit).share


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise RoutingError(f"There is no folder {out.parent} to write {out.name} in.")


class _Steps:
    """The step at hand on stderr, with the seconds since the start, at most once in two seconds."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if now - self._last >= _PAUSE_S:
            self._last = now
            click.echo(f"{now - self._started:5.0f} s  {line}", err=True)


def _fit_table(document: dict[str, Any]) -> str:
    from coefvq.routing.published import describe_certificate

    fitted, asked = document["fitted_on"], document["requested"]
    chosen = "" if asked == document["rule"] else f" (asked for: {asked})"
    rows = [
        ("routing policy", document["version"]),
        ("written to", document["out"]),
        ("rule", document["rule"] + chosen),
        ("objective", document["objective"]["name"]),
        ("budget", f"{document['budget']:.1%} of videos"),
        ("certificate", describe_certificate(document["certificate"])),
        ("fitted on", f"{fitted['n']:,} items, {fitted['violations']:,} violations"),
        *(("note", note) for note in document["notes"]),
    ]
    return "\n".join(f"{name:<15} {value}" for name, value in rows)


_MEASURES = (
    "escalation_rate", "precision", "recall", "f1", "miss_rate", "average_precision",
    "relative_cost", "pgr", "auto_pass_rate", "auto_flag_rate", "human_rate",
    "false_removal_rate",
)  # fmt: skip
_OTHERS = ("prefilter_only", "mllm_only", "random", "oracle")


def _replay_table(found: dict[str, Any]) -> str:
    """Measures down, strategies across; intervals beside the policy's figures."""
    from coefvq.routing.published import describe_certificate

    columns = [found, *(found.get(name) or {} for name in _OTHERS)]
    intervals = found.get("intervals") or {}
    head = ["interval"] if intervals else []
    heads = ["this policy", *head, *(name.replace("_", " ") for name in _OTHERS)]
    lines = [f"{found['n']:,} items, {found['positives']:,} violations", ""]
    lines.append(f"{'':<18}" + "".join(f"{head:>18}" for head in heads))
    for name in _MEASURES:
        cells = [_cell(column.get(name)) for column in columns]
        if intervals:
            cells.insert(1, _interval(intervals.get(name)))
        lines.append(f"{name.replace('_', ' '):<18}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join([*lines, "", f"certificate: {describe_certificate(found.get('certificate'))}"])


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _interval(ends: object) -> str:
    if isinstance(ends, list | tuple) and len(ends) == 2:
        return f"{_cell(ends[0])}..{_cell(ends[1])}"
    return ""
