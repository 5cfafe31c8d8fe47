"""Videos as the library shows them, with their cases, their job and their status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.domain import RouteName
from coefvq.review import blinding, looks, queues
from coefvq.review.access import Actor, Permission
from coefvq.review.compare import overall
from coefvq.review.library_views import CaseBadge, LibraryItem, Snippet
from coefvq.settings import Settings
from coefvq.store import jobs, videos
from coefvq.store.tables import CaseRow, DecisionRow, JobKind, JobRow, JobState, VideoRow

_SHARES = {JobKind.INGEST.value: (0.0, 0.4), JobKind.FINGERPRINT.value: (0.4, 0.2)}
"""Where a job begins and how much of an upload's work it is; the rest is its score."""
_SCORE_SHARE = (0.6, 0.4)


def _status(video: VideoRow, cases: Sequence[CaseRow]) -> str:
    if video.status != videos.SCORED:
        return video.status
    for status in ("queued", "decided"):
        if any(case.state == status for case in cases):
            return "to_review" if status == "queued" else status
    flagged = any(case.route == RouteName.AUTO_FLAG.value for case in cases)
    return "auto_flag" if flagged else "auto_pass"


def items_of(
    session: Session,
    settings: Settings,
    actor: Actor,
    rows: Sequence[VideoRow],
    task: str | None = None,
    found: Mapping[str, Snippet] | None = None,
    similarity: Mapping[str, float] | None = None,
) -> tuple[LibraryItem, ...]:
    """Make the items of some videos, in their order.

    Cases in restricted queues count for the status; who may not see them gets no more of them.

    Args:
        task: Look at this task's cases only.
        found: Where the search was found, by video id.
        similarity: To the video that was asked for, by video id.
    """
    ids = [row.id for row in rows]
    by_video = videos.cases_of(session, ids)
    decided = _decided(session, [case for each in by_video.values() for case in each])
    newest = jobs.newest_by_video(session, ids)
    closed = queues.closed_to(session, actor)
    every = [case for each in by_video.values() for case in each]
    for decision_id in _untold(session, actor, every):
        decided.pop(decision_id, None)
    unseen = _unseen(session, settings, actor, every)
    made = (
        _item(
            settings,
            row,
            [case for case in by_video[row.id] if task in (None, case.task)],
            lambda case: None if case.queue in closed else _badge(case, decided, unseen),
            newest.get(row.id),
        )
        for row in rows
    )
    hits, alike = found or {}, similarity or {}
    return tuple(
        replace(item, found=hits.get(item.video_id), similarity=alike.get(item.video_id))
        for item in made
    )


def _item(
    settings: Settings,
    row: VideoRow,
    cases: Sequence[CaseRow],
    badge: Callable[[CaseRow], CaseBadge | None],
    job: JobRow | None,
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
        status=_status(row, cases),
        poster=settings.previews_dir / media.poster if media.poster else None,
        proxy=settings.previews_dir / media.proxy if media.proxy else None,
        cases=tuple(made for case in cases if (made := badge(case)) is not None),
        warnings=tuple(info.get("warnings", ())),
        progress=_share(job),
        note=job.note if job else "",
        error_code=job.error_code if job and failed else None,
        error=job.error if job and failed else None,
        job_id=job.id if job and failed else None,
    )


def _share(job: JobRow | None) -> float | None:
    """Progress over the jobs of a video, 0..1; ``None`` when nothing is due."""
    if job is None or job.state in (JobState.SET_ASIDE.value, JobState.DONE.value):
        return None
    start, share = _SHARES.get(job.kind, _SCORE_SHARE)
    return start + share * min(job.progress, 0.99)


def _untold(session: Session, actor: Actor, rows: Sequence[CaseRow]) -> set[str]:
    """Decisions that the actor may not see: they may be asked about their cases."""
    asked = looks.concealed(session, actor, [row.id for row in rows if row.decision_id])
    return {row.decision_id for row in rows if row.id in asked and row.decision_id}


def _unseen(
    session: Session, settings: Settings, actor: Actor, rows: Sequence[CaseRow]
) -> frozenset[str]:
    """Cases that the actor answers before they see the machine's answer; leads see all."""
    lead = actor.may(Permission.LEAD)
    return frozenset() if lead else blinding.among(session, settings, actor, rows)


def _badge(case: CaseRow, decided: dict[str, str], unseen: frozenset[str]) -> CaseBadge:
    told = case.id not in unseen
    return CaseBadge(
        case_id=case.id,
        task=case.task,
        state=case.state,
        verdict=case.verdict if told else None,
        route=case.route if told else None,
        probability=case.probability if told else None,
        decided=decided.get(case.decision_id or ""),
    )


def _decided(session: Session, rows: Sequence[CaseRow]) -> dict[str, str]:
    wanted = [row.decision_id for row in rows if row.decision_id]
    query = select(DecisionRow.id, DecisionRow.labels).where(DecisionRow.id.in_(wanted))
    return {decision_id: overall(labels) for decision_id, labels in session.execute(query)}
