"""A video goes, with everything it showed and said; what people decided on it stays.

What is left of it: its id, the digest of its bytes, scores, routes, verdicts and labels, so that
rates and the chain of events still add up. Titles, words, pictures, signals, fingerprints and what
people wrote about it are gone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.orm import Session

from coefvq.store import events, holds, originals, snapshots, videos
from coefvq.store.tables import (
    AppealRow,
    AssessmentRow,
    CachedSignalsRow,
    CallbackRow,
    CaseRow,
    CaseState,
    CopyAnswerRow,
    CopyMatchRow,
    CopySearchRow,
    DecisionRow,
    DeliveryRow,
    DraftRow,
    EmbeddingRow,
    FileRemovalRow,
    GoldenRow,
    JobRow,
    LeaseRow,
    LookRow,
    LookState,
    MediaRow,
    NoteRow,
    ShadowScoreRow,
    SkipRow,
    VideoRow,
    VideoTextRow,
    ViewsRow,
    utcnow,
)

KIND = "video.deleted"
_OF_CASES = (DraftRow, NoteRow, SkipRow)
_OF_VIDEO = (CallbackRow, CopySearchRow, DeliveryRow, ShadowScoreRow, VideoTextRow, ViewsRow)
_OF_MEDIA = (CachedSignalsRow, EmbeddingRow)


def delete_video(session: Session, video_id: str, actor: str, reason: str) -> VideoRow:
    """Empty a video in the transaction at hand; its files are noted in ``file_removals``.

    The bytes go with the last video that shows them, unless another one of them is under a hold.
    A video that is deleted already stays as it is.

    Raises:
        StoreError: There is no such video.
        Held: A legal hold stands on it.
    """
    row = videos.get(session, video_id)
    session.refresh(row, with_for_update={"of": VideoRow})
    if row.status == videos.DELETED:
        return row
    holds.require_free(session, video_id)
    case_ids = list(session.scalars(select(CaseRow.id).where(CaseRow.video_id == video_id)))
    _close_cases(session, case_ids)
    _empty_answers(session, video_id, case_ids)
    _forget_copies(session, video_id)
    _drop_jobs(session, video_id, case_ids)
    for table in _OF_VIDEO:
        session.execute(delete(table).where(table.video_id == video_id))
    row.title = row.caption = None
    row.original_name = row.uploader = row.status = videos.DELETED
    session.flush()
    files = _forget_media(session, row)
    snapshots.forget_video(session, video_id)
    data = {"sha256": row.sha256, "reason": reason, "files": len(files)}
    events.append(session, actor, KIND, "video", video_id, data)
    return row


def asked_for(session: Session) -> list[str]:
    """Files that are still to be removed, relative to the data folder; ``*`` stands for any end."""
    return list(session.scalars(select(FileRemovalRow.path).order_by(FileRemovalRow.path)))


def removed(session: Session, path: str) -> None:
    """The file is gone."""
    session.execute(delete(FileRemovalRow).where(FileRemovalRow.path == path))


def _close_cases(session: Session, case_ids: Collection[str]) -> None:
    """Nobody is given them any more; leases end, so that a late answer is refused."""
    moment = utcnow()
    for case in session.scalars(select(CaseRow).where(CaseRow.id.in_(case_ids))):
        if case.state != CaseState.DECIDED.value:
            case.state, case.queued_at, case.due_at = CaseState.SET_ASIDE.value, None, None
        case.second_look, case.second_look_by, case.assigned_to = False, None, None
        case.updated_at = moment
    ended = {"holder": None, "expires_at": None}
    session.execute(update(LeaseRow).where(LeaseRow.subject_id.in_(case_ids)).values(ended))
    for table in _OF_CASES:
        session.execute(delete(table).where(table.case_id.in_(case_ids)))
    golden = update(GoldenRow).where(GoldenRow.case_id.in_(case_ids))
    session.execute(golden.where(GoldenRow.retired_at.is_(None)).values(retired_at=moment))
    session.execute(update(GoldenRow).where(GoldenRow.case_id.in_(case_ids)).values(note=""))


def _empty_answers(session: Session, video_id: str, case_ids: Collection[str]) -> None:
    """Take out quotes, rationales and what people wrote; scores and labels stay."""
    said: dict[str, Any] = {"evidence": [], "rationale": None, "contributions": {}}
    session.execute(update(AssessmentRow).where(AssessmentRow.video_id == video_id).values(said))
    decided = update(DecisionRow).where(DecisionRow.case_id.in_(case_ids))
    session.execute(decided.values(comment="", notice=""))
    looks = update(LookRow).where(LookRow.case_id.in_(case_ids))
    session.execute(looks.values(comment="", draft=None))
    waiting = looks.where(LookRow.state == LookState.WAITING.value)
    session.execute(waiting.values(state=LookState.SETTLED.value, settled_at=utcnow()))
    appeals = update(AppealRow).where(AppealRow.case_id.in_(case_ids))
    session.execute(appeals.values(text="", reason=""))


def _forget_copies(session: Session, video_id: str) -> None:
    found = select(CopyMatchRow.id).where(CopyMatchRow.video_id == video_id)
    session.execute(delete(CopyAnswerRow).where(CopyAnswerRow.match_id.in_(found)))
    session.execute(delete(CopyMatchRow).where(CopyMatchRow.video_id == video_id))
    originals.forget_video(session, video_id)


def _drop_jobs(session: Session, video_id: str, case_ids: Collection[str]) -> None:
    """A worker that is at one of them finds its lease gone and stores nothing."""
    mine = (JobRow.video_id == video_id) | JobRow.case_id.in_(case_ids)
    ids = list(session.scalars(select(JobRow.id).where(mine)))
    session.execute(delete(LeaseRow).where(LeaseRow.subject_id.in_(ids)))
    session.execute(delete(JobRow).where(JobRow.id.in_(ids)))


def _forget_media(session: Session, row: VideoRow) -> list[str]:
    """The bytes and all that was extracted of them, with the last video that shows them."""
    others = exists().where(VideoRow.sha256 == row.sha256, VideoRow.status != videos.DELETED)
    if session.scalar(select(others)):
        return []
    media = session.get_one(MediaRow, row.sha256)
    names = [
        f"previews/{name}" for name in (media.proxy, media.poster, media.contact_sheet) if name
    ]
    names += [f"media/{media.file_name}"] if media.file_name else []
    names += [f"cache/frames/{row.sha256}-*"]
    for table in _OF_MEDIA:
        session.execute(delete(table).where(table.sha256 == row.sha256))
    media.file_name, media.info = "", None
    media.proxy = media.poster = media.contact_sheet = None
    session.execute(delete(FileRemovalRow).where(FileRemovalRow.path.in_(names)))
    if names:
        session.execute(insert(FileRemovalRow), [{"path": name} for name in names])
    return names
