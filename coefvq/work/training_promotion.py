"""Promotion as a job: fitting the routing for a candidate takes longer than a page should wait.

What came of it, or why it was refused, is kept with the job.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.errors import CoefVQError, LeaseLost, TrainingError
from coefvq.review.access import Actor, Permission, require
from coefvq.store import jobs, trained_models
from coefvq.store.jobs import ClaimedJob
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobRow, JobState
from coefvq.store.text import storable
from coefvq.work.bench import Apply, Bench
from coefvq.work.training_monitor import JobMonitor

if TYPE_CHECKING:
    from coefvq.work.promotion import Promotion

PROMOTE, OUTCOME, VERSION = "promote", "outcome", "version"
NOTE_LIMIT = 2000


def request_promotion(store: Store, actor: Actor, version: str, note: str, expected: str) -> str:
    """Queue a promotion; what can be refused at once is.

    Args:
        note: Why; it must say something.
        expected: The model in force when the actor looked.

    Returns:
        Id of the job.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such model.
        TrainingError: There is no note, or a promotion waits already.
    """
    require(actor, Permission.LEAD)
    said = str(storable(note) or "").strip()
    if not said:
        raise TrainingError("Say why it is promoted: the note is for whoever reads the list later.")
    wish = {"note": said[:NOTE_LIMIT], "expected": expected, "by": actor.name,
            "roles": sorted(actor.roles)}  # fmt: skip
    with store.write() as session:
        trained_models.get(session, version)
        if any(_is_open(row) for row in promotions(session).values()):
            raise TrainingError("A promotion is under way already. Wait until it is done.")
        return jobs.add(session, JobKind.GATE, {VERSION: version, PROMOTE: wish}).id


def promotions(session: Session) -> dict[str, JobRow]:
    """The newest promotion of each version."""
    query = select(JobRow).where(JobRow.kind == JobKind.GATE.value).order_by(JobRow.id)
    return {str(row.payload[VERSION]): row for row in session.scalars(query)
            if PROMOTE in row.payload}  # fmt: skip


def promote(bench: Bench, job: ClaimedJob) -> Apply:
    """Promote; a refusal is an answer, not a failed job.

    The publication is a transaction of its own. Where a worker died between it and the end of the
    job, the model is in force already, and that is the answer.
    """
    from coefvq.work.promotion import promote_with_routing

    wish, version = job.payload[PROMOTE], str(job.payload[VERSION])
    if job.attempt > 1 and _is_live(bench.store, version):
        return keep_outcome(job, {"ok": True})
    actor = Actor(wish["by"], frozenset(wish["roles"]))
    monitor = JobMonitor(bench.store, job)
    try:
        found = promote_with_routing(
            bench.store, bench.settings, actor, version, wish["note"],
            expected=wish["expected"], monitor=monitor,
        )  # fmt: skip
    except LeaseLost:
        raise
    except CoefVQError as error:
        return keep_outcome(job, {"ok": False, "why": str(error)})
    return keep_outcome(job, told(found))


def planned(bench: Bench, job: ClaimedJob, version: str, actor: Actor) -> dict[str, Any]:
    """What a promotion would do to the routing, or why it would be refused."""
    from coefvq.work.promotion import plan

    monitor = JobMonitor(bench.store, job)
    try:
        return told(plan(bench.store, bench.settings, actor, version, monitor=monitor))
    except LeaseLost:
        raise
    except CoefVQError as error:
        return {"ok": False, "why": str(error)}


def told(found: Promotion) -> dict[str, Any]:
    """A promotion, or the plan of one, as plain JSON."""
    return {
        "ok": True,
        "routing": [asdict(each) for each in found.routing],
        "combined": list(found.combined),
        "notes": list(found.notes),
    }


def keep_outcome(job: ClaimedJob, outcome: dict[str, Any]) -> Apply:
    """Store what came of a job with it."""

    def apply(session: Session) -> None:
        row = jobs.get(session, job.id)
        row.payload = {**row.payload, OUTCOME: outcome}

    return apply


def _is_open(row: JobRow) -> bool:
    return row.state in (JobState.QUEUED.value, JobState.RUNNING.value)


def _is_live(store: Store, version: str) -> bool:
    from coefvq.learning.registry import in_force

    with store.read() as session:
        return version in in_force(session).values()
