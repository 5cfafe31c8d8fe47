"""The jobs that export and import. A long export gives its worker back now and then.

An export is written with checkpoints; after ``SLICE_S`` seconds it is queued again, so that a video
that waits for its score does not wait for the whole of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from coefvq.errors import ExportError, SettingsError, StoreError
from coefvq.export.desk import FILE, folder_of
from coefvq.export.run import Paused, Report, run_export
from coefvq.export.take import import_file
from coefvq.export.wanted import wanted_from
from coefvq.review.access import ROLES, Actor
from coefvq.store import jobs
from coefvq.store.jobs import ClaimedJob
from coefvq.store.tables import JobRow, JobState, utcnow
from coefvq.work.bench import Apply, Bench
from coefvq.work.bench import Report as Tell

SLICE_S = 20.0
TOLD_EVERY_S = 1.0
REFUSED_KEPT = 200


class Stopped(ExportError):
    """Somebody stopped it."""

    code = "stopped"


def export(bench: Bench, job: ClaimedJob, report: Tell) -> Apply:
    """Go on with an export, for a while or to its end. What goes wrong is told with the job."""
    _begin(bench, job)
    told = _Telling(bench, job, report)
    wanted, folder = wanted_from(job.payload["wanted"]), folder_of(bench.settings, job.id)
    try:
        made = run_export(
            bench.store, bench.settings, _actor(job), wanted, folder,
            progress=told, until=time.monotonic() + SLICE_S,
        )  # fmt: skip
    except Paused:
        return _later(job, told.share)
    except (ExportError, SettingsError, StoreError) as error:
        return _over(job, error)
    return _done(job, _counted(made, folder))


def take_in(bench: Bench, job: ClaimedJob, report: Tell) -> Apply:
    """Import an uploaded file. Taken up again after a crash, nothing is there twice."""
    _begin(bench, job)
    told = _Telling(bench, job, report)
    path = folder_of(bench.settings, job.id) / FILE
    name, shown = str(job.payload["format"]), str(job.payload["file"])
    try:
        found = import_file(
            bench.store, bench.settings, _actor(job), name, path, source=shown,
            progress=lambda number: told(0.0, f"{number:,} decisions looked at"),
        )  # fmt: skip
    except (ExportError, SettingsError, StoreError) as error:
        return _over(job, error)
    path.unlink(missing_ok=True)
    refused = [[line, why] for line, why in found.refused[:REFUSED_KEPT]]
    return _done(job, {"taken": found.taken, "known": found.known,
                       "refused_count": found.refused_count, "refused": refused})  # fmt: skip


def _actor(job: ClaimedJob) -> Actor:
    """Who asked, with the roles that they had then."""
    roles = frozenset(job.payload.get("roles") or ()) & ROLES.keys()
    return Actor(str(job.payload.get("by")), roles)


def _begin(bench: Bench, job: ClaimedJob) -> None:
    """Note when it began first, for the time that remains."""
    if job.payload.get("began"):
        return
    with bench.store.write() as session:
        row = jobs.get(session, job.id)
        row.payload = {**row.payload, "began": utcnow().isoformat()}


class _Telling:
    """Progress at most once a second; it hears of a stop, too."""

    def __init__(self, bench: Bench, job: ClaimedJob, report: Tell) -> None:
        self._bench, self._job, self._report = bench, job, report
        self._told_at = float("-inf")
        self.share = float(job.payload.get("share") or 0.0)

    def __call__(self, share: float, note: str) -> None:
        self.share = max(self.share, share)
        if time.monotonic() - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = time.monotonic()
        with self._bench.store.read() as session:
            row = session.get(JobRow, self._job.id)
            if row is not None and row.payload.get("stop"):
                raise Stopped(f"Stopped by {row.payload['stop']}.")
        self._report(self.share, note)


def _later(job: ClaimedJob, share: float) -> Apply:
    def apply(session: Session) -> None:
        row = jobs.get(session, job.id)
        row.state, row.attempts, row.finished_at = JobState.QUEUED.value, row.attempts - 1, None
        row.progress, row.payload = share, {**row.payload, "share": share}

    return apply


def _done(job: ClaimedJob, result: dict[str, Any]) -> Apply:
    return _with(job, lambda row: setattr(row, "payload", {**row.payload, "result": result}))


def _over(job: ClaimedJob, error: ExportError | SettingsError | StoreError) -> Apply:
    """It failed for a reason that is told; no second try would help, and nobody is alarmed."""

    def end(row: JobRow) -> None:
        if not isinstance(error, Stopped):
            row.error_code, row.error = error.code, str(error)

    return _with(job, end)


def _with(job: ClaimedJob, change: Callable[[JobRow], None]) -> Apply:
    def apply(session: Session) -> None:
        change(jobs.get(session, job.id))

    return apply


def _counted(made: Report, folder: Any) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in (folder / name for name in made.files)
               if path.is_file())  # fmt: skip
    tally = made.tally
    return {
        "decisions": tally.decisions, "videos": tally.videos, "rows": tally.rows,
        "corrections": tally.corrections, "left_out": tally.left_out_words(), "bytes": size,
        "files": len(made.files),
    }  # fmt: skip
