"""Everything that happened to a video, in the order of time, out of what the store keeps anyway.

Events say who did what; verdicts, decisions and notes say what it was. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.review import blinding, looks, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.case_view import video_view
from coefvq.review.form import action_name
from coefvq.review.views import VideoView
from coefvq.settings import Settings
from coefvq.store import assessments, cases, decisions, taxonomies, videos
from coefvq.store.session import Store
from coefvq.store.tables import (
    CaseRow,
    CopyMatchRow,
    DecisionRow,
    EventRow,
    JobRow,
    NoteRow,
    VerdictRow,
    VideoRow,
)

_OF_VIDEO, _OF_JOB = ("video.uploaded",), ("job.set_aside", "job.retried")
_OF_CASE = (
    "case.claimed", "case.skipped", "case.assigned", "case.second_look", "case.sent",
    "case.explained",
)  # fmt: skip
_OF_COPY = ("copy.confirmed", "copy.rejected")
SCORED, NOTED = "video.scored", "case.noted"


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that happened.

    Attributes:
        actor: Who did it: a person's or a worker's name.
        kind: The event's kind; a verdict is ``video.scored``.
        data: What is known about it, by kind; texts are hostile.
    """

    at: datetime
    actor: str
    kind: str
    task: str | None = None
    case_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseHead:
    """One of the video's cases: where it is now.

    Attributes:
        blind: The actor answers before they see what the machine said; it is left out.
    """

    case_id: str
    task: str
    state: str
    verdict: str | None
    probability: float | None
    route: str | None
    queue: str | None
    assigned_to: str | None
    blind: bool = False


@dataclass(frozen=True)
class VideoHistory:
    """A video's cases, and what happened, oldest first.

    Attributes:
        hidden: Cases in restricted queues that the actor has no access to; nothing of them is
            in here.
        left_out: Cases of which people's answers, or the machine's, are not told yet: the actor
            may be asked for an answer that they must not colour.
    """

    video_id: str
    title: str
    cases: tuple[CaseHead, ...]
    entries: tuple[HistoryEntry, ...]
    hidden: int = 0
    left_out: int = 0


def of_video(
    store: Store, actor: Actor, video_id: str, settings: Settings | None = None
) -> VideoHistory:
    """Tell everything that happened to a video. Notes are for people who may decide.

    Args:
        settings: With them the machine's answer is left out too, where the actor answers first.

    Raises:
        StoreError: There is no such video.
    """
    require(actor, Permission.VIEW)
    if settings is not None:
        blinding.prepare(store, settings)
    with store.read() as session:
        video = videos.get(session, video_id)
        every = sorted(cases.of_video(session, video_id).values(), key=lambda case: case.task)
        closed = queues.closed_to(session, actor)
        mine = [case for case in every if case.queue not in closed]
        entries = [*_video_entries(session, video), *_case_entries(session, mine)]
        entries += _verdicts(session, video, mine)
        if actor.may(Permission.DECIDE):
            entries += _notes(session, mine)
        people = looks.concealed(session, actor, [case.id for case in mine])
        machine = _unseen(session, settings, actor, mine)
        if not machine and len(mine) == len(every):
            said = _copy_entries(session, video)
            entries += [each for each in said if not people or each.actor == actor.name]
        return VideoHistory(
            video_id=video.id,
            title=video.title or video.original_name,
            cases=tuple(_head(case, case.id in machine) for case in mine),
            entries=tuple(
                entry
                for entry in sorted(entries, key=lambda entry: entry.at)
                if not (entry.case_id in people and _of_people(entry, actor))
                and not (entry.case_id in machine and entry.kind == SCORED)
            ),
            hidden=len(every) - len(mine),
            left_out=len(people | machine),
        )


def _unseen(
    session: Session, settings: Settings | None, actor: Actor, mine: Sequence[CaseRow]
) -> frozenset[str]:
    """Cases that the actor answers before they see the machine's answer; leads see all."""
    if settings is None or actor.may(Permission.LEAD):
        return frozenset()
    return blinding.among(session, settings, actor, mine)


def _of_people(entry: HistoryEntry, actor: Actor) -> bool:
    told = (decisions.DECIDED, decisions.UNDONE, NOTED)
    return entry.kind in told and entry.actor != actor.name


def video(store: Store, settings: Settings, actor: Actor, video_id: str) -> VideoView:
    """What a video is.

    Raises:
        StoreError: There is no such video.
    """
    require(actor, Permission.VIEW)
    with store.read() as session:
        return video_view(session, settings, videos.get(session, video_id))


def _events(session: Session, kinds: Sequence[str], ids: Iterable[str]) -> list[EventRow]:
    wanted = list(ids)
    if not wanted:
        return []
    query = select(EventRow).where(EventRow.kind.in_(kinds), EventRow.subject_id.in_(wanted))
    return list(session.scalars(query.order_by(EventRow.seq)))


