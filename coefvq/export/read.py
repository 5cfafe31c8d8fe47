"""Read what is exported, some hundred videos at a time, in the order of their ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import TimedText
from coefvq.export.pseudonyms import Naming
from coefvq.export.records import IMPORTED_KEY, Answer, Machine, Video, machine_of
from coefvq.export.settle import answers_of, settle, settled_of
from coefvq.export.wanted import Wanted
from coefvq.learning.dataset.items import LabelledVideo, Split
from coefvq.review.decision_rows import UNSEEN
from coefvq.settings import Settings
from coefvq.store import codec, decisions, labelled, snapshots
from coefvq.store.labelled import Golden
from coefvq.store.tables import (
    CachedSignalsRow,
    CaseRow,
    DecisionRow,
    LookKind,
    LookRow,
    MediaRow,
    VerdictRow,
    VideoRow,
)

BATCH = 400
"""Videos that are in memory at once."""


@dataclass(frozen=True)
class Scope:
    """What is read, settled before the first video.

    Attributes:
        last: No decision with a greater id: those came after the export began.
        splits: By video.
        golden: By video, the golden cases on it.
        texts: Whether speech and screen text are read, too.
    """

    wanted: Wanted
    settings: Settings
    last: str
    splits: Mapping[str, Split]
    golden: Mapping[str, Sequence[Golden]]
    naming: Naming
    texts: bool = True


def conditions(wanted: Wanted, last: str = "") -> list[ColumnElement[bool]]:
    """What a decision must be to be exported; ``last``: see ``Scope``."""
    found = [decisions.stands()]
    if last:
        found.append(DecisionRow.id <= last)
    if wanted.since:
        found.append(DecisionRow.decided_at >= wanted.since)
    if wanted.until:
        found.append(DecisionRow.decided_at < wanted.until)
    if wanted.tasks:
        found.append(DecisionRow.task.in_(wanted.tasks))
    if wanted.roles:
        found.append(DecisionRow.role.in_(wanted.roles))
    return found


def allowed() -> ColumnElement[bool]:
    """Videos that may leave: in no restricted queue, and not forgotten."""
    return CaseRow.video_id.not_in(labelled.restricted())


def batches(session: Session, scope: Scope, after: str = "") -> Iterator[list[Video]]:
    """Yield the wanted videos with an id after ``after``, ``BATCH`` at most at once."""
    gone = snapshots.removed(session)
    while ids := list(session.scalars(_page(scope, after))):
        after = ids[-1]
        mine = [each for each in ids if each not in gone and _in_split(scope, each)]
        yield read(session, scope, mine)


def read(session: Session, scope: Scope, ids: Sequence[str]) -> list[Video]:
    """The videos of these ids, by id, with their answers; those without any are left out."""
    if not ids:
        return []
    rows = [
        row
        for row in session.execute(_decisions(scope, ids))
        if any(scope.wanted.labels(policy) for policy in row.labels)
    ]
    answers: dict[str, list[Answer]] = defaultdict(list)
    extractors: dict[str, str] = {}
    for row in rows:
        answers[row.video_id].append(answer_of(row, scope))
        if row.expensive_extractor:
            extractors[row.video_id] = row.expensive_extractor
    votes = _seconds(session, scope, [row.id for row in rows])
    found = []
    for video in session.execute(_videos(sorted(answers))):
        made = _video(video, scope, tuple(answers[video.id]))
        golden = scope.golden.get(video.id, ())
        settled, tied = settle(made.answers, votes[video.id], golden, scope.wanted)
        found.append(replace(made, settled=settled, tied=tied))
    return with_texts(session, found, extractors) if scope.texts else found


def of_items(session: Session, scope: Scope, items: Sequence[LabelledVideo]) -> list[Video]:
    """The videos of a snapshot's items, labelled as they were when it was made."""
    by_id = {item.video_id: item for item in items}
    rules = taxonomy.in_force()
    found = []
    for row in session.execute(_videos(list(by_id))):
        item = by_id[row.id]
        settled = settled_of(item, rules, scope.wanted)
        if settled:
            answers = answers_of(item, settled)
            made = replace(_video(row, scope, answers), title=item.posted.title)
            found.append(replace(made, caption=item.posted.caption, settled=settled))
    return with_texts(session, found, {}) if scope.texts else found


def with_texts(
    session: Session, videos: Sequence[Video], extractors: Mapping[str, str]
) -> list[Video]:
    """Add what was heard and read: by the extractor of the verdict, else by any."""
    digests = [video.sha256 for video in videos]
    query = select(
        CachedSignalsRow.sha256, CachedSignalsRow.extractor, CachedSignalsRow.readable
    ).where(CachedSignalsRow.sha256.in_(digests), CachedSignalsRow.readable.is_not(None))
    known: dict[str, dict[str, Any]] = defaultdict(dict)
    for sha256, extractor, readable in session.execute(query.order_by(CachedSignalsRow.created_at)):
        if readable:
            known[sha256][extractor] = readable
    return [_heard(video, known.get(video.sha256), extractors) for video in videos]


