"""Compute all figures: gather once, a document a figure, task and window."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import CoefVQError, ModelError, RoutingError
from coefvq.review import agreement_report
from coefvq.review.access import LOCAL
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.settings import Settings
from coefvq.store import figures, outcomes, queues, routing_policies
from coefvq.store.outcomes import Hour, Open
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from coefvq.work import routing, routing_drift
from coefvq.work.figures import flow, operating
from coefvq.work.figures.calibration import calibration
from coefvq.work.figures.gather import Decided, gather
from coefvq.work.figures.machine import machine_agreement
from coefvq.work.figures.misses import misses
from coefvq.work.figures.sides import Sides, by_policy, by_settings
from coefvq.work.figures.windows import WINDOWS, covered, plain, since
from coefvq.work.routing_history import VersionedPrefilter
from coefvq.work.task_probability import Recalibration

Document = dict[str, Any]
Figure = tuple[str, str, Document]
Report = Callable[[float, str], None]
DRIFT_DAYS = 7.0


@dataclass(frozen=True)
class _InForce:
    """What routes a task."""

    policy: RoutingPolicy | None
    version: str | None
    why: str | None = None


@dataclass(frozen=True)
class _Read:
    """Everything that was read of the store."""

    rows: dict[str, Decided]
    open: dict[str, list[Open]]
    in_force: dict[str, _InForce]
    scored: list[Hour]
    decided: list[tuple[str, int]]
    waiting: list[queues.Waiting]
    worked: dict[str, NDArray[np.float64]]


def compute(
    store: Store,
    settings: Settings,
    prefilter: VersionedPrefilter | None = None,
    now: datetime | None = None,
    report: Report = lambda share, note: None,
) -> list[Figure]:
    """Compute every figure: (name, task, document).

    A figure that cannot be given is a document with ``why``. Nothing is written.

    Args:
        prefilter: The one in use; ``None``: the one in force.
        report: Called with the share that is done and what comes next.
    """
    moment, begun = now or utcnow(), time.perf_counter()
    report(0.02, "reading decisions")
    try:
        model = prefilter or Recalibration.in_force(store, settings)
    except ModelError as error:
        return [*_without(str(error)), _run(begun)]
    read = _read(store, settings, model, moment, report)
    found: list[Figure] = [("throughput", "", _throughput(read, moment))]
    ledgers = {name: _ledger(read, settings, name, moment) for name in WINDOWS}
    found += [(f"ledger.{name}", "", document) for name, document in ledgers.items()]
    for at, task in enumerate(read.rows):
        report(0.6 + 0.4 * at / len(read.rows), f"figures of {task}")
        found += _of_task(store, settings, model, read, task, ledgers, moment)
    return [*((name, task, plain(document)) for name, task, document in found), _run(begun)]


def keep(session: Session, found: Sequence[Figure]) -> None:
    """Put computed figures in place of those that are there."""
    now = utcnow()
    for name, task, document in found:
        figures.put(session, name, task, document, now)


def _run(begun: float) -> Figure:
    return figures.RUN, figures.OVERALL, {"seconds": round(time.perf_counter() - begun, 3)}


def _without(why: str) -> list[Figure]:
    """What stays unknown where the prefilter cannot be loaded."""
    names = [f"{kind}.{window}" for kind in ("operating", "calibration", "miss", "machine")
             for window in WINDOWS]  # fmt: skip
    found = [(name, task, {"why": why}) for task in taxonomy.tasks() for name in names]
    return found + [("drift", task, {"why": why}) for task in taxonomy.tasks()]


def _read(
    store: Store, settings: Settings, model: VersionedPrefilter, now: datetime, report: Report
) -> _Read:
    begins = [since(name, now) for name in WINDOWS]
    moments = [None if np.isinf(at) else datetime.fromtimestamp(at, UTC) for at in begins]
    tasks = list(taxonomy.tasks())
    with store.read() as session:
        rows = {}
        for at, task in enumerate(tasks):
            report(0.05 + 0.45 * at / len(tasks), f"reading decisions on {task}")
            rows[task] = gather(session, task, model)
        report(0.5, "counting what was scored")
        spent = flow.worked(list(rows.values()), outcomes.claims(session))
        return _Read(
            rows,
            {task: outcomes.undecided(session, task, moments) for task in tasks},
            {task: _in_force(session, task) for task in tasks},
            outcomes.scored_by_hour(session),
            outcomes.decided_by_hour(session),
            queues.waiting(session, now),
            dict(zip(tasks, spent, strict=True)),
        )


def _in_force(session: Session, task: str) -> _InForce:
    row = routing_policies.in_force(session, task)
    if row is None:
        return _InForce(None, None)
    try:
        policy = RoutingPolicy.from_json(row.document)
        learnt = routing.learnt_in_force(session, {task: row.version}).get(task)
    except RoutingError as error:
        return _InForce(None, row.version, str(error))
    if learnt is not None:
        policy = replace(policy, thresholds=learnt.on(policy.thresholds))
    return _InForce(policy, row.version)


def _of_task(
    store: Store,
    settings: Settings,
    model: VersionedPrefilter,
    read: _Read,
    task: str,
    ledgers: dict[str, Document],
    now: datetime,
) -> list[Figure]:
    found: list[Figure] = []
    whole = read.rows[task]
    for place, window in enumerate(WINDOWS):
        begin = since(window, now)
        rows, scored = whole.after(begin), whole.take(whole.scored_at >= begin)
        head = covered(window, now, whole.first)
        first = flow.moment(read.scored[0].hour) if read.scored else None
        unit = flow.unit(ledgers[window], begin, first, now, settings)
        curve = _operating(settings, read.in_force[task], rows, unit)
        found += [
            (f"operating.{window}", task, head | curve),
            (f"calibration.{window}", task,
             head | calibration(rows.usable) | {"left_out": rows.left_out}),
            (f"machine.{window}", task, head | machine_agreement(rows)),
            (f"people.{window}", task, head | _people(store, task, begin)),
            (f"miss.{window}", task, head | misses(scored, read.open[task], place)),
        ]  # fmt: skip
    return [*found, ("drift", task, _drift(store, task, model, now))]


def _operating(
    settings: Settings, in_force: _InForce, rows: Decided, unit: operating.Unit
) -> Document:
    usable = rows.usable
    head: Document = {"n": len(rows), "left_out": rows.left_out, "unit": vars(unit)}
    if in_force.why is not None:
        return head | {"why": in_force.why}
    rule = EntropyRouting(settings.entropy_threshold, settings.human_entropy_threshold)
    policy = in_force.policy
    head |= {
        "why": None,
        "version": in_force.version or rule.version,
        "rule": policy.rule if policy else "entropy",
        "published": policy is not None,
    }
    try:
        items = usable.predictions()
        seen = items.take(items.has_mllm)
        tables = {"traffic": items, "both": seen}
        return head | {
            name: operating.missing(rows) or operating.table(_sides(rule, settings, in_force, rows),
                                                             rows, unit)
            for name, rows in tables.items()
        }  # fmt: skip
    except CoefVQError as error:
        return head | {"why": str(error)}


def _sides(
    rule: EntropyRouting, settings: Settings, in_force: _InForce, items: Predictions
) -> Sides:
    if in_force.policy is not None:
        return by_policy(in_force.policy, str(in_force.version), items)
    return by_settings(rule, settings.audit_share, items)


def _people(store: Store, task: str, begin: float) -> Document:
    """Agreement among people; whoever reads the figure is asked who they are then."""
    moment = None if np.isinf(begin) else datetime.fromtimestamp(begin, UTC)
    try:
        found = asdict(agreement_report.report(store, LOCAL, task, moment))
    except CoefVQError as error:
        return {"why": str(error)}
    return {name: value for name, value in found.items() if name not in ("since", "until")}


def _drift(store: Store, task: str, model: VersionedPrefilter, now: datetime) -> Document:
    try:
        found = routing_drift.drift(store, task, model, DRIFT_DAYS, now)
    except CoefVQError as error:
        return {"why": str(error)}
    begin = now.timestamp() - DRIFT_DAYS * 86_400
    return {"why": None, "since": begin, "until": now.timestamp()} | found.to_json()


def _throughput(read: _Read, now: datetime) -> Document:
    rows = list(read.rows.values())
    return flow.throughput(read.scored, read.decided, rows, read.waiting, now)


def _ledger(read: _Read, settings: Settings, window: str, now: datetime) -> Document:
    begin = since(window, now)
    seconds = [
        read.worked[task][rows.decided_at >= begin] for task, rows in read.rows.items()
    ]  # fmt: skip
    decisions = sum(number for hour, number in read.decided if flow.moment(hour) + 3600 > begin)
    first = flow.moment(read.scored[0].hour) if read.scored else None
    spent = np.concatenate(seconds) if seconds else np.empty(0)
    found = flow.ledger(read.scored, spent, decisions, begin, settings)
    return covered(window, now, first) | found
