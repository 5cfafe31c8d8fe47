"""``coefvq models``: the registry, the gate, the shadow, promotion and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from coefvq.domain import Stage

if TYPE_CHECKING:
    from coefvq.learning.gate.report import GateReport
    from coefvq.learning.model_list import ModelView
    from coefvq.settings import Settings
    from coefvq.store.session import Store
    from coefvq.work.promotion import Promotion

_JSON = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
_NOTE = click.option("--note", required=True, help="Why, for the people who read the list.")
_STAGE = click.option("--stage", type=click.Choice([each.value for each in Stage]), required=True,
                      help="Which of the two models.")  # fmt: skip


@click.group()
def models() -> None:
    """Trained models: list, compare with the one in force, promote, roll back."""


@models.command("list")
@_JSON
def list_models(as_json: bool) -> None:
    """List every model: what is in force first."""
    from coefvq.learning import model_list

    with _store() as (store, settings):
        found = model_list.models(store, settings, _local(), check=True)
    for view in found:
        click.echo(json.dumps(_json(view)) if as_json else _line(view))


@models.command()
@click.argument("version")
@_JSON
def show(version: str, as_json: bool) -> None:
    """Show a model's card and its newest gate report."""
    from coefvq.learning import model_list
    from coefvq.learning.gate.run import report_of

    with _store() as (store, settings):
        view = model_list.model(store, settings, _local(), version)
        report = report_of(store, version)
    if as_json:
        gate = report.to_json() if report else None
        click.echo(json.dumps(_json(view) | {"card": view.card, "gate": gate}))
        return
    click.echo(view.card)
    click.echo(_line(view))
    if report:
        click.echo(_report(report))


@models.command()
@click.argument("version")
@click.option("--snapshot", help="Whose held-out videos are judged on; default: the newest.")
@_JSON
def gate(version: str, snapshot: str | None, as_json: bool) -> None:
    """Compare a candidate with the model in force. Exit status 1: it is refused."""
    from coefvq.learning.dataset.read import read_snapshot
    from coefvq.learning.gate.run import run_gate

    with _store() as (store, settings):
        chosen = read_snapshot(store, settings, snapshot) if snapshot else None
        report = run_gate(store, settings, version, snapshot=chosen, monitor=_Shown())
    click.echo(json.dumps(report.to_json()) if as_json else _report(report))
    raise SystemExit(0 if report.passed else 1)


@models.command()
@click.argument("version")
@_NOTE
@_JSON
def shadow(version: str, note: str, as_json: bool) -> None:
    """Let a model score beside the one in force; nothing is routed by it."""
    from coefvq.learning.promote import shadow as start

    with _store() as (store, settings):
        done = start(store, settings, _local(), version, note=note)
    _say(done, f"in the shadow of the {done.stage.value}: {done.version}", as_json)


@models.command("end-shadow")
@_STAGE
@click.option("--note", default="", help="Why, for the people who read the list.")
@_JSON
def end_shadow(stage: str, note: str, as_json: bool) -> None:
    """Take a model out of the shadow; what it said is kept."""
    from coefvq.learning.promote import end_shadow as end

    with _store() as (store, _):
        done = end(store, _local(), Stage(stage), note=note)
    _say(done, f"no longer in the shadow: {done.version}", as_json)


@models.command()
@click.argument("version")
@_JSON
def compare(version: str, as_json: bool) -> None:
    """Show what a model in the shadow said beside the one in force."""
    from coefvq.learning.shadow_view import shadow_comparison

    with _store() as (store, _):
        found = shadow_comparison(store, _local(), version)
    if as_json:
        click.echo(json.dumps(asdict(found) | {"since": _moment(found.since)}))
        return
    click.echo(f"{found.version}: {found.n:,} videos, {found.compared:,} with a live answer")
    for one in found.policies:
        click.echo(
            f"{one.policy:<20} n {one.n:>6,}  mean difference {one.mean:+.3f} "
            f"(spread {one.spread:.3f})  at {one.cut:.2f}: {one.raised:,} only in the shadow, "
            f"{one.lowered:,} only live"
        )


@models.command()
@click.argument("version")
@_NOTE
@click.option("--dry-run", is_flag=True, help="Say what would become of the routing, and stop.")
@_JSON
def promote(version: str, note: str, dry_run: bool, as_json: bool) -> None:
    """Put a model in force that passed the gate, with routing fitted for it; or refuse."""
    from coefvq.work.promotion import plan, promote_with_routing

    with _store() as (store, settings):
        if dry_run:
            found = plan(store, settings, _local(), version, monitor=_Shown())
        else:
            found = promote_with_routing(store, settings, _local(), version, note, monitor=_Shown())
    click.echo(json.dumps(_promotion_json(found)) if as_json else _promotion(found))


