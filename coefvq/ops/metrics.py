"""Figures for Prometheus: what waits, what the last hour did, what it cost, what is amiss.

Names of tasks, queues and policies, and numbers; nothing of a video and no person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import alarms, cases, figures, operating, queues, routing_policies
from coefvq.store.session import Store
from coefvq.store.tables import utcnow

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
HOUR = timedelta(hours=1)
QUANTILES = (0.5, 0.95)
REST = "rest"
"""Label of cases that no queue takes."""
MISS_WINDOW = "30"
"""Days that the stored miss rate is over."""
Labels = tuple[str, ...]
Rows = Iterable[tuple[Labels, float | None]]


@dataclass(frozen=True)
class Metric:
    """One gauge; a row whose value is ``None`` is not known and left out."""

    name: str
    says: str
    labels: Labels = ()


METRICS = (
    Metric("coefvq_queue_waiting", "Cases that wait for a person.", ("queue", "task")),
    Metric("coefvq_queue_late", "Of them, older than their queue promises.", ("queue", "task")),
    Metric("coefvq_queue_oldest_seconds", "Age of the oldest waiting case.", ("queue", "task")),
    Metric("coefvq_jobs", "Jobs that are not done.", ("state", "kind")),
    Metric("coefvq_cases", "Cases by state.", ("state",)),
    Metric("coefvq_decisions_last_hour", "Decisions given in the last hour."),
    Metric("coefvq_routed_last_hour", "Verdicts given in the last hour.", ("task", "version")),
    Metric("coefvq_escalated_share", "Share of them escalated.", ("task", "version")),
    Metric("coefvq_escalation_budget", "Budget in force, a share of all.", ("task", "version")),
    Metric("coefvq_mllm_failures_last_hour", "Verdicts without an MLLM that was due.", ("task",)),
    Metric("coefvq_runs_last_hour", "Videos scored in the last hour."),
    Metric("coefvq_stage_seconds", "Time of a part of scoring, last hour.", ("stage", "quantile")),
    Metric("coefvq_tokens_last_hour", "Tokens of the MLLM in the last hour.", ("direction",)),
    Metric("coefvq_mllm_money_last_hour", "Their price, where prices are set."),
    Metric("coefvq_drift_psi", "Drift of scores (PSI), as stored.", ("task", "policy")),
    Metric("coefvq_miss_rate", "Miss rate from audits, 30 days, as stored.", ("task", "bound")),
    Metric("coefvq_figures_age_seconds", "Age of the stored figures."),
    Metric("coefvq_alarms", "Alarms that stand.", ("kind", "severity")),
)
_BY_NAME = {metric.name: metric for metric in METRICS}


def render(store: Store, settings: Settings, actor: Actor, now: datetime | None = None) -> bytes:
    """All figures as text, of one moment.

    Raises:
        NotAllowed: The actor may not read operating figures.
    """
    require(actor, Permission.MEASURE)
    moment = now or utcnow()
    with store.read() as session:
        found = dict(_all(session, settings, moment))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(found))
    return generate_latest(registry)


class _Fixed(Collector):
    """Hands out rows that were read already."""

    def __init__(self, rows: Mapping[str, Rows]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family a metric, also where it has no row just now."""
        for metric in METRICS:
            family = GaugeMetricFamily(metric.name, metric.says, labels=metric.labels)
            for labels, value in self._rows.get(metric.name, ()):
                if value is not None:
                    family.add_metric(labels, value)
            yield family


def _all(session: Session, settings: Settings, now: datetime) -> Iterator[tuple[str, list[Any]]]:
    """(name, rows); the same name comes once."""
    for part in (_waiting, _work, _routes, _costs, _stored, _alarms):
        for name, rows in part(session, settings, now):
            assert name in _BY_NAME, name
            yield name, list(rows)


def _waiting(session: Session, _: Settings, now: datetime) -> Iterator[tuple[str, Rows]]:
    found = [((each.queue or REST, each.task), each) for each in queues.waiting(session, now)]
    yield "coefvq_queue_waiting", [(key, each.number) for key, each in found]
    yield "coefvq_queue_late", [(key, each.late) for key, each in found]
    ages = [(key, (now - each.oldest).total_seconds()) for key, each in found if each.oldest]
    yield "coefvq_queue_oldest_seconds", ages


