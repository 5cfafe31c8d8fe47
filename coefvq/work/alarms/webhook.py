"""Send alarms to an address that the operator has set, signed, until it says that it has them.

At least once: the same alarm may come twice, under the same id. Nothing of a video is sent, and no
reviewer's name: a pseudonym, the same as in exports.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from coefvq.errors import CoefVQError, SettingsError
from coefvq.export.pseudonyms import Naming, pseudonyms
from coefvq.settings import Settings
from coefvq.store import alarms as rows_of
from coefvq.store.alarms import AlarmKind
from coefvq.store.session import Store
from coefvq.store.tables import AlarmRow
from coefvq.work.alarms.address import Target, target_of
from coefvq.work.alarms.post import post

log = logging.getLogger(__name__)
SIGNATURE = "X-Coefvq-Signature"
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
OLD = timedelta(days=7)
"""What has been over for so long is not sent any more."""
AT_ONCE = 20
Post = Callable[[Target, bytes, dict[str, str]], int]


@dataclass(frozen=True)
class Sent:
    """How many messages were taken, and what went wrong."""

    n: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Letter:
    """One message: ``raised`` or ``cleared`` of one alarm."""

    alarm_id: str
    event: str
    body: bytes


def deliver(store: Store, settings: Settings, now: datetime, send: Post = post) -> Sent:
    """Send what is due; the first failure ends the round, and the next check tries again.

    A failure waits for ``FIRST_WAIT``, doubled each time up to ``LONGEST_WAIT``.
    """
    if not settings.alarm_webhook:
        return Sent()
    try:
        target = target_of(settings)
        letters = _due(store, settings, now)
    except CoefVQError as error:
        log.warning("alarm webhook: %s", error)
        return Sent(faults=(str(error),))
    taken = 0
    for letter in letters:
        fault = _one(target, settings, letter, now, send)
        _note(store, letter, fault, now)
        if fault:
            log.warning("alarm webhook: %s", fault)
            return Sent(taken, (fault,))
        taken += 1
    return Sent(taken)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """``t=TIME,v1=HEX``: HMAC-SHA256 with the secret over ``TIME.BODY``.

    Args:
        timestamp: Seconds since 1970; a receiver refuses old ones.
    """
    signed = f"{timestamp}.".encode() + body
    made = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={made}"


def message(row: AlarmRow, event: str, naming: Naming) -> dict[str, Any]:
    """What is sent about an alarm. Names of people become pseudonyms."""
    subject, words = row.subject, row.message
    if row.kind == AlarmKind.REVIEWER_AGREEMENT.value:
        subject = naming(row.subject)
        words = subject + words.removeprefix(row.subject)
    return {
        "id": row.id,
        "event": event,
        "kind": row.kind,
        "subject": subject,
        "severity": row.severity,
        "message": words,
        "data": {name: value for name, value in row.data.items() if name != "webhook"},
        "raised_at": row.raised_at.isoformat(),
        "cleared_at": row.cleared_at.isoformat() if row.cleared_at else None,
    }


def wait_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row, at least 1."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(failures - 1, 20)
    return min(doubled, LONGEST_WAIT)


def _due(store: Store, settings: Settings, now: datetime) -> list[Letter]:
    naming = pseudonyms(settings.home)
    with store.read() as session:
        rows = rows_of.to_send(session, now - OLD)
        events = [(row, event) for row in rows if (event := _event(row, now)) is not None]
        return [
            Letter(row.id, event, _bytes(message(row, event, naming)))
            for row, event in events[:AT_ONCE]
        ]


def _bytes(content: dict[str, Any]) -> bytes:
    """ASCII only: whatever the texts hold, the bytes that leave are valid JSON."""
    return json.dumps(content, allow_nan=False, sort_keys=True).encode("ascii")


def _event(row: AlarmRow, now: datetime) -> str | None:
    """What is still to be said about an alarm, if it may be tried now."""
    noted = row.data.get("webhook", {})
    next_at = noted.get("next_at")
    if next_at and datetime.fromisoformat(next_at) > now:
        return None
    if row.sent_at is None:
        return "raised"
    return "cleared" if row.cleared_at and noted.get("last") == "raised" else None


def _one(
    target: Target, settings: Settings, letter: Letter, now: datetime, send: Post
) -> str | None:
    """Send one; what went wrong, or ``None``."""
    signed = signature(settings.alarm_webhook_secret, int(now.timestamp()), letter.body)
    headers = {"Content-Type": "application/json", SIGNATURE: signed}
    try:
        status = send(target, letter.body, headers)
    except SettingsError as error:
        return str(error)
    except OSError as error:
        return f"No answer from {target.shown} ({error}). It is tried again later."
    if 200 <= status < 300:
        return None
    what = "Redirects are not followed: name the final address." if 300 <= status < 400 else ""
    return f"{target.shown} answered with HTTP {status}. {what} It is tried again later."


def _note(store: Store, letter: Letter, fault: str | None, now: datetime) -> None:
    with store.write() as session:
        row = session.get(AlarmRow, letter.alarm_id, with_for_update=True)
        if row is None:
            return
        if fault is None:
            # An alarm that was over when it was first sent has nothing more to say.
            told_over = json.loads(letter.body)["cleared_at"] is not None
            last = "cleared" if told_over else letter.event
            row.sent_at = row.sent_at or now
            row.data = {**row.data, "webhook": {"last": last}}
            return
        noted = row.data.get("webhook", {})
        failures = int(noted.get("failures", 0)) + 1
        next_at = (now + wait_after(failures)).isoformat()
        row.data = {**row.data, "webhook": {**noted, "failures": failures, "next_at": next_at}}
