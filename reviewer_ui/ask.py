"""Ask the worker for the second stage, and see what it does about it."""

from __future__ import annotations

from coefvq.errors import StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.review.views import CaseView
from coefvq.store import cases, events, jobs
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobRow, JobState


def ask_mllm(store: Store, actor: Actor, case_id: str) -> None:
    """Queue a scoring of the case's video that runs the MLLM whatever the entropy says.

    Raises:
        NotAllowed: The actor may not decide.
        StoreError: There is no such case, or its video is being taken in.
    """
    require(actor, Permission.DECIDE)
    with store.write() as session:
        video_id = cases.get(session, case_id).video_id
        before = (JobKind.INGEST, JobKind.FINGERPRINT)
        if any(jobs.open_job(session, kind, video_id=video_id) is not None for kind in before):
            raise StoreError("The video is still being taken in; ask again when it is scored.")
        jobs.enqueue(session, JobKind.SCORE, video_id=video_id, payload={"stage": "mllm"})
        events.append(session, actor.name, "mllm.asked", "case", case_id)


def _words(job: JobRow) -> str:
    if job.state == JobState.QUEUED.value:
        return "Waits for the worker…"
    share = f" {job.progress * 100:.0f} %" if job.progress else ""
    return f"{job.note or 'Working'}{share}…"


def busy(store: Store, actor: Actor, case: CaseView) -> str | None:
    """What the job behind the MLLM's card does now; ``None`` where none is due."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        job = jobs.open_job(session, JobKind.EXPLAIN, case_id=case.id) or jobs.open_job(
            session, JobKind.SCORE, video_id=case.video.id
        )
        return _words(job) if job is not None else None
