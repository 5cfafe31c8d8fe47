"""Deliver what programs asked to be told: signed, at least once, with growing pauses.

Receivers are strangers' machines. The name is resolved before each call and must be public, the
connection goes to that very address, nothing is followed, and five seconds are all it gets. The
first failure of an address puts off everything that waits for it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from coefvq.errors import SettingsError
from coefvq.settings import Settings
from coefvq.store import callbacks, events
from coefvq.store.callbacks import DeliveryState
from coefvq.store.jobs import ClaimedJob
from coefvq.store.tables import DeliveryRow, utcnow
from coefvq.work.alarms.address import Target, check_secret, parts_of, resolve
from coefvq.work.alarms.post import post
from coefvq.work.alarms.webhook import SIGNATURE, signature
from coefvq.work.bench import Apply, Bench, Report

log = logging.getLogger(__name__)
SECRET_SETTING, PRIVATE_SETTING = "COEFVQ_CALLBACK_SECRET", "COEFVQ_CALLBACK_PRIVATE"
NAME = "The callback"
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=6)
MOST_ATTEMPTS = 14
"""The last try comes about a day and a half after the first."""
AT_ONCE = 10
Post = Callable[[Target, bytes, dict[str, str]], int]


@dataclass(frozen=True)
class Outcome:
    """What became of one try; ``fault`` is ``None`` where the receiver took it."""

    delivery_id: str
    fault: str | None


def check_callback(settings: Settings, url: str) -> str:
    """Refuse an address that could never be called, without looking its name up.

    Raises:
        SettingsError: It does not fit, or callbacks are not set up here.
    """
    check_secret(settings.callback_secret, SECRET_SETTING, "callbacks")
    if len(url) > 2000:
        raise SettingsError(f"{NAME} has {len(url)} characters: at most 2000.")
    parts = parts_of(url, NAME)
    if parts.scheme == "http" and not settings.callback_private:
        raise SettingsError(f"{NAME}: only https is called. Use https for {parts.host}.")
    return url


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many failures of a message, at least 1."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(attempts - 1, 20)
    return min(doubled, LONGEST_WAIT)


def deliver(bench: Bench, job: ClaimedJob, report: Report, send: Post = post) -> Apply:
    """Send what is due; what failed waits, and the next job is queued for its time."""
    outcomes = _round(bench, utcnow(), send)

    def apply(session: Session) -> None:
        now = utcnow()
        for outcome in outcomes:
            _note(session, outcome, now)
        callbacks.wake(session, now)

    return apply


def _round(bench: Bench, now: datetime, send: Post) -> list[Outcome]:
    with bench.store.read() as session:
        rows = callbacks.due(session, now, AT_ONCE)
    outcomes: list[Outcome] = []
    dead: set[str] = set()
    for row in rows:
        if row.url in dead:
            continue
        fault = _one(bench.settings, row, send)
        outcomes.append(Outcome(row.id, fault))
        if fault is not None:
            dead.add(row.url)
            log.warning("callback %s: %s", row.id, fault)
    return outcomes


def _one(settings: Settings, row: DeliveryRow, send: Post) -> str | None:
    """Send one; what went wrong, or ``None``. No path or query of the address is told."""
    try:
        check_secret(settings.callback_secret, SECRET_SETTING, "callbacks")
        target = resolve(row.url, NAME, settings.callback_private, PRIVATE_SETTING)
    except SettingsError as error:
        return str(error)
    body = body_of(row)
    stamp = int(utcnow().timestamp())
    signed = signature(settings.callback_secret, stamp, body)
    try:
        status = send(target, body, {"Content-Type": "application/json", SIGNATURE: signed})
    except OSError as error:
        return f"No answer from {target.shown} ({error})."
    return None if 200 <= status < 300 else f"{target.shown} answered with HTTP {status}."


def body_of(row: DeliveryRow) -> bytes:
    """The same bytes at each try, with the id that tells repetitions; ASCII only."""
    return json.dumps({"id": row.id, **row.body}, sort_keys=True).encode("ascii")


def _note(session: Session, outcome: Outcome, now: datetime) -> None:
    row = session.get(DeliveryRow, outcome.delivery_id)
    if row is None:  # its video was deleted meanwhile
        return
    row.attempts += 1
    row.fault = outcome.fault
    if outcome.fault is None:
        row.state, row.taken_at = DeliveryState.TAKEN.value, now
        return
    if row.attempts >= MOST_ATTEMPTS:
        row.state = DeliveryState.GIVEN_UP.value
        data = {"event": row.body["event"], "attempts": row.attempts}
        events.append(session, "worker", "callback.given_up", "callback", row.id, data, now)
    session.flush()
    callbacks.put_off(session, {row.url}, now + wait_after(row.attempts))
