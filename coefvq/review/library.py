"""The library: list and filter videos, follow their scoring, retry what failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.errors import SettingsError, StoreError, did_you_mean
from coefvq.review.access import Actor, Permission, require
from coefvq.review.compare import overall
from coefvq.review.library_views import CaseBadge, IngestProgress, JobView, LibraryItem, LibraryPage
from coefvq.settings import Settings
from coefvq.store import events, jobs, videos
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    CaseState,
    DecisionRow,
    JobKind,
    JobRow,
    JobState,
    VideoRow,
)

STATUSES: dict[str, str] = {
    "waiting": "Waiting to be scored",
    "scoring": "Being scored",
    "to_review": "To review",
    "decided": "Decided",
    "auto_flag": "Flagged by the machine",
    "auto_pass": "Passed by the machine",
    "failed": "Failed",
}
"""Status to what people read. One video has one; the first that fits from ``to_review`` on."""

FILES = ("proxy", "poster", "contact_sheet", "original")
_INGEST_SHARE = 0.4


def list_videos(
    store: Store,
    settings: Settings,
    actor: Actor,
    text: str = "",
    task: str | None = None,
    status: str | None = None,
    offset: int = 0,
    limit: int = 60,
) -> LibraryPage:
    """List videos, newest first.

    Args:
        text: Words that must all occur in title, caption, file name or id.
        task: Look at this task's cases only, for the status and in the items.
        status: One of ``STATUSES``.

    Raises:
        SettingsError: There is no such task or status.
    """
    require(actor, Permission.VIEW)
    task_id = taxonomy.task(task).id if task else None
    where = [_has_status(status, task_id)] if status else []
    with store.read() as session:
        rows, total = videos.search(session, text=text, where=where, offset=offset, limit=limit)
        return LibraryPage(_items(session, settings, rows, task_id), total, offset)


def status_counts(store: Store, actor: Actor, task: str | None = None) -> dict[str, int]:
    """Number of videos by status."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        return {
            status: videos.search(session, where=[_has_status(status, task)], limit=0)[1]
            for status in STATUSES
        }