def _work(session: Session, _: Settings, now: datetime) -> Iterator[tuple[str, Rows]]:
    jobs = operating.jobs_by_state(session)
    yield "coefvq_jobs", [((state, kind), number) for state, kind, number in jobs]
    yield "coefvq_cases", [((state,), n) for state, n in cases.counts(session).items()]
    yield "coefvq_decisions_last_hour", [((), operating.decided(session, now - HOUR))]


def _routes(session: Session, _: Settings, now: datetime) -> Iterator[tuple[str, Rows]]:
    found = operating.routed(session, now - HOUR)
    keys = [((each.task, each.version), each) for each in found]
    yield "coefvq_routed_last_hour", [(key, each.number) for key, each in keys]
    yield "coefvq_escalated_share", [(key, each.escalated / each.number) for key, each in keys]
    failed = dict.fromkeys(taxonomy.tasks(), 0)
    for each in found:
        failed[each.task] = failed.get(each.task, 0) + each.failed
    yield "coefvq_mllm_failures_last_hour", [((task,), n) for task, n in failed.items()]
    budgets = []
    for task, version in sorted(routing_policies.versions_in_force(session).items()):
        limit = routing_policies.get(session, version).document.get("budget")
        if isinstance(limit, int | float):
            budgets.append(((task, version), float(limit)))
    yield "coefvq_escalation_budget", budgets


def _costs(session: Session, settings: Settings, now: datetime) -> Iterator[tuple[str, Rows]]:
    total = operating.spent(session, now - HOUR)
    times = operating.milliseconds(session, now - HOUR)
    yield "coefvq_runs_last_hour", [((), total.runs)]
    tokens = {"in": total.tokens_in, "out": total.tokens_out}
    yield "coefvq_tokens_last_hour", [((way,), number) for way, number in tokens.items()]
    seconds = [
        ((part, str(quantile)), float(np.quantile(values, quantile)) / 1000)
        for part, values in times.items()
        if values
        for quantile in QUANTILES
    ]
    yield "coefvq_stage_seconds", seconds
    yield "coefvq_mllm_money_last_hour", [((), _money(settings, total, times["mllm"]))]


def _money(settings: Settings, total: operating.Spent, mllm_ms: Any) -> float | None:
    """Price of tokens, and of the machine's time where all runs of the hour were read."""
    if not (settings.mllm_price_per_1k_tokens or settings.gpu_price_per_hour):
        return None
    if settings.gpu_price_per_hour and total.runs > operating.NEWEST:
        return None
    tokens = (total.tokens_in + total.tokens_out) / 1000 * settings.mllm_price_per_1k_tokens
    return tokens + sum(mllm_ms) / 3_600_000 * settings.gpu_price_per_hour


def _stored(session: Session, _: Settings, now: datetime) -> Iterator[tuple[str, Rows]]:
    """Drift and miss rate as the worker computed them last."""
    drift: list[tuple[Labels, float | None]] = []
    miss: list[tuple[Labels, float | None]] = []
    ages = []
    for task in taxonomy.tasks():
        drifted = figures.get(session, "drift", task)
        if drifted is not None:
            reports = drifted[0].get("reports") or ()
            drift += [((task, each["policy"]), each["scores"]["psi"]) for each in reports]
            ages.append((now - drifted[1]).total_seconds())
        missed = figures.get(session, f"miss.{MISS_WINDOW}", task)
        if missed is not None and missed[0].get("miss_rate"):
            bounds = zip(("value", "low", "high"), missed[0]["miss_rate"], strict=True)
            miss += [((task, bound), value) for bound, value in bounds]
    yield "coefvq_drift_psi", drift
    yield "coefvq_miss_rate", miss
    yield "coefvq_figures_age_seconds", [((), max(ages))] if ages else []


def _alarms(session: Session, _: Settings, now: datetime) -> Iterator[tuple[str, Rows]]:
    counted: dict[Labels, int] = {}
    for row in alarms.standing(session):
        counted[row.kind, row.severity] = counted.get((row.kind, row.severity), 0) + 1
    yield "coefvq_alarms", list(counted.items())