def answer_of(row: Any, scope: Scope) -> Answer:
    """A stored decision as it is exported; ``row`` has the columns of ``DecisionRow``."""
    snapshot = row.snapshot
    route = snapshot.get("route") or {}
    told = snapshot.get(IMPORTED_KEY) or {}
    # An outcome that was not drawn carries the share too, but that is not why somebody looked.
    drawn = bool(route.get("audit") or told.get("audit"))
    propensity = route.get("propensity", 1.0) if route.get("audit") else told.get("propensity", 1.0)
    return Answer(
        decision_id=row.id, case_id=row.case_id, task=row.task,
        reviewer=scope.naming(row.reviewer), role=row.role, kind=row.kind, action=row.action,
        labels=row.labels, reasons=row.reasons, comment=row.comment, start_s=row.start_s,
        end_s=row.end_s, decided_at=row.decided_at, correction=row.correction,
        taxonomy_version=row.taxonomy_version, machine=_machine(snapshot, told),
        propensity=float(propensity or 1.0), audit=drawn,
        seen="policies" in snapshot and not snapshot.get(UNSEEN),
        verdict=snapshot.get("verdict"), models=snapshot.get("models") or {},
    )  # fmt: skip


def _machine(snapshot: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Machine]:
    if "policies" in snapshot:
        return {policy: machine_of(score) for policy, score in snapshot["policies"].items()}
    return {policy: Machine(**said) for policy, said in (told.get("machine") or {}).items()}


def wanted_videos(scope: Scope) -> Select[str]:
    """Ids of the videos with a decision that is wanted."""
    query = select(CaseRow.video_id).join(DecisionRow, DecisionRow.case_id == CaseRow.id)
    return query.where(*conditions(scope.wanted, scope.last), allowed()).distinct()


def _page(scope: Scope, after: str) -> Select[str]:
    later = wanted_videos(scope).where(CaseRow.video_id > after)
    return later.order_by(CaseRow.video_id).limit(BATCH)


def _decisions(scope: Scope, ids: Sequence[str]) -> Any:
    return (
        select(*DecisionRow.__table__.columns, CaseRow.video_id, VerdictRow.expensive_extractor)
        .join(CaseRow, CaseRow.id == DecisionRow.case_id)
        .outerjoin(VerdictRow, VerdictRow.id == DecisionRow.verdict_id)
        .where(CaseRow.video_id.in_(ids), *conditions(scope.wanted, scope.last))
        .order_by(CaseRow.video_id, DecisionRow.id)
    )


def _videos(ids: Sequence[str]) -> Any:
    video, media = VideoRow, MediaRow
    query = select(
        video.id, video.sha256, video.title, video.caption, video.uploaded_at, media.file_name,
        media.info,
    ).join(media, media.sha256 == video.sha256)  # fmt: skip
    return query.where(VideoRow.id.in_(ids)).order_by(VideoRow.id)


def _seconds(
    session: Session, scope: Scope, ids: Sequence[str]
) -> dict[str, list[tuple[Any, ...]]]:
    """By video, second answers: reviewer, case, labels, time."""
    query = (
        select(
            CaseRow.video_id, LookRow.reviewer, LookRow.case_id, LookRow.labels, LookRow.answered_at
        )
        .join(CaseRow, CaseRow.id == LookRow.case_id)
        .where(
            LookRow.decision_id.in_(ids),
            LookRow.kind == LookKind.SECOND.value,
            LookRow.answered_at.is_not(None),
        )
    )
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for video_id, who, *rest in session.execute(query):
        found[video_id].append((scope.naming(who), *rest))
    return found


def _video(row: Any, scope: Scope, answers: tuple[Answer, ...]) -> Video:
    path = scope.settings.media_dir / row.file_name if row.file_name else None
    there = path is not None and path.is_file()
    return Video(
        row.id, row.sha256, row.file_name, path if there else None, row.title, row.caption,
        row.uploaded_at, codec.media_info_from(row.info, str(path)) if row.info else None,
        scope.splits.get(row.id, "train"), answers,
    )  # fmt: skip


def _heard(video: Video, known: dict[str, Any] | None, extractors: Mapping[str, str]) -> Video:
    if not known:
        return video
    lines = known.get(extractors.get(video.video_id, "")) or next(reversed(known.values()))
    return replace(
        video, speech=_lines(lines.get("speech")), screen_text=_lines(lines.get("screen_text"))
    )


def _lines(data: list[Any] | None) -> tuple[TimedText, ...] | None:
    return codec.lines_from(data)


def _in_split(scope: Scope, video_id: str) -> bool:
    wanted = scope.wanted.splits
    return not wanted or scope.splits.get(video_id, "train") in wanted