def progress(
    store: Store, settings: Settings, actor: Actor, video_ids: Sequence[str]
) -> IngestProgress:
    """How far a set of uploads is; ids that are not there (any more) do not count."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        wanted = [VideoRow.id.in_(list(video_ids))]
        rows, total = videos.search(session, where=wanted, limit=len(video_ids))
        items = _items(session, settings, rows, None)
    failed = sum(item.status == "failed" for item in items)
    shares = [1.0 if item.progress is None else item.progress for item in items]
    busy = next((item for item in items if item.status == "scoring"), None)
    return IngestProgress(
        total=total,
        done=sum(share == 1.0 for share in shares) - failed,
        failed=failed,
        fraction=sum(shares) / total if total else 1.0,
        note=f"{busy.title}: {busy.note}" if busy else "",
        items=items,
    )


def set_aside(store: Store, actor: Actor) -> tuple[JobView, ...]:
    """Jobs that failed for good, newest first."""
    return _jobs(store, actor, JobState.SET_ASIDE)


def running(store: Store, actor: Actor) -> tuple[JobView, ...]:
    """Jobs that a worker has just now."""
    return _jobs(store, actor, JobState.RUNNING)


def retry(store: Store, actor: Actor, job_id: str) -> None:
    """Queue a job that was set aside again.

    Raises:
        StoreError: There is no such job, or it is not set aside.
    """
    require(actor, Permission.UPLOAD)
    with store.write() as session:
        jobs.retry(session, job_id)
        events.append(session, actor.name, "job.retried", "job", job_id)


def media_file(store: Store, settings: Settings, actor: Actor, video_id: str, kind: str) -> Path:
    """Where a video's proxy, poster, contact sheet or original is on disk.

    Raises:
        StoreError: There is no such video or kind, or the file is not made yet.
    """
    require(actor, Permission.VIEW)
    if kind not in FILES:
        raise StoreError(f"Unknown kind of file '{kind}'.{did_you_mean(kind, FILES)}")
    with store.read() as session:
        media = videos.get(session, video_id).media
    original = kind == "original"
    name = media.file_name if original else getattr(media, kind)
    folder = settings.media_dir if original else settings.previews_dir
    if not name or not (folder / name).is_file():
        raise StoreError(f"Video {video_id} has no {kind.replace('_', ' ')} yet.")
    return folder / name


def _has_status(status: str, task: str | None) -> ColumnElement[bool]:
    if status not in STATUSES:
        raise SettingsError(f"Unknown status '{status}'.{did_you_mean(status, STATUSES)}")
    if status in (videos.WAITING, videos.SCORING, videos.FAILED):
        return VideoRow.status == status
    queued = _any_case(task, CaseRow.state == CaseState.QUEUED.value)
    decided = _any_case(task, CaseRow.state == CaseState.DECIDED.value)
    flagged = _any_case(task, CaseRow.route == RouteName.AUTO_FLAG.value)
    fits = {
        "to_review": queued,
        "decided": and_(~queued, decided),
        "auto_flag": and_(~queued, ~decided, flagged),
        "auto_pass": and_(~queued, ~decided, ~flagged),
    }
    return and_(VideoRow.status == videos.SCORED, fits[status])


def _any_case(task: str | None, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    query = exists().where(CaseRow.video_id == VideoRow.id, condition)
    return query.where(CaseRow.task == task) if task else query


def _status(video: VideoRow, badges: Sequence[CaseBadge]) -> str:
    if video.status != videos.SCORED:
        return video.status
    for status in ("queued", "decided"):
        if any(badge.state == status for badge in badges):
            return "to_review" if status == "queued" else status
    flagged = any(badge.route == RouteName.AUTO_FLAG.value for badge in badges)
    return "auto_flag" if flagged else "auto_pass"


def _items(
    session: Session, settings: Settings, rows: Sequence[VideoRow], task: str | None
) -> tuple[LibraryItem, ...]:
    ids = [row.id for row in rows]
    by_video = videos.cases_of(session, ids)
    decided = _decided(session, [case for each in by_video.values() for case in each])
    newest = jobs.newest_by_video(session, ids)
    return tuple(
        _item(
            settings,
            row,
            [_badge(case, decided) for case in by_video[row.id] if task in (None, case.task)],
            newest.get(row.id),
        )
        for row in rows
    )


def _item(
    settings: Settings, row: VideoRow, badges: list[CaseBadge], job: JobRow | None
) -> LibraryItem:
    media, info = row.media, row.media.info or {}
    failed = job is not None and job.state == JobState.SET_ASIDE.value
    return LibraryItem(
        video_id=row.id,
        title=row.title or row.original_name,
        original_name=row.original_name,
        uploader=row.uploader,
        uploaded_at=row.uploaded_at,
        duration_s=info.get("duration_s"),
        status=_status(row, badges),
        poster=settings.previews_dir / media.poster if media.poster else None,
        proxy=settings.previews_dir / media.proxy if media.proxy else None,
        cases=tuple(badges),
        warnings=tuple(info.get("warnings", ())),
        progress=_share(job),
        note=job.note if job else "",
        error_code=job.error_code if job and failed else None,
        error=job.error if job and failed else None,
        job_id=job.id if job and failed else None,
    )


def _share(job: JobRow | None) -> float | None:
    """Progress over both jobs of a video, 0..1; ``None`` when nothing is due."""
    if job is None or job.state in (JobState.SET_ASIDE.value, JobState.DONE.value):
        return None
    if job.kind == JobKind.INGEST.value:
        return _INGEST_SHARE * job.progress
    return _INGEST_SHARE + (1.0 - _INGEST_SHARE) * min(job.progress, 0.99)


def _badge(case: CaseRow, decided: dict[str, str]) -> CaseBadge:
    return CaseBadge(
        case_id=case.id,
        task=case.task,
        state=case.state,
        verdict=case.verdict,
        route=case.route,
        probability=case.probability,
        decided=decided.get(case.decision_id or ""),
    )


def _decided(session: Session, rows: Sequence[CaseRow]) -> dict[str, str]:
    wanted = [row.decision_id for row in rows if row.decision_id]
    query = select(DecisionRow.id, DecisionRow.labels).where(DecisionRow.id.in_(wanted))
    return {decision_id: overall(labels) for decision_id, labels in session.execute(query)}


def _jobs(store: Store, actor: Actor, state: JobState) -> tuple[JobView, ...]:
    require(actor, Permission.VIEW)
    with store.read() as session:
        return tuple(_job(session, row) for row in jobs.by_state(session, state))


def _job(session: Session, row: JobRow) -> JobView:
    video = session.get(VideoRow, row.video_id) if row.video_id else None
    return JobView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        video_id=row.video_id,
        title=(video.title or video.original_name) if video else "",
        attempts=row.attempts,
        progress=row.progress,
        note=row.note,
        error_code=row.error_code,
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