def _video_entries(session: Session, video: VideoRow) -> Iterator[HistoryEntry]:
    jobs = {
        job.id: job.kind
        for job in session.scalars(select(JobRow).where(JobRow.video_id == video.id))
    }
    for event in _events(session, _OF_VIDEO, [video.id]):
        data = {"name": video.original_name, **event.data}
        yield HistoryEntry(event.at, event.actor, event.kind, data=data)
    for event in _events(session, _OF_JOB, jobs):
        data = {"job": jobs[event.subject_id], **event.data}
        yield HistoryEntry(event.at, event.actor, event.kind, data=data)


def _copy_entries(session: Session, video: VideoRow) -> Iterator[HistoryEntry]:
    """What people said of its matches."""
    matches = session.scalars(select(CopyMatchRow.id).where(CopyMatchRow.video_id == video.id))
    for event in _events(session, _OF_COPY, matches):
        yield HistoryEntry(event.at, event.actor, event.kind, data=dict(event.data))


def _case_entries(session: Session, mine: Sequence[CaseRow]) -> Iterator[HistoryEntry]:
    tasks = {case.id: case.task for case in mine}
    for event in _events(session, _OF_CASE, tasks):
        case_id = event.subject_id
        yield HistoryEntry(event.at, event.actor, event.kind, tasks[case_id], case_id, event.data)
    rows = {row.id: row for case in mine for row in decisions.of_case(session, case.id)}
    for event in _events(session, (decisions.DECIDED, decisions.UNDONE), rows):
        row = rows[event.subject_id]
        taken = event.kind == decisions.DECIDED
        data = _decision(session, row) if taken else {"batch": row.batch_id}
        yield HistoryEntry(event.at, event.actor, event.kind, row.task, row.case_id, data)


def _decision(session: Session, row: DecisionRow) -> dict[str, Any]:
    """With the names of policies and action as they were when it was taken."""
    then = taxonomies.at(session, row.taxonomy_version) or taxonomy.in_force()
    known = {policy: then.policies.get(policy) for policy in row.labels}
    return {
        "names": {policy: each.name for policy, each in known.items() if each is not None},
        "action_name": action_name(row.action, then),
        "taxonomy": row.taxonomy_version,
        "labels": row.labels,
        "reasons": row.reasons,
        "action": row.action,
        "comment": row.comment,
        "notice": row.notice,
        "role": row.role,
        "start_s": row.start_s,
        "end_s": row.end_s,
        "correction": row.correction,
        "batch": row.batch_id,
    }


def _verdicts(session: Session, video: VideoRow, mine: Sequence[CaseRow]) -> Iterator[HistoryEntry]:
    """What the machine said, and where it sent the case."""
    tasks = {case.id: case.task for case in mine}
    scored = _events(session, (SCORED,), [video.id])
    query = select(VerdictRow).where(VerdictRow.case_id.in_(tasks)).order_by(VerdictRow.id)
    for row in session.scalars(query):
        # The event ends the transaction that stored the verdict.
        by = next((event.actor for event in scored if event.at >= row.created_at), "worker")
        data = _verdict(session, row)
        yield HistoryEntry(row.created_at, by, SCORED, tasks[row.case_id], row.case_id, data)


def _verdict(session: Session, row: VerdictRow) -> dict[str, Any]:
    stages = {"prefilter": row.prefilter_id, "mllm": row.mllm_id}
    said = {
        stage: assessments.get(session, assessment_id)
        for stage, assessment_id in stages.items()
        if assessment_id is not None
    }
    return {
        "verdict": row.verdict,
        "probability": row.probability,
        "policies": {
            policy: {stage: score.get(stage) for stage in ("prefilter", "mllm", "final")}
            for policy, score in row.policies.items()
            if score.get("final") is not None
        },
        "models": {stage: found.model_version for stage, found in said.items()},
        "route": row.route["name"],
        "rule": row.route["rule"],
        "version": row.route["version"],
        "reason": row.route["reason"],
        "audit": bool(row.route["audit"]),
    }


def _notes(session: Session, mine: Sequence[CaseRow]) -> Iterator[HistoryEntry]:
    tasks = {case.id: case.task for case in mine}
    for row in session.scalars(select(NoteRow).where(NoteRow.case_id.in_(tasks))):
        data = {"text": row.text}
        yield HistoryEntry(row.at, row.author, NOTED, tasks[row.case_id], row.case_id, data)


def _head(case: CaseRow, unseen: bool) -> CaseHead:
    return CaseHead(
        case.id,
        case.task,
        case.state,
        None if unseen else case.verdict,
        None if unseen else case.probability,
        None if unseen else case.route,
        None if unseen else case.queue,
        case.assigned_to,
        unseen,
    )
