"""``coefvq routing`` on the store: publish, list, rollback, predictions, audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coefvq.errors import RoutingError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from coefvq.store.session import Store
    from coefvq.store.tables import RoutingPublicationRow
    from coefvq.work.routing_history import AuditReport

_TASK = click.option("--task", required=True, help="The task, for instance icd.")
_NOTE = click.option("--note", default="", help="Why, for the people who read the list.")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_TASK
@click.option("--note", required=True, help="Why, for the people who read the list.")
@_JSON
def publish(file: Path, task: str, note: str, as_json: bool) -> None:
    """Put a routing policy in force for a task; workers follow before their next video."""
    from coefvq import taxonomy
    from coefvq.routing.policy import read_policy
    from coefvq.routing.published import refuse_unknown_features
    from coefvq.routing_inputs import known_features
    from coefvq.store import routing_policies

    taxonomy.task(task)
    policy = read_policy(file)
    refuse_unknown_features(policy, known_features())
    with _writing() as session:
        actor = _actor()
        routing_policies.add(session, policy.version, policy.rule, policy.to_json(), actor)
        row = routing_policies.publish(session, task, policy.version, actor, note)
    _say(row, as_json)


@click.command()
@_TASK
@_NOTE
@_JSON
def rollback(task: str, note: str, as_json: bool) -> None:
    """Put the version before the present one in force again, as a new publication."""
    from coefvq import taxonomy
    from coefvq.store import routing_policies

    taxonomy.task(task)
    with _writing() as session:
        row = routing_policies.rollback(session, task, _actor(), note)
    _say(row, as_json)


@click.command("list")
@_JSON
def list_policies(as_json: bool) -> None:
    """List every publication, newest first, and which is in force."""
    with _store() as store, store.read() as session:
        rows = list(_publications(session))
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    for row in rows:
        click.echo(_publication_line(row))
    if not rows:
        click.echo("nothing is published: the settings' entropy rule applies to every task")


@click.command()
@_TASK
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              metavar="PREDICTIONS.csv", help="Where the predictions are written.")  # fmt: skip
@_JSON
def predictions(task: str, out: Path, as_json: bool) -> None:
    """Write what people decided beside what both stages said, to fit a routing policy on."""
    from coefvq import taxonomy
    from coefvq.settings import load_settings
    from coefvq.work.routing_history import history, write_predictions
    from coefvq.work.task_probability import Recalibration

    taxonomy.task(task)
    if not out.parent.is_dir():
        raise RoutingError(f"There is no folder {out.parent} to write {out.name} in.")
    with _store() as store:
        found = history(store, task, Recalibration.in_force(store, load_settings()))
    write_predictions(found.rows, out)
    counts = {
        "out": str(out),
        "n": len(found.rows),
        "positives": sum(row.label for row in found.rows),
        "with_mllm": sum(row.mllm is not None for row in found.rows),
        "left_out": found.left_out,
    }
    if as_json:
        click.echo(json.dumps(counts))
        return
    click.echo(
        f"{out}: {counts['n']} items, {counts['positives']} violations, "
        f"{counts['with_mllm']} with an MLLM score"
    )
    for reason, number in found.left_out.items():
        click.echo(f"left out: {number} {reason}", err=True)


@click.command()
@_TASK
@click.option("--confidence", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              default=0.95, show_default=True, help="Of each interval.")  # fmt: skip
@_JSON
def audit(task: str, confidence: float, as_json: bool) -> None:
    """Estimate miss rate, precision and prevalence from the random audits."""
    from coefvq import taxonomy
    from coefvq.work.routing_history import audit as estimate

    taxonomy.task(task)
    with _store() as store:
        report = estimate(store, task, confidence)
    if as_json:
        click.echo(json.dumps(_audit_json(report)))
    else:
        click.echo(_audit_table(report))


COMMANDS: tuple[click.Command, ...] = (publish, list_policies, rollback, predictions, audit)


def _actor() -> str:
    from coefvq.review.access import LOCAL

    return LOCAL.name


@contextmanager
def _store() -> Iterator[Store]:
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store

    with open_store(load_settings().url) as store:
        yield store


@contextmanager
def _writing() -> Iterator[Session]:
    with _store() as store, store.write() as session:
        yield session


def _say(row: RoutingPublicationRow, as_json: bool) -> None:
    found = {"task": row.task, "version": row.version, "note": row.note, "in_force": True}
    click.echo(json.dumps(found) if as_json else f"in force for {row.task}: {row.version}")


def _publications(session: Session) -> Iterator[dict[str, Any]]:
    """Every publication, newest first; the first of each task is in force."""
    from coefvq.store import routing_policies

    kept, seen = routing_policies.policies(session), set()
    for row in routing_policies.history(session):
        document, first = kept[row.version].document, row.task not in seen
        models = routing_policies.other_models(session, row.task, row.version) if first else {}
        yield {
            "task": row.task,
            "version": row.version,
            "in_force": first,
            "rule": kept[row.version].rule,
            "objective": document.get("objective", {}).get("name"),
            "budget": document.get("budget"),
            "certificate": document.get("certificate"),
            "published_by": row.published_by,
            "published_at": row.published_at.isoformat(timespec="seconds"),
            "note": row.note,
            "rollback": row.rollback,
            "other_models": models,
        }
        seen.add(row.task)


def _publication_line(row: dict[str, Any]) -> str:
    from coefvq.routing.published import describe_certificate

    state = "in force" if row["in_force"] else ""
    back = "way back; " if row["rollback"] else ""
    budget = "-" if row["budget"] is None else f"{row['budget']:.1%}"
    when = row["published_at"][:16].replace("T", " ")
    return (
        f"{row['task']:<5} {row['version']:<24} {state:<9} {row['objective'] or '-':<5} "
        f"budget {budget:<6} certificate {describe_certificate(row['certificate'])}; "
        f"{row['published_by']} {when}  {back}{row['note']}"
    ).rstrip() + "".join(
        f"\n      warning: the {stage} is another one now ({version}); fit again"
        for stage, version in row["other_models"].items()
    )


def _audit_json(report: AuditReport) -> dict[str, Any]:
    counts = {"task": report.task, "n": report.items, "labelled": report.labelled}
    more = {"audits": report.audits, "left_out": report.left_out}
    return counts | more | report.estimate.to_json()


_RATES = ("miss_rate", "precision", "prevalence", "false_removal_rate")


def _audit_table(report: AuditReport) -> str:
    lines = [
        f"{report.items:,} outcomes, {report.labelled:,} decided by people, "
        f"{report.audits:,} drawn for an audit"
    ]
    for name in _RATES:
        rate = getattr(report.estimate, name)
        value = "unknown" if rate.value != rate.value else f"{rate.value:.3f}"
        words = name.replace("_", " ")
        lines.append(f"{words:<20} {value:>8}  {rate.low:.3f}..{rate.high:.3f}")
    lines.append(f"intervals at {report.estimate.confidence:g}")
    lines += report.estimate.notes
    return "\n".join(lines + [f"left out: {n} {why}" for why, n in report.left_out.items()])