@models.command()
@_STAGE
@click.option("--note", default="", help="Why, for the people who read the list.")
@_JSON
def rollback(stage: str, note: str, as_json: bool) -> None:
    """Put model and routing back to what they were before the last promotion."""
    from coefvq.work.promotion import rollback as back

    with _store() as (store, settings):
        done = back(store, settings, _local(), Stage(stage), note=note)
    more = "".join(f"\nrouting of {task}: {name}" for task, name in done.routing.items())
    _say(done, f"in force again for the {done.stage.value}: {done.version}{more}", as_json)


class _Shown:
    """Progress on stderr."""

    def __init__(self) -> None:
        self._last = -1

    def progress(self, done: int, total: int, what: str) -> None:
        """A line each tenth."""
        tenth = 10 * done // max(total, 1)
        if tenth != self._last:
            self._last = tenth
            click.echo(f"{what}: {done:,} of {total:,}", err=True)

    def loss(self, step: int, name: str, value: float) -> None:
        """There is none."""

    def check(self) -> None:
        """Ctrl-C stops it."""


def _local() -> Any:
    from coefvq.review.access import LOCAL

    return LOCAL


@contextmanager
def _store() -> Iterator[tuple[Store, Settings]]:
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store

    settings = load_settings()
    with open_store(settings.url) as store:
        yield store, settings


def _say(done: Any, words: str, as_json: bool) -> None:
    plain = {
        "id": done.id, "stage": done.stage.value, "version": done.version, "note": done.note,
        "rollback": done.rollback, "routing": dict(done.routing),
    }  # fmt: skip
    click.echo(json.dumps(plain) if as_json else words)


def _json(view: ModelView) -> dict[str, Any]:
    plain = {name: value for name, value in vars(view).items() if name != "card"}
    return plain | {"stage": view.stage.value, "made_at": _moment(view.made_at),
                    "metrics": dict(view.metrics), "code": dict(view.code)}  # fmt: skip


def _moment(value: Any) -> str | None:
    return None if value is None else str(value.isoformat(timespec="seconds"))


def _line(view: ModelView) -> str:
    state = "in force" if view.live else "shadow" if view.shadow else ""
    gate = {True: "gate passed", False: "gate refused", None: ""}[view.gate]
    where = "comes with the project" if view.shipped else f"from {view.parent}"
    problem = f"  cannot be used: {view.problem}" if view.problem else ""
    return f"{view.stage.value:<9} {view.version:<26} {state:<9} {gate:<12} {where}{problem}"


def _report(found: GateReport) -> str:
    verdict = "passed" if found.passed else "refused"
    lines = [f"{found.version} against {found.against}: {verdict}"]
    lines += [f"  - {reason}" for reason in found.reasons]
    for row in found.document["policies"]:
        old, new = (_figure(row[name].get("auc")) for name in ("old", "new"))
        lines.append(
            f"{row['policy']:<20} n {row['n']:>6,}  violations {row['violations']:>5,}  AUC {old} "
            f"-> {new}  {row['status']}"
        )
    return "\n".join([*lines, *(f"note: {note}" for note in found.document["notes"])])


def _figure(found: dict[str, float] | None) -> str:
    return "-" if not found or found["value"] is None else f"{found['value']:.3f}"


def _promotion(found: Promotion) -> str:
    done = "in force" if found.publication else "would come into force"
    lines = [f"{done} for the {found.stage.value}: {found.version} (was {found.against})"]
    for one in found.routing:
        missed = one.measured.get("miss_rate", {}).get("value")
        rate = "not known" if missed is None else f"{missed:.1%}"
        lines.append(
            f"{one.task}: {one.before} -> {one.after}, certificate {one.certificate}; miss rate "
            f"{rate} on {one.fitted_on[0]:,} held-out videos with {one.fitted_on[1]:,} violations"
        )
    return "\n".join([*lines, *(f"note: {note}" for note in found.notes)])


def _promotion_json(found: Promotion) -> dict[str, Any]:
    rows = [vars(one) | {"measured": dict(one.measured)} for one in found.routing]
    return {
        "stage": found.stage.value, "version": found.version, "against": found.against,
        "routing": rows, "combined": list(found.combined), "notes": list(found.notes),
        "publication": found.publication.id if found.publication else None,
    }  # fmt: skip
