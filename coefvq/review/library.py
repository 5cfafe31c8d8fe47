"""The library: list and filter videos, follow their scoring, retry what failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.errors import SettingsError, StoreError, did_you_mean
from coefvq.review import queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.library_items import items_of
from coefvq.review.library_views import IngestProgress, JobView, LibraryPage
from coefvq.settings import Settings
from coefvq.store import events, jobs, search, videos
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    CaseState,
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
COUNTED = 1000
"""Counting more than this takes longer than anybody wants to wait for a number."""

_UNSCORED = (videos.WAITING, videos.SCORING, videos.FAILED)


def list_videos(
    store: Store,
    settings: Settings,
    actor: Actor,
    text: str = "",
    task: str | None = None,
    status: str | None = None,
    offset: int = 0,
    limit: int = 60,
    *,
    queue: str | None = None,
    policy: str | None = None,
    uploader: str | None = None,
    before: str | None = None,
) -> LibraryPage:
    """List videos, newest first. Where a filter is set, counting stops behind ``COUNTED``.

    Args:
        text: Words that must all occur in title, caption, file name, speech or screen text, the
            last one as the start of a word; or an id.
        task: Look at this task's cases only, for the status and in the items.
        status: One of ``STATUSES``.
        queue: Id of a queue in which a case of it waits.
        policy: What a case of it most likely violates.
        uploader: Whose upload it is.
        before: Only videos that came before the one with this id.

    Raises:
        SettingsError: There is no such task, status or policy.
    """
    require(actor, Permission.VIEW)
    task_id = taxonomy.task(task).id if task else None
    where = [*_where(task_id, status, queue, policy, uploader)]
    where += [VideoRow.id < before] if before else []
    filtered = bool(where or text.strip())
    with store.read() as session:
        rows, total = videos.search(
            session,
            text=text,
            where=[*where, *queues.hidden_videos(session, actor)],
            offset=offset,
            limit=limit + 1,
            most=COUNTED if filtered else None,
        )
        shown = rows[:limit]
        found = search.snippets(session, [row.id for row in shown], text)
        items = items_of(session, settings, actor, shown, task_id, found=found)
    uncounted = filtered and total > COUNTED
    return LibraryPage(items, min(total, COUNTED) if uncounted else total, offset, uncounted,
                       len(rows) > limit)  # fmt: skip


def status_counts(store: Store, actor: Actor, task: str | None = None) -> dict[str, int]:
    """Number of videos by status."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        counts = videos.count_by_status(session)
        # All, less those of videos that are not scored (again): joining each to its video is slow.
        unscored = select(VideoRow.id).where(VideoRow.status != videos.SCORED)
        less = _by_cases(session, task, CaseRow.video_id.in_(unscored))
        for status, number in _by_cases(session, task).items():
            counts[status] = number - less.get(status, 0)
    return {status: counts.get(status, 0) for status in STATUSES}


def progress_of_all(store: Store, actor: Actor) -> IngestProgress:
    """How far the scoring of the whole library is; without items."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        counts = videos.count_by_status(session)
    total, failed, done = sum(counts.values()), counts[videos.FAILED], counts[videos.SCORED]
    return IngestProgress(total, done, failed, done / total if total else 1.0, "")


def progress(
    store: Store, settings: Settings, actor: Actor, video_ids: Sequence[str]
) -> IngestProgress:
    """How far a set of uploads is; ids that are not there (any more) do not count."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        wanted = [VideoRow.id.in_(list(video_ids))]
        rows, total = videos.search(session, where=wanted, limit=len(video_ids))
        items = items_of(session, settings, actor, rows)
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


def case_ids(store: Store, actor: Actor, video_ids: Sequence[str], task: str) -> tuple[str, ...]:
    """Ids of a task's cases of some videos, in their order."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        by_video = videos.cases_of(session, list(video_ids))
    return tuple(row.id for rows in by_video.values() for row in rows if row.task == task)


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
        NotAllowed: A case of it is in a restricted queue that is closed to the actor.
    """
    require(actor, Permission.VIEW)
    if kind not in FILES:
        raise StoreError(f"Unknown kind of file '{kind}'.{did_you_mean(kind, FILES)}")
    with store.read() as session:
        media = videos.get(session, video_id).media
        queues.require_open_video(session, actor, video_id)
    original = kind == "original"
    name = media.file_name if original else getattr(media, kind)
    folder = settings.media_dir if original else settings.previews_dir
    if not name or not (folder / name).is_file():
        raise StoreError(f"Video {video_id} has no {kind.replace('_', ' ')} yet.")
    return folder / name


def _where(
    task: str | None,
    status: str | None,
    queue: str | None,
    policy: str | None,
    uploader: str | None,
) -> Iterator[ColumnElement[bool]]:
    if status:
        yield _has_status(status, task)
    if queue:
        waits = CaseRow.state == CaseState.QUEUED.value
        yield _in_cases(task, waits, CaseRow.queue == queue)
    if policy:
        known = taxonomy.policies()
        if policy not in known:
            raise SettingsError(
                f"Unknown policy '{policy}'; it may have been taken out of the taxonomy. Choose "
                f"another.{did_you_mean(policy, known)}"
            )
        yield _in_cases(task, CaseRow.top_policy == policy)
    if uploader:
        yield VideoRow.uploader == uploader


def _in_cases(task: str | None, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """As a list of ids, not one look-up a video: few videos fit, and they lie anywhere."""
    query = select(CaseRow.video_id).where(*conditions)
    return VideoRow.id.in_(query.where(CaseRow.task == task) if task else query)


def _has_status(status: str, task: str | None) -> ColumnElement[bool]:
    if status not in STATUSES:
        raise SettingsError(f"Unknown status '{status}'.{did_you_mean(status, STATUSES)}")
    if status in _UNSCORED:
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
    # Not "is scored": an index of the status would be read, and all found videos sorted by age.
    return and_(VideoRow.status.not_in(_UNSCORED), fits[status])


def _by_cases(
    session: Session, task: str | None, *conditions: ColumnElement[bool]
) -> dict[str, int]:
    """Number of videos by what their cases make of them: ``_has_status`` for all at once."""
    some = {
        "to_review": CaseRow.state == CaseState.QUEUED.value,
        "decided": CaseRow.state == CaseState.DECIDED.value,
        "auto_flag": CaseRow.route == RouteName.AUTO_FLAG.value,
    }
    ways = [(func.max(case((way, 1), else_=0)) == 1, status) for status, way in some.items()]
    query = select(case(*ways, else_="auto_pass").label("fits")).where(*conditions)
    if task:
        query = query.where(CaseRow.task == task)
    fits = query.group_by(CaseRow.video_id).subquery()
    rows = session.execute(select(fits.c.fits, func.count()).group_by(fits.c.fits))
    return {status: int(number) for status, number in rows}


def _any_case(task: str | None, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    query = exists().where(CaseRow.video_id == VideoRow.id, condition)
    return query.where(CaseRow.task == task) if task else query


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
