"""Check everything, keep one row an alarm while it holds, and send what is new."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from coefvq.errors import CoefVQError
from coefvq.settings import Settings
from coefvq.store import alarms as rows_of
from coefvq.store.alarms import AlarmKind
from coefvq.store.session import Store
from coefvq.store.tables import AlarmRow, utcnow
from coefvq.work.alarms import flag_checks, people_checks, routing_checks, webhook, work_checks
from coefvq.work.alarms.desk import Alarm, alarm_of
from coefvq.work.alarms.finding import Finding, Level
from coefvq.work.alarms.routing_checks import PrefilterOf
from coefvq.work.task_probability import Recalibration

log = logging.getLogger(__name__)
FORGOTTEN = timedelta(days=7)
"""An alarm of which so long nothing could be told is taken down."""

Check = Callable[[Session, Settings, datetime], Iterator[Finding]]
CHECKS: dict[AlarmKind, Check] = {
    AlarmKind.WORKER_SILENT: work_checks.worker_silent,
    AlarmKind.SET_ASIDE: work_checks.set_aside,
    AlarmKind.QUEUE_AGE: work_checks.queue_age,
    AlarmKind.BUDGET: routing_checks.budget,
    AlarmKind.FLAG_JUMP: flag_checks.flag_jump,
    AlarmKind.REVIEWER_AGREEMENT: people_checks.reviewer_agreement,
}
"""Each reads the store in one session; drift, which needs the prefilter, is beside them."""
_DRIFT = frozenset({AlarmKind.DRIFT, AlarmKind.CALIBRATION})


@dataclass(frozen=True)
class Note:
    """What could not be told, and why."""

    kind: str
    subject: str
    why: str


@dataclass(frozen=True)
class Checked:
    """What a round of checks has left.

    Attributes:
        alarms: Those that stand now.
        notes: What could not be checked, mostly for too few data.
        sent: Messages that the webhook took.
    """

    alarms: tuple[Alarm, ...]
    notes: tuple[Note, ...]
    sent: int = 0


def check_all(
    store: Store,
    settings: Settings,
    now: datetime | None = None,
    prefilter: PrefilterOf | None = None,
) -> list[Alarm]:
    """Check everything and return the alarms that stand; see ``check``."""
    return list(check(store, settings, now, prefilter).alarms)


def check(
    store: Store,
    settings: Settings,
    now: datetime | None = None,
    prefilter: PrefilterOf | None = None,
) -> Checked:
    """Check everything, raise and clear alarms, and send what the webhook has not taken yet.

    Writes in transactions of its own. A check that cannot run leaves its alarms as they are and
    says so in the notes.

    Args:
        prefilter: Gives the one in use, asked only where a routing policy is published; ``None``:
            the one in force.
    """
    moment = now or utcnow()
    model = prefilter or partial(Recalibration.in_force, store, settings)
    findings: list[Finding] = []
    failed: dict[AlarmKind, str] = {}
    for kind, one in CHECKS.items():
        _collect(findings, failed, [kind], partial(_read, store, settings, moment, one))
    _collect(findings, failed, _DRIFT, lambda: list(routing_checks.drift(store, moment, model)))
    return _settle(store, settings, moment, findings, set(AlarmKind), failed)


def watch_worker(store: Store, settings: Settings, now: datetime | None = None) -> Checked:
    """Only see whether a worker works: for a process that is none, because a dead one says nothing.

    Sends what waits for the webhook too.
    """
    moment = now or utcnow()
    kind = AlarmKind.WORKER_SILENT
    found = _read(store, settings, moment, CHECKS[kind])
    return _settle(store, settings, moment, found, {kind}, {})


def _read(store: Store, settings: Settings, now: datetime, one: Check) -> list[Finding]:
    with store.read() as session:
        return list(one(session, settings, now))


def _collect(
    findings: list[Finding],
    failed: dict[AlarmKind, str],
    kinds: Iterable[AlarmKind],
    one: Callable[[], list[Finding]],
) -> None:
    try:
        findings += one()
    except CoefVQError as error:
        log.warning("alarms: %s", error)
        failed |= dict.fromkeys(kinds, str(error))


def _settle(
    store: Store,
    settings: Settings,
    now: datetime,
    findings: Iterable[Finding],
    kinds: set[AlarmKind],
    failed: dict[AlarmKind, str],
) -> Checked:
    found = list(findings)
    with store.write() as session:
        rows_of.take_turn(session)
        reconcile(session, found, kinds - set(failed), now)
    sent = webhook.deliver(store, settings, now)
    with store.read() as session:
        standing = tuple(alarm_of(row) for row in rows_of.standing(session))
    notes = [Note(kind.value, "", f"Could not be checked: {why}") for kind, why in failed.items()]
    notes += [
        Note(each.kind.value, each.subject, each.message)
        for each in found
        if each.level is Level.UNKNOWN
    ]
    return Checked(standing, (*notes, *(Note("webhook", "", why) for why in sent.faults)), sent.n)


def reconcile(
    session: Session, findings: Iterable[Finding], kinds: set[AlarmKind], now: datetime
) -> None:
    """Raise, keep or clear, in the transaction at hand.

    What is over its limit is raised once and kept up to date; what is near it stays as it is; what
    is fine or gone is cleared. What cannot be told stays until it is ``FORGOTTEN``.

    Args:
        kinds: That were checked: an alarm of these of which nothing was found is cleared.
    """
    by_key = {each.key: each for each in findings}
    standing = {(row.kind, row.subject): row for row in rows_of.standing(session)}
    for key, row in standing.items():
        if row.kind in {kind.value for kind in kinds}:
            _keep_or_clear(session, row, by_key.get(key), now)
    for key, found in by_key.items():
        if found.level is Level.OVER and key not in standing:
            rows_of.add(
                session, found.kind, found.subject, found.severity, found.message,
                _finite(found.data), now,
            )  # fmt: skip


def _keep_or_clear(session: Session, row: AlarmRow, found: Finding | None, now: datetime) -> None:
    if found is None:
        rows_of.clear(session, row, "what it was about is gone", now)
    elif found.level is Level.FINE:
        rows_of.clear(session, row, "back within its limit", now)
    elif found.level is Level.UNKNOWN:
        if now - row.seen_at > FORGOTTEN:
            rows_of.clear(session, row, "too few data to tell for a week", now)
    else:
        row.seen_at = now
        if found.level is Level.OVER:
            row.message, row.severity = found.message, found.severity.value
            noted = {name: row.data[name] for name in ("webhook",) if name in row.data}
            row.data = _finite(found.data) | noted


def _finite(data: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in data.items()
    }
